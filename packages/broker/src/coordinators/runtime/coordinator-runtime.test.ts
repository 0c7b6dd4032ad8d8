import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  consumerOffsetsRecords,
  ErrorCode,
  errorName,
  KafkaError,
  OffsetCommitRecord,
  type RecordType,
} from '@millrace/protocol'
import { type Logger, silentLogger } from '@millrace/runtime'
import { SeededRandom } from '@millrace/runtime/testing'
import type { CoordinatorShard, RecordOrigin, ShardContext, TransactionResult } from './coordinator-shard.ts'
import { record, tombstone, type CoordinatorRecord, type Decision, type ProducerIdentity } from './decision.ts'
import { Replayers, type LoadedRecord } from './replayers.ts'
import { CoordinatorWorld, type CoordinatorWorldOptions } from './testing/coordinator-world.ts'

/** Numbers by name; those of transactions that have not ended are pending. */
class Ledger implements CoordinatorShard {
  readonly values = new Map<string, bigint>()
  readonly pending = new Map<bigint, Map<string, bigint | null>>()
  readonly context: ShardContext
  isUnloaded = false
  readonly #replayers = new Replayers().on(OffsetCommitRecord, ({ group }, value, { transaction }) => {
    const amount = value === null ? null : value.offset
    if (transaction === null) this.#set(group, amount)
    else {
      let pending = this.pending.get(transaction.producerId)
      if (pending === undefined) this.pending.set(transaction.producerId, (pending = new Map()))
      pending.set(group, amount)
    }
  })

  constructor(context: ShardContext) {
    this.context = context
  }

  replay(loaded: LoadedRecord, origin: RecordOrigin): void {
    this.#replayers.apply(loaded, origin)
  }

  endTransaction({ producerId }: ProducerIdentity, result: TransactionResult): void {
    if (result === 'COMMIT') for (const [name, amount] of this.pending.get(producerId) ?? []) this.#set(name, amount)
    this.pending.delete(producerId)
  }

  unloaded(): void {
    this.isUnloaded = true
  }

  #set(name: string, amount: bigint | null): void {
    if (amount === null) this.values.delete(name)
    else this.values.set(name, amount)
  }
}

function put(name: string, amount: bigint, metadata = ''): CoordinatorRecord {
  return record(
    OffsetCommitRecord,
    { group: name, topic: '', partition: 0 },
    { offset: amount, metadata, commitTimestamp: 0n },
  )
}

const remove = (name: string): CoordinatorRecord =>
  tombstone(OffsetCommitRecord, { group: name, topic: '', partition: 0 })

/** Adds one to the number, and answers with it. */
function increment(ledger: Ledger, name: string): Decision<bigint> {
  const amount = (ledger.values.get(name) ?? 0n) + 1n
  return { records: [put(name, amount)], response: amount }
}

async function started(options: Partial<CoordinatorWorldOptions<Ledger>> = {}): Promise<CoordinatorWorld<Ledger>> {
  const world = new CoordinatorWorld({
    seed: 1,
    types: consumerOffsetsRecords,
    makeShard: (context) => new Ledger(context),
    ...options,
  })
  await world.start()
  await world.sim.time.advance(100)
  return world
}

/** What became of a promise, without waiting for it. */
function watch<T>(promise: Promise<T>): { outcome: T | string | undefined } {
  const watched: { outcome: T | string | undefined } = { outcome: undefined }
  promise.then(
    (value) => (watched.outcome = value),
    (error: unknown) => (watched.outcome = error instanceof KafkaError ? errorName(error.code) : String(error)),
  )
  return watched
}

async function restarted(world: CoordinatorWorld<Ledger>): Promise<void> {
  world.crash()
  await world.start()
  await world.sim.time.advance(100)
}

test('what is written is there after a restart', async () => {
  const world = await started()
  assert.equal(await world.run(world.runtime.write(0, (ledger) => increment(ledger, 'a'))), 1n)
  assert.equal(await world.run(world.runtime.write(0, (ledger) => increment(ledger, 'a'))), 2n)
  await world.run(
    world.runtime.write(0, () => ({ records: [put('b', 7n), remove('c'), put('c', 1n), remove('c')], response: null })),
  )
  await restarted(world)
  assert.deepEqual(
    [...world.shard.values],
    [
      ['a', 2n],
      ['b', 7n],
    ],
  )
})

test('requests see what was decided before them, and are answered when that is committed', async () => {
  const world = await started()
  world.changePartition({ replicas: [1, 2], isr: [1, 2] })
  const first = watch(world.runtime.write(0, (ledger) => increment(ledger, 'a')))
  const second = watch(world.runtime.write(0, (ledger) => increment(ledger, 'a')))
  const look = watch(world.runtime.read(0, (ledger) => ledger.values.get('a')))
  const empty = watch(world.runtime.write(0, (ledger) => ({ records: [], response: ledger.values.get('a') })))
  await world.sim.time.advance(100)
  assert.deepEqual(
    [first, second, look, empty].map(({ outcome }) => outcome),
    Array(4).fill(undefined),
  )
  world.changePartition({ isr: [1] })
  await world.sim.time.advance(100)
  assert.deepEqual(
    [first, second, look, empty].map(({ outcome }) => outcome),
    [1n, 2n, 2n, 2n],
  )
})

