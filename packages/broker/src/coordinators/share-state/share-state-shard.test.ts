import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ErrorCode,
  KafkaError,
  shareGroupStateRecords,
  ShareSnapshotRecord,
  ShareUpdateRecord,
} from '@millrace/protocol'
import { SeededRandom } from '@millrace/runtime/testing'
import type { PersistedBatch, PersistedState, StateWrite } from '../../sharing/persister.ts'
import type { RecordOrigin, ShardContext } from '../runtime/coordinator-shard.ts'
import type { LoadedRecord } from '../runtime/replayers.ts'
import { CoordinatorWorld } from '../runtime/testing/coordinator-world.ts'
import type { SharePartitionKey } from '../share-partition-key.ts'
import { ShareStateShard } from './share-state-shard.ts'

/** The one topic there is. */
const topicId = 'dGVzdHRlc3R0ZXN0dGVzdA'
const updatesPerSnapshot = 3
const coldSnapshotIntervalMs = 10_000
const settings = { updatesPerSnapshot: () => updatesPerSnapshot, coldSnapshotIntervalMs: () => coldSnapshotIntervalMs }

/** Remembers what it was made of. */
class Recorded extends ShareStateShard {
  readonly context: ShardContext
  readonly replayed: { readonly record: LoadedRecord; readonly origin: RecordOrigin }[] = []

  constructor(context: ShardContext) {
    super(context, settings)
    this.context = context
  }

  override replay(record: LoadedRecord, origin: RecordOrigin): void {
    this.replayed.push({ record, origin })
    super.replay(record, origin)
  }
}

async function started(seed = 1): Promise<CoordinatorWorld<Recorded>> {
  const world = new CoordinatorWorld({
    seed,
    types: shareGroupStateRecords,
    makeShard: (context) => new Recorded(context),
  })
  await world.start()
  await world.sim.time.advance(100)
  return world
}

function keyOf(groupId: string): SharePartitionKey {
  return { groupId, topicId, partition: 0 }
}

function batch(first: number, last: number, deliveryState = 2, deliveryCount = 1): PersistedBatch {
  return { firstOffset: BigInt(first), lastOffset: BigInt(last), deliveryState, deliveryCount }
}

function write(startOffset: number, batches: PersistedBatch[], others: Partial<StateWrite> = {}): StateWrite {
  return {
    stateEpoch: 0,
    leaderEpoch: 0,
    startOffset: BigInt(startOffset),
    deliveryCompleteCount: 0,
    batches,
    ...others,
  }
}

const start = { stateEpoch: 0, startOffset: 0n }

class Client {
  readonly world: CoordinatorWorld<Recorded>

  constructor(world: CoordinatorWorld<Recorded>) {
    this.world = world
  }

  initialize(groupId: string, from = start): Promise<void> {
    return this.world.run(this.world.runtime.write(0, (shard) => shard.initialize(keyOf(groupId), from)))
  }

  write(groupId: string, what: StateWrite): Promise<void> {
    return this.world.run(this.world.runtime.write(0, (shard) => shard.write(keyOf(groupId), what)))
  }

  read(groupId: string, leaderEpoch = -1): Promise<PersistedState> {
    return this.world.run(this.world.runtime.write(0, (shard) => shard.read(keyOf(groupId), leaderEpoch)))
  }

  delete(groupId: string): Promise<void> {
    return this.world.run(this.world.runtime.write(0, (shard) => shard.delete(keyOf(groupId))))
  }
}

const fails = (promise: Promise<unknown>, code: number): Promise<void> =>
  assert.rejects(promise, (error) => error instanceof KafkaError && error.code === code)

test('what was never initialized can be neither read nor written', async () => {
  const client = new Client(await started())
  await fails(client.read('g'), ErrorCode.INVALID_REQUEST)
  await fails(client.write('g', write(0, [])), ErrorCode.INVALID_REQUEST)
  await client.delete('g')
  assert.deepEqual(await client.world.run(client.world.runtime.read(0, (shard) => shard.summary(keyOf('g')))), {
    stateEpoch: 0,
    leaderEpoch: 0,
    startOffset: -1n,
    deliveryCompleteCount: -1,
  })
})

test('a read by a newer leader fences the older, which may neither read nor write', async () => {
  const client = new Client(await started())
  await client.initialize('g')
  await client.read('g', 5)
  await fails(client.read('g', 4), ErrorCode.FENCED_LEADER_EPOCH)
  await fails(client.write('g', write(0, [], { leaderEpoch: 4 })), ErrorCode.FENCED_LEADER_EPOCH)
  await client.write('g', write(1, [], { leaderEpoch: 5 }))
})

