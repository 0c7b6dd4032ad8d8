/** Coordinators in a whole broker when the world fails them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BrokerConnection } from '@millrace/network'
import {
  DescribeLogDirs,
  ErrorCode,
  errorName,
  FindCoordinator,
  Heartbeat,
  JoinGroup,
  ListGroups,
  OffsetCommit,
  OffsetFetch,
  Produce,
  RecordBatchBuilder,
} from '@millrace/protocol'
import { partitionForKey } from './coordinators/runtime/partition-for-key.ts'
import { SimulatedBroker } from './testing/simulated-broker.ts'

const offsetsTopic = '__consumer_offsets'
const configs = {
  'offsets.topic.num.partitions': 4,
  'offsets.topic.replication.factor': 1,
  'group.initial.rebalance.delay.ms': 0,
}

class World extends SimulatedBroker {
  client!: BrokerConnection

  /** Started, with a client, and every coordinator loaded. */
  async begin(): Promise<void> {
    await this.start()
    this.client = await this.run(this.connect())
    for (;;) {
      const asked = this.client.send(FindCoordinator, { keyType: 0, coordinatorKeys: ['g'] }, { version: 4 })
      const { coordinators } = await this.run(asked)
      if (coordinators[0]!.errorCode === ErrorCode.NONE) break
      await this.sim.time.advance(100)
    }
    await this.sim.time.advance(1000)
  }

  async commit(groupId: string, committedOffset: bigint): Promise<string> {
    const partitions = [{ partitionIndex: 0, committedOffset, committedLeaderEpoch: -1, committedMetadata: '' }]
    const { topics } = await this.run(
      this.client.send(
        OffsetCommit,
        { groupId, generationIdOrMemberEpoch: -1, memberId: '', topics: [{ name: 't', partitions }] },
        { version: 8 },
      ),
    )
    return errorName(topics[0]!.partitions[0]!.errorCode)
  }

  async committed(groupId: string): Promise<string | bigint | undefined> {
    const asked = this.client.send(OffsetFetch, { groups: [{ groupId, topics: null }] }, { version: 8 })
    const [group] = (await this.run(asked)).groups
    if (group!.errorCode !== ErrorCode.NONE) return errorName(group!.errorCode)
    return group!.topics[0]?.partitions[0]?.committedOffset
  }

  join(client: BrokerConnection, groupId: string) {
    const protocols = [{ name: 'range', metadata: new Uint8Array(2) }]
    return client.send(
      JoinGroup,
      {
        groupId,
        sessionTimeoutMs: 30_000,
        rebalanceTimeoutMs: 300_000,
        memberId: '',
        protocolType: 'consumer',
        protocols,
      },
      { version: 3 },
    )
  }
}

test('the groups of a log directory that fails are refused at once, also who waits, until the broker starts again', async () => {
  const world = new World(21, configs)
  await world.begin()
  await world.createTopic('t', 2)
  const { results } = await world.run(world.client.send(DescribeLogDirs, { topics: null }))
  const isIn = (directory: string, topic: string, partition: number): boolean =>
    results.some(
      ({ logDir, topics }) =>
        logDir === directory &&
        topics.some(
          ({ name, partitions }) =>
            name === topic && partitions.some(({ partitionIndex }) => partitionIndex === partition),
        ),
    )
  const groups = Array.from({ length: 20 }, (_, at) => `group-${at}`)
  const [lost, kept] = ['/b', '/a'].map((directory) =>
    groups.filter((id) => isIn(directory, offsetsTopic, partitionForKey(id, 4))),
  ) as [string[], string[]]
  assert.ok(lost.length > 2 && kept.length > 2)
  for (const id of groups) assert.equal(await world.commit(id, 7n), 'NONE')
  const [first, second] = await world.run(Promise.all([world.connect(), world.connect()]))
  const joined = await world.run(world.join(first, lost[0]!))
  assert.equal(errorName(joined.errorCode), 'NONE')
  const waiting = world.join(second, lost[0]!)
  await world.sim.time.advance(100)

  // Nothing is being written to the offsets topic when its directory fails.
  using fault = world.host.disk.fail({
    operation: 'write',
    path: (path) => path.startsWith('/b/'),
    code: 'ENOSPC',
  })
  const other = [0, 1].find((partition) => isIn('/b', 't', partition))!
  const builder = new RecordBatchBuilder({})
  builder.append({ timestamp: 1n, value: new Uint8Array(1) })
  const topicData = [{ name: 't', partitionData: [{ index: other, records: builder.build() }] }]
  await world.run(world.client.send(Produce, { acks: -1, timeoutMs: 1000, topicData }, { version: 9 }))

  const before = world.sim.time.nowMs
  assert.equal(errorName((await world.run(waiting)).errorCode), 'NOT_COORDINATOR')
  assert.ok(world.sim.time.nowMs - before < 1000, 'the member goes on waiting')
  const { generationId, memberId } = joined
  const beat = await world.run(first.send(Heartbeat, { groupId: lost[0]!, generationId, memberId }, { version: 3 }))
  assert.equal(errorName(beat.errorCode), 'NOT_COORDINATOR')
  for (const id of lost) {
    assert.equal(await world.commit(id, 8n), 'NOT_COORDINATOR')
    assert.equal(await world.committed(id), 'NOT_COORDINATOR')
  }
  for (const id of kept) {
    assert.equal(await world.commit(id, 8n), 'NONE')
    assert.equal(await world.committed(id), 8n)
  }
  const listed = await world.run(world.client.send(ListGroups, {}))
  assert.deepEqual(listed.groups.map(({ groupId }) => groupId).sort(), [...kept].sort())

  await world.stop()
  fault[Symbol.dispose]()
  await world.begin()
  for (const id of lost) assert.equal(await world.committed(id), 7n)
  for (const id of kept) assert.equal(await world.committed(id), 8n)
  await world.stop()
})