test('what the log refuses has not happened', async () => {
  const world = await started({ logConfig: { maxMessageBytes: 200, minInsyncReplicas: 2 } })
  const settled: unknown[] = []
  const large = watch(
    world.runtime.write(0, () => ({
      records: [put('a', 1n, 'x'.repeat(500))],
      response: null,
      settled: (error) => settled.push(error?.code),
    })),
  )
  world.changePartition({ replicas: [1, 2], isr: [1] })
  const lonely = watch(world.runtime.write(0, (ledger) => increment(ledger, 'a')))
  await world.sim.time.advance(100)
  assert.deepEqual([large.outcome, lonely.outcome], ['UNKNOWN_SERVER_ERROR', 'COORDINATOR_NOT_AVAILABLE'])
  assert.deepEqual(settled, [ErrorCode.UNKNOWN_SERVER_ERROR])
  assert.equal(world.shard.values.size, 0)
  world.changePartition({ isr: [1, 2] })
  const accepted = watch(world.runtime.write(0, (ledger) => increment(ledger, 'a')))
  world.changePartition({ replicas: [1], isr: [1] })
  await world.sim.time.advance(100)
  assert.equal(accepted.outcome, 1n)
})

test('records that may be parted fill several batches', async () => {
  const world = await started({ logConfig: { maxMessageBytes: 300 } })
  const records = Array.from({ length: 50 }, (_, index) => put(`name-${index}`, BigInt(index)))
  assert.equal(await world.run(world.runtime.write(0, () => ({ records, response: 'ok', isAtomic: false }))), 'ok')
  await restarted(world)
  assert.equal(world.shard.values.size, 50)
})

test('a write that is not committed in time is refused, and stays', async () => {
  const world = await started()
  world.changePartition({ replicas: [1, 2], isr: [1, 2] })
  const write = watch(world.runtime.write(0, (ledger) => increment(ledger, 'a')))
  await world.sim.time.advance(6000)
  assert.equal(write.outcome, 'COORDINATOR_NOT_AVAILABLE')
  assert.equal(world.shard.values.get('a'), 1n)
})

test('who loses the lead refuses everybody and forgets; who has it again loads', async () => {
  const world = await started()
  await world.run(world.runtime.write(0, (ledger) => increment(ledger, 'a')))
  world.changePartition({ replicas: [1, 2], isr: [1, 2] })
  const write = watch(world.runtime.write(0, (ledger) => increment(ledger, 'a')))
  const { shard } = world
  world.changePartition({ leader: 2, leaderEpoch: 1 })
  await world.sim.time.advance(100)
  assert.equal(write.outcome, 'NOT_COORDINATOR')
  assert.equal(shard.isUnloaded, true)
  await assert.rejects(
    world.runtime.write(0, (ledger) => increment(ledger, 'a')),
    { code: ErrorCode.NOT_COORDINATOR },
  )
  world.changePartition({ leader: 1, leaderEpoch: 2, isr: [1] })
  const early = watch(world.runtime.read(0, (ledger) => ledger.values.get('a')))
  await world.sim.time.advance(100)
  assert.equal(early.outcome, 'COORDINATOR_LOAD_IN_PROGRESS')
  assert.equal(await world.run(world.runtime.read(0, (ledger) => ledger.values.get('a'))), 2n)
  assert.equal(world.shard.context.epoch, 2)
})

test('a log that fails ends its coordinator', async () => {
  const world = await started()
  world.host.disk.fail({ operation: 'write', code: 'EIO' })
  const write = watch(world.runtime.write(0, (ledger) => increment(ledger, 'a')))
  await world.sim.time.advance(100)
  assert.equal(write.outcome, 'NOT_COORDINATOR')
  assert.deepEqual(world.runtime.activePartitions, [])
})

test('what a transaction wrote counts when it is committed', async () => {
  const world = await started()
  const transact = (producerId: bigint, name: string, amount: bigint) =>
    world.run(
      world.runtime.write(0, () => ({
        records: [put(name, amount)],
        response: null,
        transaction: { producerId, producerEpoch: 0 },
      })),
    )
  const end = (producerId: bigint, result: TransactionResult) =>
    world.run(
      world.runtime.endTransaction(0, {
        producerId,
        producerEpoch: 0,
        result,
        coordinatorEpoch: 0,
        transactionVersion: 1,
      }),
    )
  await transact(1n, 'a', 1n)
  await transact(2n, 'b', 2n)
  await transact(3n, 'c', 3n)
  assert.equal(world.shard.values.size, 0)
  await end(1n, 'COMMIT')
  await restarted(world)
  assert.deepEqual([...world.shard.values], [['a', 1n]])
  assert.deepEqual([...world.shard.pending.keys()], [2n, 3n])
  await end(2n, 'ABORT')
  await end(3n, 'COMMIT')
  await restarted(world)
  assert.deepEqual(
    [...world.shard.values],
    [
      ['a', 1n],
      ['c', 3n],
    ],
  )
  assert.equal(world.shard.pending.size, 0)
})