test('the first leader of a partition has nothing to write when it reads what was initialized, the next has', async () => {
  const world = await started()
  const client = new Client(world)
  await client.initialize('g')
  const { replayed } = world.shard
  assert.equal((replayed[0]!.record.value as { leaderEpoch: number }).leaderEpoch, 0)
  await client.read('g', 0)
  assert.equal(replayed.length, 1)
  await client.read('g', 1)
  assert.equal(replayed.length, 2)
  await world.stop()
})

test('to initialize anew forgets what was, and fences who speaks of it', async () => {
  const client = new Client(await started())
  await client.initialize('g')
  await client.write('g', write(2, [batch(4, 5)]))
  await client.initialize('g', { stateEpoch: 1, startOffset: 1n })
  assert.deepEqual(await client.read('g'), { stateEpoch: 1, startOffset: 1n, batches: [] })
  await fails(client.write('g', write(3, [])), ErrorCode.FENCED_STATE_EPOCH)
  await fails(client.initialize('g', { stateEpoch: 0, startOffset: 0n }), ErrorCode.FENCED_STATE_EPOCH)
})

test('a topic or partition that does not exist is refused', async () => {
  const { world } = new Client(await started())
  for (const key of [
    { groupId: 'g', topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partition: 0 },
    { groupId: 'g', topicId, partition: 1 },
  ])
    await fails(
      world.run(world.runtime.write(0, (shard) => shard.initialize(key, start))),
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    )
  await fails(
    world.run(world.runtime.write(0, (shard) => shard.initialize({ groupId: 'g', topicId, partition: -1 }, start))),
    ErrorCode.INVALID_REQUEST,
  )
})

test('a snapshot follows as many updates as the setting says', async () => {
  const client = new Client(await started())
  await client.initialize('g')
  for (let offset = 0; offset < 8; offset++) await client.write('g', write(0, [batch(offset * 2, offset * 2)]))
  const types = client.world.shard.replayed.map(({ record }) => (record.type.id === ShareSnapshotRecord.id ? 'S' : 'u'))
  assert.equal(types.join(''), 'SuuuSuuuS')
  assert.equal(client.world.shard.replayed.filter(({ record }) => record.type.id === ShareUpdateRecord.id).length, 6)
})

test('what has been quiet for long gets a snapshot, so that nothing before it is needed', async () => {
  const client = new Client(await started())
  await client.initialize('quiet')
  await client.initialize('busy')
  for (let n = 0; n < 4; n++) await client.write('busy', write(n, []))
  const { shard } = client.world
  assert.equal(shard.neededFrom, 0n)
  await client.world.sim.time.advance(2 * coldSnapshotIntervalMs + 100)
  assert.ok(shard.neededFrom > 0n, 'the snapshot of the quiet one is new')
})

test('a restart, and one from the first record that is needed, give the same state', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new SeededRandom(seed)
    const client = new Client(await started(seed))
    const groups = ['a', 'b', 'c']
    for (let n = 0; n < 40; n++) {
      const group = groups[random.integer(groups.length)]!
      const first = random.integer(30)
      const what = write(random.integer(10), [
        batch(first, first + random.integer(6), 2 * random.integer(2), 1 + random.integer(4)),
      ])
      const dice = random.integer(20)
      if (dice < 2) await client.initialize(group, { stateEpoch: -1, startOffset: BigInt(random.integer(4)) })
      else if (dice < 3) await client.delete(group)
      else if (dice < 4) await client.read(group, 0).catch(() => {})
      else await client.write(group, what).catch(() => {})
    }
    const states = async (): Promise<unknown[]> =>
      Promise.all(groups.map((group) => client.read(group).catch((error: KafkaError) => error.code)))
    const before = await states()
    const { shard } = client.world
    const pruned = new ShareStateShard(shard.context, settings)
    for (const { record, origin } of shard.replayed)
      if (origin.offset >= shard.neededFrom) pruned.replay(record, origin)
    assert.deepEqual(
      groups.map((group) => {
        try {
          return pruned.read(keyOf(group), -1).response
        } catch (error) {
          return (error as KafkaError).code
        }
      }),
      before,
      `pruned, with seed ${seed}`,
    )
    client.world.crash()
    await client.world.start()
    await client.world.sim.time.advance(100)
    assert.deepEqual(await states(), before, `with seed ${seed}`)
  }
})
