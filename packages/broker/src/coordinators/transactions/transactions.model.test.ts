/**
 * Producers of both protocols fight over two transactional ids, while appends are refused, markers fail or are answered as if they had, leaders
 * come and go, a topic is deleted, time runs out, and the coordinator is killed and loads again. What must hold is checked at every record, and at
 * the end. Each run follows from its seed; `MILLRACE_SEED=n` runs that one alone.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, errorName, KafkaError, transactionStateRecords } from '@millrace/protocol'
import type { Random } from '@millrace/runtime'
import { FeaturesImage } from '../../metadata/features.ts'
import type { PartitionImage, TopicImage } from '../../metadata/image.ts'
import type { RecordOrigin } from '../runtime/coordinator-shard.ts'
import type { ProducerIdentity } from '../runtime/decision.ts'
import type { LoadedRecord } from '../runtime/replayers.ts'
import type { TransactionMarker } from '../runtime/shard-host.ts'
import { CoordinatorWorld } from '../runtime/testing/coordinator-world.ts'
import { addPartitions } from './add-partitions.ts'
import { endTransaction, fence } from './end-transaction.ts'
import { initProducerId } from './init-producer-id.ts'
import type { MarkerWriter } from './marker-writer.ts'
import type { TopicPartition } from './partition-set.ts'
import { TransactionShard, type Rule, type Ruling } from './transaction-shard.ts'
import type { Transaction } from './transaction.ts'
import { isIdle, isPrepared, type TransactionState } from './transaction-state.ts'
import { become, NEEDS_PRODUCER_ID, refuse } from './verdict.ts'

const topics = ['a', 'b', 'deleted']
const transactionalIds = ['x', 'y']

interface Written extends TransactionMarker {
  readonly order: number
}

/** The leaders of the partitions: they keep markers, when they feel like it. */
class Leaders implements MarkerWriter {
  readonly #world: World
  readonly #byPartition = new Map<string, Written[]>()
  isUnwilling = false

  constructor(world: World) {
    this.#world = world
  }

  of({ topic, partition }: TopicPartition): readonly Written[] {
    return this.#byPartition.get(`${topic}-${partition}`) ?? []
  }