test('a timer writes, tries again after a passing failure, and ends with its shard', async () => {
  const world = await started({ logConfig: { minInsyncReplicas: 2 } })
  world.changePartition({ replicas: [1, 2], isr: [1] })
  const { shard } = world
  const tick = (): Decision<void> => ({
    records: [put('ticks', (shard.values.get('ticks') ?? 0n) + 1n)],
    response: undefined,
  })
  shard.context.timers.schedule('tick', 1000, tick)
  shard.context.timers.schedule('never', 1000, tick)
  shard.context.timers.cancel('never')
  await world.sim.time.advance(1100)
  assert.equal(shard.values.get('ticks'), undefined)
  world.changePartition({ isr: [1, 2] })
  await world.sim.time.advance(600)
  assert.equal(shard.values.get('ticks'), 1n)
  shard.context.timers.schedule('tick', 1000, tick)
  world.changePartition({ leader: 2, leaderEpoch: 1 })
  await world.sim.time.advance(5000)
  assert.equal(shard.values.get('ticks'), 1n)
})

test('records of a type that is not known are passed over', async () => {
  const world = await started()
  await world.run(world.runtime.write(0, (ledger) => increment(ledger, 'a')))
  world.crash()
  const narrower = new CoordinatorWorld({
    seed: 1,
    types: new Map(),
    makeShard: (context) => new Ledger(context),
  })
  Object.assign(narrower, { host: world.host, sim: world.sim })
  await narrower.start()
  await narrower.sim.time.advance(100)
  assert.deepEqual(narrower.runtime.activePartitions, [0])
  assert.equal(narrower.shard.values.size, 0)
})

test('a value that cannot be read leaves the partition without a coordinator, and says where', async () => {
  const world = await started()
  const damaged = {
    writes: OffsetCommitRecord.writes,
    encodeKey: OffsetCommitRecord.encodeKey.bind(OffsetCommitRecord),
    encodeValue: () => new Uint8Array([0, 3, 1]),
  }
  const key = { group: 'a', topic: '', partition: 0 }
  await world.run(
    world.runtime.write(0, () => ({
      records: [{ type: damaged as unknown as RecordType, key, value: {} }],
      response: null,
      replays: false,
    })),
  )
  world.crash()
  const errors: string[] = []
  const logger: Logger = {
    ...silentLogger,
    child: () => logger,
    error: (message, fields) => errors.push(`${message} ${String(fields?.['error'])}`),
  }
  const next = new CoordinatorWorld({
    seed: 1,
    types: consumerOffsetsRecords,
    makeShard: (context) => new Ledger(context),
    logger,
  })
  Object.assign(next, { host: world.host, sim: world.sim })
  await next.start()
  await next.sim.time.advance(100)
  assert.deepEqual(next.runtime.activePartitions, [])
  assert.equal(watchedError(await next.runtime.read(0, () => 0).catch((error: unknown) => error)), 'NOT_COORDINATOR')
  assert.equal(errors.length, 1)
  assert.match(errors[0]!, /stays without one.*offset 0/)
})

function watchedError(error: unknown): string {
  return error instanceof KafkaError ? errorName(error.code) : String(error)
}

test('an answer that waits for others leaves after the commit', async () => {
  const world = await started()
  const { promise, resolve } = Promise.withResolvers<string>()
  const write = watch(world.runtime.write(0, () => ({ records: [put('a', 1n)], response: promise })))
  await world.sim.time.advance(100)
  assert.equal(write.outcome, undefined)
  resolve('now')
  await world.sim.time.advance(100)
  assert.equal(write.outcome, 'now')
})

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8])
  test(`acknowledged changes survive crashes, and a reload gives the state before it (seed ${seed})`, async () => {
    const world = await started({ seed, logConfig: { segmentBytes: 2000, maxMessageBytes: 1000 } })
    const random = new SeededRandom(seed)
    const acknowledged = new Map<string, bigint>()
    const names = ['a', 'b', 'c', 'd']
    for (let round = 0; round < 30; round++) {
      const writes = Array.from({ length: random.integer(20) }, () => {
        const name = names[random.integer(names.length)]!
        return world.runtime
          .write(0, (ledger) => increment(ledger, name))
          .then(
            (amount) =>
              void acknowledged.set(name, amount > (acknowledged.get(name) ?? 0n) ? amount : acknowledged.get(name)!),
            () => {},
          )
      })
      if (random.integer(3) > 0) {
        await world.run(Promise.all(writes))
        const before = new Map(world.shard.values)
        await restarted(world)
        assert.deepEqual(world.shard.values, before)
      } else await restarted(world)
      for (const [name, amount] of acknowledged)
        assert.ok(world.shard.values.get(name)! >= amount, `${name} was ${amount}, is ${world.shard.values.get(name)}`)
    }
  })