  async write(leader: number, marker: TransactionMarker, partitions: readonly TopicPartition[]) {
    const { random, clock, life } = this.#world
    await clock.sleep(random.integer(30))
    // Requests of a coordinator that was killed die with it.
    if (life !== this.#world.life) return partitions.map(() => ErrorCode.NETWORK_EXCEPTION)
    return partitions.map((one) => this.#writeOne(leader, marker, one))
  }

  #writeOne(leader: number, marker: TransactionMarker, one: TopicPartition): number {
    const { random, coordination } = this.#world
    if (coordination.image.partition(one.topic, one.partition)?.leader !== leader)
      return ErrorCode.NOT_LEADER_OR_FOLLOWER
    if (this.isUnwilling && random.integer(3) === 0) return ErrorCode.NOT_ENOUGH_REPLICAS
    const key = `${one.topic}-${one.partition}`
    const markers = this.#byPartition.get(key) ?? []
    this.#byPartition.set(key, markers)
    const last = markers.findLast(({ producerId }) => producerId === marker.producerId)
    if (last !== undefined) {
      assert.ok(marker.producerEpoch >= last.producerEpoch, `${key}: a marker of an older epoch than the last one`)
      assert.ok(marker.coordinatorEpoch >= last.coordinatorEpoch, `${key}: a marker of an older coordinator`)
    }
    markers.push({ ...marker, order: this.#world.tick() })
    // Written, but the answer is lost.
    return this.isUnwilling && random.integer(4) === 0 ? ErrorCode.REQUEST_TIMED_OUT : ErrorCode.NONE
  }
}

const predecessors: Record<TransactionState, readonly (TransactionState | 'unknown')[]> = {
  Empty: ['unknown', 'Empty', 'CompleteCommit', 'CompleteAbort'],
  Ongoing: ['Ongoing', 'Empty', 'CompleteCommit', 'CompleteAbort'],
  PrepareCommit: ['Ongoing'],
  PrepareAbort: ['Ongoing', 'Empty', 'CompleteCommit', 'CompleteAbort'],
  CompleteCommit: ['PrepareCommit'],
  CompleteAbort: ['PrepareAbort'],
}

class World {
  readonly random: Random
  readonly leaders: Leaders
  readonly coordination: CoordinatorWorld<TransactionShard>
  /** Of the coordinator's process. */
  life = 0
  #order = 0
  #nextProducerId = 100n
  /** By offset, what the records up to it add up to; and when it was first so. */
  readonly #states = new Map<bigint, string>()
  readonly #prepared = new Map<bigint, number>()
  #last = -1n
  records = 0
  completions = 0
  failure: Error | null = null

  constructor(seed: number) {
    this.leaders = new Leaders(this)
    this.coordination = new CoordinatorWorld({
      seed,
      types: transactionStateRecords,
      makeShard: (context) => this.#watched(new TransactionShard(context, this.leaders)),
    })
    this.random = this.coordination.sim.random
  }

  /** Not that of the coordinator's process, whose timers die with it. */
  get clock() {
    return this.coordination.sim.host('clients').runtime.clock
  }

  tick(): number {
    return ++this.#order
  }

  setLeaders(leader: number, names: readonly string[]): void {
    const partition: PartitionImage = {
      leader,
      leaderEpoch: 0,
      partitionEpoch: 0,
      replicas: [1],
      isr: [1],
      addingReplicas: [],
      removingReplicas: [],
      leaderRecovering: false,
    }
    const changed = names.map((name): [string, TopicImage] => [
      name,
      { name, id: name.padEnd(22, 'A'), partitions: [partition, partition] },
    ])
    this.coordination.change({ topics: new Map(changed) })
  }

  setVersion(level: number): void {
    this.coordination.change({ features: new FeaturesImage(1, new Map([['transaction.version', level]])) })
  }

  freshProducerId(): bigint {
    return this.#nextProducerId++
  }

  async rule(transactionalId: string, rule: Rule): Promise<Ruling> {
    let fresh: bigint | null = null
    for (;;) {
      const ruling = await this.coordination.runtime.write(0, (shard) => shard.decide(transactionalId, rule, fresh))
      if (ruling !== NEEDS_PRODUCER_ID) return ruling
      fresh = this.freshProducerId()
    }
  }

  /** Every state that a load passes through was the state at that record before, and every step is one that may be taken. */
  #watched(shard: TransactionShard): TransactionShard {
    const replay = shard.replay.bind(shard)
    const loaded = shard.loaded.bind(shard)
    let isLoading = true
    let last = -1n
    const checked = (record: LoadedRecord, origin: RecordOrigin): void => {
      const { transactionalId } = record.key as { transactionalId: string }
      const before = shard.get(transactionalId)
      replay(record, origin)
      last = origin.offset
      const after = shard.get(transactionalId)
      const state = describe(shard)
      if (isLoading) assert.equal(state, this.#states.get(last), `a load has another state at offset ${last}`)
      this.#states.set(last, state)
      if (isLoading) return
      this.records++
      this.#last = last
      this.#checkStep(before, after!, last)
    }
    shard.replay = (record, origin) => {
      try {
        checked(record, origin)
      } catch (error) {
        // The coordinator stops when a record cannot be applied; the test is to say why.
        this.failure ??= error as Error
        throw error
      }
    }
    shard.loaded = () => {
      // Records that were not written when the process was killed are gone, and their offsets will be used again.
      for (let offset = last + 1n; offset <= this.#last; offset++) this.#states.delete(offset)
      isLoading = false
      loaded()
    }
    return shard
  }

  #checkStep(before: Transaction | null, after: Transaction, offset: bigint): void {
    const told = `offset ${offset}: ${before?.state} → ${after.state}`
    assert.ok(predecessors[after.state].includes(before?.state ?? 'unknown'), told)
    assert.ok(after.producerEpoch >= 0 && after.producerEpoch <= 0x7fff, told)
    if (before === null) return
    if (after.producerId === before.producerId) assert.ok(after.producerEpoch >= before.producerEpoch, told)
    else assert.ok(after.producerId > before.producerId && after.producerEpoch === 0, told)
    if (after.state === 'Ongoing') assert.ok(after.partitions.hasAll(before.partitions), told)
    if (isPrepared(after.state)) {
      assert.deepEqual([...after.partitions], [...before.partitions], told)
      this.#prepared.set(after.producerId, this.tick())
    }
    if (isPrepared(before.state)) this.#checkMarkers(before, told)
  }

  /** A transaction is complete only when each partition has the marker of its outcome, and none of the other. */
  #checkMarkers(prepared: Transaction, told: string): void {
    this.completions++
    const since = this.#prepared.get(prepared.producerId)!
    const result = prepared.state === 'PrepareCommit' ? 'COMMIT' : 'ABORT'
    for (const one of prepared.partitions) {
      const markers = this.leaders
        .of(one)
        .filter(({ producerId, order }) => producerId === prepared.producerId && order > since)
      if (this.coordination.image.partition(one.topic, one.partition) === undefined) continue
      assert.ok(markers.length > 0, `${told}: ${one.topic}-${one.partition} has no marker`)
      for (const marker of markers)
        assert.deepEqual([marker.result, marker.producerEpoch], [result, prepared.producerEpoch], told)
    }
  }
}

function describe(shard: TransactionShard): string {
  // The last epoch is not in the log.
  const all = Array.from(shard.transactions, ({ partitions, ...rest }) => ({
    ...rest,
    lastProducerEpoch: null,
    partitions: [...partitions],
  }))
  return JSON.stringify(all, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
}

/** Who was given which identity. */
const given = (owners: Map<string, Map<string, number>>, transactionalId: string) => {
  const own = owners.get(transactionalId) ?? new Map<string, number>()
  owners.set(transactionalId, own)
  return own
}

/** What the coordinator tells to come again for, or to look for it elsewhere. */
const passing = new Set<number>([
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
])
const fencing = new Set<number>([ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_ID_MAPPING])

/** One client process: it does what it likes with the identity it has, and loses answers. */
class Producer {
  readonly #world: World
  readonly #number: number
  readonly #transactionalId: string
  readonly #clientVersion: number
  readonly #owners: Map<string, Map<string, number>>
  #identity: ProducerIdentity | null = null
  answers = new Map<string, number>()

  constructor(world: World, number: number, owners: Map<string, Map<string, number>>) {
    this.#world = world
    this.#number = number
    this.#transactionalId = transactionalIds[number % transactionalIds.length]!
    this.#clientVersion = number % 4 < 2 ? 2 : 0
    this.#owners = owners
  }

  async act(): Promise<void> {
    const { random, clock } = this.#world
    await clock.sleep(random.integer(40))
    try {
      if (this.#identity === null || random.integer(12) === 0) await this.#init()
      else if (random.integer(3) > 0) await this.#add(this.#identity)
      else await this.#end(this.#identity)
    } catch (error) {
      if (!(error instanceof KafkaError && passing.has(error.code))) throw error
      this.#count(error.code)
    }
  }

  async #init(): Promise<void> {
    const { random } = this.#world
    const expected = random.integer(2) === 0 ? this.#identity : null
    const { errorCode, transaction } = await this.#ask((current, context) =>
      initProducerId(current, { transactionalId: this.#transactionalId, timeoutMs: 300, expected }, context),
    )
    if (errorCode === ErrorCode.NONE) this.#take(transaction!)
    else if (fencing.has(errorCode)) this.#identity = null
  }

  async #add(identity: ProducerIdentity): Promise<void> {
    const { random } = this.#world
    const partitions = Array.from({ length: 1 + random.integer(2) }, () => ({
      topic: topics[random.integer(topics.length)]!,
      partition: random.integer(2),
    }))
    const wasFenced = this.#isFenced(identity)
    const { errorCode } = await this.#ask((current, { nowMs }) =>
      addPartitions(current, { ...identity, partitions, clientVersion: this.#clientVersion }, nowMs),
    )
    this.#afterUse(errorCode, wasFenced)
  }

  async #end(identity: ProducerIdentity): Promise<void> {
    const { random } = this.#world
    const result = random.integer(2) === 0 ? 'COMMIT' : 'ABORT'
    const wasFenced = this.#isFenced(identity)
    const { errorCode, transaction } = await this.#ask((current, context) =>
      endTransaction(current, { ...identity, result, clientVersion: this.#clientVersion }, context),
    )
    this.#afterUse(errorCode, wasFenced)
    if (errorCode !== ErrorCode.NONE || this.#clientVersion < 2 || transaction === null) return
    if (isPrepared(transaction.state) && transaction.nextProducerId !== -1n)
      this.#take({ producerId: transaction.nextProducerId, producerEpoch: 0 })
    else this.#take(transaction)
  }

  async #ask(rule: Rule): Promise<Ruling> {
    const ruling = await this.#world.rule(this.#transactionalId, rule)
    this.#count(ruling.errorCode)
    return ruling
  }

  /** An identity is one producer's. */
  #take({ producerId, producerEpoch }: ProducerIdentity): void {
    const own = given(this.#owners, this.#transactionalId)
    const key = `${producerId}/${producerEpoch}`
    const owner = own.get(key)
    assert.ok(
      owner === undefined || owner === this.#number,
      `producer ${this.#number} was given ${key}, which producer ${owner} has`,
    )
    own.set(key, this.#number)
    // Now and then the answer is lost on the way.
    if (this.#world.random.integer(8) > 0) this.#identity = { producerId, producerEpoch }
  }

  /** Somebody was given a later identity already. */
  #isFenced({ producerId, producerEpoch }: ProducerIdentity): boolean {
    return given(this.#owners, this.#transactionalId)
      .entries()
      .some(([key, owner]) => {
        const [id, epoch] = key.split('/')
        const isLater = BigInt(id!) > producerId || (BigInt(id!) === producerId && Number(epoch) > producerEpoch)
        return isLater && owner !== this.#number
      })
  }

  #afterUse(errorCode: number, wasFenced: boolean): void {
    if (wasFenced) assert.notEqual(errorCode, ErrorCode.NONE, 'a fenced producer was let through')
    if (fencing.has(errorCode)) this.#identity = null
  }

  #count(errorCode: number): void {
    const name = errorName(errorCode)
    this.answers.set(name, (this.answers.get(name) ?? 0) + 1)
  }
}

const only = process.env['MILLRACE_SEED']
const seeds = only === undefined ? Array.from({ length: 12 }, (_, at) => at + 1) : [Number(only)]

for (const seed of seeds)
  test(`seed ${seed}: nothing is torn, nobody is let through who is fenced, and a load knows what was known`, async () => {
    const world = new World(seed)
    const { coordination, random, leaders } = world
    await coordination.start()
    world.setVersion(seed % 3 === 0 ? 1 : 2)
    world.setLeaders(1, topics)
    leaders.isUnwilling = true
    const owners = new Map<string, Map<string, number>>()
    const producers = Array.from({ length: 6 }, (_, number) => new Producer(world, number, owners))
    let isOver = false
    const acting = producers.map(async (producer) => {
      while (!isOver) await producer.act()
    })
    for (let round = 0; round < 40; round++) {
      await coordination.sim.time.advance(50 + random.integer(150))
      if (world.failure !== null) throw world.failure
      switch (random.integer(8)) {
        case 0: {
          const leaderless = [topics[random.integer(2)]!]
          world.setLeaders(-1, leaderless)
          await coordination.sim.time.advance(random.integer(500))
          world.setLeaders(1, leaderless)
          break
        }
        case 2:
          // Too few replicas are in sync: appends are refused.
          coordination.changePartition({ isr: [] })
          await coordination.sim.time.advance(random.integer(100))
          coordination.changePartition({ isr: [1] })
          break
        case 3:
          world.life++
          coordination.crash()
          await coordination.start()
          coordination.changePartition({ leaderEpoch: world.life })
          break
        case 4:
          world.setVersion(1 + random.integer(2))
          break
        case 5:
          if (round > 25 && coordination.image.topics.has('deleted'))
            coordination.change({ topics: new Map([['deleted', null]]) })
          break
        default:
          await abortWhatIsOpen(world)
      }
    }
    isOver = true
    leaders.isUnwilling = false
    world.setLeaders(1, ['a', 'b'])
    await coordination.sim.time.advance(1000)
    await coordination.run(Promise.all(acting))
    await coordination.sim.time.advance(10_000)
    if (world.failure !== null) throw world.failure
    for (const { transactionalId, state } of coordination.shard.transactions)
      assert.ok(isIdle(state) || state === 'Ongoing', `${transactionalId} is ${state} when all is well again`)
    const answers = new Set(producers.flatMap((producer) => [...producer.answers.keys()]))
    assert.ok(
      world.records > 100 && world.completions > 20,
      `only ${world.records} records, ${world.completions} completions`,
    )
    assert.ok(answers.has('PRODUCER_FENCED') && answers.has('CONCURRENT_TRANSACTIONS'), [...answers].join())
    await coordination.stop()
  })

/** As the coordinator does when their time is up. */
async function abortWhatIsOpen(world: World): Promise<void> {
  for (const transactionalId of transactionalIds) {
    const aborted = world.rule(transactionalId, (current, context) => {
      if (current?.state !== 'Ongoing') return refuse(ErrorCode.INVALID_TXN_STATE)
      const fenced = fence(current, context)
      return fenced === NEEDS_PRODUCER_ID ? fenced : become(fenced)
    })
    await world.coordination.run(aborted.catch(() => null))
  }
}
