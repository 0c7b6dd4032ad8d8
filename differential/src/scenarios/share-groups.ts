/** Share groups (KIP-932): members, sessions, acquired records and what is said of them, offsets. */
import {
  AlterShareGroupOffsets,
  DeleteGroups,
  DeleteShareGroupOffsets,
  DescribeGroups,
  DescribeShareGroupOffsets,
  IncrementalAlterConfigs,
  JoinGroup,
  ListGroups,
  OffsetCommit,
  OffsetFetch,
  ShareAcknowledge,
  ShareFetch,
  ShareGroupDescribe,
  ShareGroupHeartbeat,
  type RequestInput,
  type Response,
} from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import type { Topic, World } from '../world.ts'
import { joinRequest, stableGroup } from './classic-groups.ts'
import { beat as consumerBeat, join as joinConsumers } from './consumer-members.ts'
import { commitRequest, fetchRequest } from './offsets.ts'
import { endTransaction, openProducer, produce, produceIn, untilEnded } from './transactions.ts'

const needs = [ShareGroupHeartbeat, ShareGroupDescribe, ShareFetch, ShareAcknowledge]
const groupResource = 32
const unknownId = 'AAECAwQFBgcICQoLDA0ODw'

/** What is there is given by then. */
const noDataMs = 100
/** By then the first to read a share partition has its state. */
const firstDataMs = 3000

type Beat = Partial<RequestInput<typeof ShareGroupHeartbeat>>

export async function beat(world: World, groupId: string, request: Beat) {
  const client = await world.client(`of ${request.memberId ?? 'm1'}`)
  return client.ask(ShareGroupHeartbeat, 1, { groupId, memberId: 'm1', memberEpoch: 0, ...request })
}

/** Until the topics are known to the share coordinator, and so assigned. */
export async function join(world: World, groupId: string, memberId: string, topics: readonly Topic[]) {
  const joined = await beat(world, groupId, { memberId, subscribedTopicNames: topics.map(({ name }) => name) })
  if (joined.errorCode !== 0 || joined.assignment?.topicPartitions.length === topics.length) return joined
  const client = await world.client(`of ${memberId}`)
  return client.askUntil(
    ShareGroupHeartbeat,
    1,
    { groupId, memberId, memberEpoch: joined.memberEpoch },
    ({ assignment, errorCode }) => errorCode !== 0 || (assignment?.topicPartitions.length ?? 0) === topics.length,
    3000,
  )
}

export async function show(world: World, ...groupIds: string[]): Promise<void> {
  const client = await world.client('looker')
  await client.ask(ShareGroupDescribe, 1, { groupIds, includeAuthorizedOperations: true })
}

export async function showOffsets(world: World, groupId: string, topic: Topic, partitions = [0]): Promise<void> {
  const client = await world.client('looker')
  for (const version of world.versions(DescribeShareGroupOffsets)) {
    await client.ask(DescribeShareGroupOffsets, version, {
      groups: [{ groupId, topics: [{ topicName: topic.name, partitions }] }],
    })
    await client.ask(DescribeShareGroupOffsets, version, { groups: [{ groupId, topics: null }] })
  }
}

interface Acknowledged {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  readonly acknowledgeTypes: number[]
}

export async function earliest(world: World, groupId: string): Promise<void> {
  const client = await world.client('setter')
  await client.ask(IncrementalAlterConfigs, 1, {
    resources: [
      {
        resourceType: groupResource,
        resourceName: groupId,
        configs: [{ name: 'share.auto.offset.reset', value: 'earliest', configOperation: 0 }],
      },
    ],
    validateOnly: false,
  })
}

export type Fetched = Response<typeof ShareFetch>

/** A member that reads, on a connection of its own. */
export class Sharer {
  readonly #world: World
  readonly #groupId: string
  readonly #memberId: string
  readonly #topic: Topic
  readonly #opensAfterMs: number
  epoch = 0

  /** `opensAfterMs`: how long it waits at most in its first request. */
  constructor(world: World, groupId: string, memberId: string, topic: Topic, opensAfterMs = noDataMs) {
    this.#opensAfterMs = opensAfterMs
    this.#world = world
    this.#groupId = groupId
    this.#memberId = memberId
    this.#topic = topic
  }

  async fetch(
    acknowledged: readonly Acknowledged[] = [],
    more: Partial<RequestInput<typeof ShareFetch>> & { version?: number; partition?: number } = {},
  ): Promise<Fetched> {
    const { version = 2, partition = 0, ...rest } = more
    const client = await this.#world.client(`of ${this.#memberId}`)
    const answer = await client.ask(ShareFetch, version, {
      groupId: this.#groupId,
      memberId: this.#memberId,
      shareSessionEpoch: this.epoch,
      maxWaitMs: this.epoch === 0 ? this.#opensAfterMs : noDataMs,
      minBytes: 1,
      maxBytes: 1_000_000,
      maxRecords: 100,
      batchSize: 100,
      shareAcquireMode: 0,
      isRenewAck: false,
      topics: [
        {
          topicId: this.#topic.id,
          partitions: [{ partitionIndex: partition, acknowledgementBatches: acknowledged }],
        },
      ],
      forgottenTopicsData: [],
      ...rest,
    })
    if (answer.errorCode === 0 && rest.shareSessionEpoch === undefined) this.epoch++
    return answer
  }

  async acknowledge(
    acknowledged: readonly Acknowledged[],
    more: Partial<RequestInput<typeof ShareAcknowledge>> & { version?: number; partition?: number } = {},
  ) {
    const { version = 2, partition = 0, ...rest } = more
    const client = await this.#world.client(`of ${this.#memberId}`)
    const answer = await client.ask(ShareAcknowledge, version, {
      groupId: this.#groupId,
      memberId: this.#memberId,
      shareSessionEpoch: this.epoch,
      isRenewAck: false,
      topics: [
        {
          topicId: this.#topic.id,
          partitions: [{ partitionIndex: partition, acknowledgementBatches: acknowledged }],
        },
      ],
      ...rest,
    })
    if (answer.errorCode === 0 && rest.shareSessionEpoch === undefined) this.epoch++
    return answer
  }
}

const range = (firstOffset: bigint, lastOffset: bigint, ...acknowledgeTypes: number[]): Acknowledged => ({
  firstOffset,
  lastOffset,
  acknowledgeTypes,
})

async function write(world: World, topic: Topic, ...batches: number[]): Promise<void> {
  const client = await world.client('writer')
  for (const count of batches)
    await produce(client, { topic, values: Array.from({ length: count }, (_, index) => `v${index}`) })
}

/**
 * Offsets that an administrator sets make a group whose partitions are ready: members are assigned them as they join, on both brokers. Else
 * Kafka does so with their next heartbeat, and an epoch later.
 */
export async function prepareGroup(world: World, groupId: string, topic: Topic, partitions = 1): Promise<void> {
  const client = await world.client('setter')
  await client.ask(AlterShareGroupOffsets, 0, {
    groupId,
    topics: [
      {
        topicName: topic.name,
        partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, startOffset: 0n })),
      },
    ],
  })
}

/** A group that reads from the start, with members that have their assignment. */
export async function readyGroup(
  world: World,
  groupId: string,
  topic: Topic,
  ...memberIds: string[]
): Promise<Sharer[]> {
  await earliest(world, groupId)
  await prepareGroup(world, groupId, topic)
  for (const memberId of memberIds) await join(world, groupId, memberId, [topic])
  return memberIds.map(
    (memberId, index) => new Sharer(world, groupId, memberId, topic, index === 0 ? firstDataMs : noDataMs),
  )
}

export const shareGroups: readonly Scenario[] = [
  {
    name: 'members of a share group join, beat, leave',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 1)
      const groupId = world.name('group')
      await prepareGroup(world, groupId, topic)
      await show(world, groupId)
      const m1 = await join(world, groupId, 'm1', [topic])
      await show(world, groupId)
      await beat(world, groupId, { memberEpoch: m1.memberEpoch })
      const m2 = await join(world, groupId, 'm2', [topic])
      await show(world, groupId)
      await beat(world, groupId, { memberId: 'm1', memberEpoch: m1.memberEpoch })
      await beat(world, groupId, { memberId: 'm1', memberEpoch: m1.memberEpoch })
      await beat(world, groupId, { memberId: 'm1', memberEpoch: m1.memberEpoch + 9 })
      await beat(world, groupId, { memberId: 'unknown', memberEpoch: 3 })
      await beat(world, groupId, { memberId: 'unknown', memberEpoch: -1 })
      await beat(world, groupId, { memberId: 'm2', memberEpoch: m2.memberEpoch, rackId: 'r1' })
      await beat(world, groupId, { memberId: 'm2', memberEpoch: m2.memberEpoch, subscribedTopicNames: [] })
      await show(world, groupId)
      await beat(world, groupId, { memberId: 'm1', memberEpoch: 0, subscribedTopicNames: [topic.name] })
      await beat(world, groupId, { memberId: 'm2', memberEpoch: -1 })
      await show(world, groupId)
      await beat(world, groupId, { memberId: 'm1', memberEpoch: -1 })
      await beat(world, groupId, { memberId: 'm1', memberEpoch: -1 })
      await show(world, groupId, world.name('missing'), '')
    },
  },
  {
    name: 'partitions of a share group are made ready while its first member joins',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 3)
      await join(world, world.name('group'), 'm1', [topic])
    },
  },
  {
    name: 'share heartbeats that break a rule',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 3)
      const groupId = world.name('group')
      const good = { subscribedTopicNames: [topic.name] }
      await beat(world, groupId, { ...good, groupId: '' })
      await beat(world, groupId, { ...good, groupId: '  ' })
      await beat(world, groupId, { ...good, memberId: '' })
      await beat(world, groupId, { ...good, memberId: 'x'.repeat(37) })
      await beat(world, groupId, { ...good, memberEpoch: -2 })
      await beat(world, groupId, { ...good, memberEpoch: -1 })
      await beat(world, groupId, { ...good, memberEpoch: 1 })
      await beat(world, groupId, { ...good, subscribedTopicNames: null })
      await beat(world, groupId, { ...good, subscribedTopicNames: [] })
      await beat(world, groupId, { ...good, rackId: '' })
      await beat(world, groupId, { ...good, memberId: 'm2', subscribedTopicNames: [world.name('missing')] })
      await show(world, groupId)
    },
  },
  {
    name: 'groups of other types under the id of a share group, and the other way about',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 1)
      const share = world.name('share')
      const classic = world.name('classic')
      const consumer = world.name('consumer')
      await prepareGroup(world, share, topic)
      await join(world, share, 'm1', [topic])
      await stableGroup(world, classic)
      await joinConsumers(world, consumer, 'm1', [topic])
      const client = await world.client('looker')
      await joinConsumers(world, share, 'm2', [topic])
      await consumerBeat(world, share, { memberId: 'm1', memberEpoch: 2 })
      for (const version of world.versions(JoinGroup))
        await client.ask(JoinGroup, version, joinRequest({ groupId: share }))
      await beat(world, classic, { subscribedTopicNames: [topic.name] })
      await beat(world, consumer, { subscribedTopicNames: [topic.name] })
      await show(world, classic, consumer, share)
      for (const version of world.versions(DescribeGroups))
        await client.ask(DescribeGroups, version, { groups: [share], includeAuthorizedOperations: false })
      for (const version of world.versions(ListGroups))
        for (const typesFilter of [[], ['share'], ['consumer', 'SHARE']])
          await client.ask(ListGroups, version, { statesFilter: [], typesFilter })
      for (const version of world.versions(OffsetCommit))
        await client.ask(
          OffsetCommit,
          version,
          commitRequest({ groupId: share, memberId: '', generationIdOrMemberEpoch: -1 }, topic, { 0: 1n }),
        )
      for (const version of world.versions(OffsetFetch, 2))
        await client.ask(OffsetFetch, version, fetchRequest(share, null))
      await client.ask(DeleteGroups, 2, { groupsNames: [share] })
      await beat(world, share, { memberEpoch: -1 })
      await client.ask(DeleteGroups, 2, { groupsNames: [share] })
      await show(world, share)
    },
  },
  {
    name: 'records are acquired, accepted, released, rejected, and delivered again',
    needs,
    async run(world) {
      for (const version of world.versions(ShareFetch)) {
        const topic = await world.topic(`topic-v${version}`, 1)
        const groupId = world.name(`v${version}`)
        await write(world, topic, 3, 1, 2)
        const [one, two] = (await readyGroup(world, groupId, topic, 'm1', 'm2')) as [Sharer, Sharer]
        await one.fetch([], { version })
        await one.fetch([], { version })
        await two.fetch([], { version })
        await one.acknowledge([range(0n, 0n, 1), range(1n, 1n, 2), range(2n, 2n, 3)], { version })
        await showOffsets(world, groupId, topic)
        await two.fetch([], { version })
        await two.fetch([range(1n, 1n, 2)], { version })
        await one.acknowledge([range(3n, 5n, 1, 2, 1)], { version })
        await one.fetch([], { version })
        await two.fetch([], { version })
        await showOffsets(world, groupId, topic)
        await one.acknowledge([range(1n, 1n, 1)], { version })
        await two.acknowledge([range(1n, 1n, 1)], { version })
        await two.fetch([range(4n, 4n, 1)], { version })
        await one.fetch([range(4n, 4n, 1)], { version })
        await showOffsets(world, groupId, topic)
      }
    },
  },
  {
    name: 'acknowledgements that may not be',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 1)
      const groupId = world.name('group')
      await write(world, topic, 3, 3)
      const [one, two] = (await readyGroup(world, groupId, topic, 'm1', 'm2')) as [Sharer, Sharer]
      await two.fetch([], { maxRecords: 1, shareAcquireMode: 1, maxWaitMs: firstDataMs })
      await one.fetch()
      for (const version of world.versions(ShareAcknowledge)) {
        await one.acknowledge([range(0n, 0n, 1)], { version })
        await one.acknowledge([range(2n, 1n, 1)], { version })
        await one.acknowledge([range(50n, 60n, 1)], { version })
        await one.acknowledge([range(-1n, 2n, 1)], { version })
        await one.acknowledge([range(1n, 2n, 1, 1, 1)], { version })
        await one.acknowledge([range(1n, 2n)], { version })
        await one.acknowledge([range(1n, 2n, 9)], { version })
        await one.acknowledge([range(1n, 2n, -1)], { version })
        await one.acknowledge([range(1n, 2n, 4)], { version })
        await one.acknowledge([range(1n, 2n, 0)], { version, isRenewAck: false })
        await one.acknowledge([range(3n, 3n, 1), range(3n, 3n, 1)], { version })
        await one.acknowledge([range(4n, 4n, 1), range(3n, 3n, 1)], { version })
        await one.acknowledge([], { version })
        await one.acknowledge([], { version, topics: [] })
        await one.acknowledge([range(1n, 1n, 1)], { version, partition: 9 })
        await one.acknowledge([], {
          version,
          topics: [
            { topicId: unknownId, partitions: [{ partitionIndex: 0, acknowledgementBatches: [range(1n, 1n, 1)] }] },
          ],
        })
        await one.acknowledge([range(1n, 1n, 1)], { version, shareSessionEpoch: 0 })
        await one.acknowledge([range(1n, 1n, 1)], { version, shareSessionEpoch: 99 })
        await one.acknowledge([range(1n, 1n, 1)], { version, memberId: 'unknown' })
        await one.acknowledge([range(1n, 1n, 1)], { version, memberId: null })
        await one.acknowledge([range(1n, 1n, 1)], { version, memberId: '' })
        await one.acknowledge([range(1n, 1n, 1)], { version, groupId: world.name('missing') })
        await one.acknowledge([range(1n, 1n, 1)], { version, groupId: null })
        await one.acknowledge([range(1n, 1n, 1)], { version, groupId: '' })
      }
      await showOffsets(world, groupId, topic)
      await one.acknowledge([], { shareSessionEpoch: -1, topics: [] })
      await one.acknowledge([range(5n, 5n, 1)])
      await two.fetch()
    },
  },
  {
    name: 'share sessions: opened, continued, wrong, forgotten, closed',
    needs,
    async run(world) {
      for (const version of world.versions(ShareFetch)) {
        const topic = await world.topic(`topic-v${version}`, 2)
        const groupId = world.name(`v${version}`)
        await prepareGroup(world, groupId, topic, 2)
        await write(world, topic, 2)
        const [one] = (await readyGroup(world, groupId, topic, 'm1')) as [Sharer]
        await one.fetch([], { version, shareSessionEpoch: 1 })
        await one.fetch([range(0n, 0n, 1)], { version, shareSessionEpoch: 0 })
        await one.fetch([], { version, shareSessionEpoch: -1 })
        await one.fetch([], { version, memberId: '' })
        await one.fetch([], { version, memberId: null })
        await one.fetch([], { version, memberId: 'unknown' })
        await one.fetch([], { version, groupId: world.name('missing') })
        await one.fetch([], { version, groupId: null })
        await one.fetch([], { version, groupId: '' })
        one.epoch = 0
        await one.fetch([], { version })
        await one.fetch([], { version, shareSessionEpoch: 99 })
        await one.fetch([], { version, shareSessionEpoch: -2 })
        await one.fetch([], { version, topics: [] })
        await one.fetch([], { version, maxWaitMs: -1 })
        await one.fetch([], { version, maxRecords: 0 })
        await one.fetch([], { version, maxBytes: 0 })
        await one.fetch([], { version, topics: [], forgottenTopicsData: [{ topicId: topic.id, partitions: [0] }] })
        await write(world, topic, 1)
        await one.fetch([], { version, topics: [] })
        await one.fetch([], { version, partition: 1 })
        await one.fetch([], { version, partition: 9 })
        await one.fetch([], { version })
        await one.fetch([], { version, shareSessionEpoch: -1, topics: [] })
        await one.fetch([], { version, shareSessionEpoch: -1, topics: [] })
        one.epoch = 0
        await one.fetch([], { version })
      }
    },
  },
  {
    name: 'records are acquired by batches and by limit, and their locks renewed',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 1)
      const groupId = world.name('group')
      await write(world, topic, 5, 1, 4, 3)
      const [one, two] = (await readyGroup(world, groupId, topic, 'm1', 'm2')) as [Sharer, Sharer]
      await one.fetch([], { maxRecords: 2, batchSize: 1 })
      await two.fetch([], { maxRecords: 2, batchSize: 1, shareAcquireMode: 1 })
      await two.fetch([], { maxRecords: 3, batchSize: 2, shareAcquireMode: 1 })
      await one.fetch([], { maxRecords: 100, batchSize: 2 })
      await one.acknowledge([range(0n, 1n, 4)], { isRenewAck: true })
      await one.acknowledge([range(0n, 1n, 4)], { isRenewAck: false })
      await one.acknowledge([range(0n, 1n, 1)], { isRenewAck: true })
      await one.acknowledge([range(2n, 3n, 4, 1)], { isRenewAck: true })
      const still = { maxWaitMs: 0, minBytes: 0, maxBytes: 0, maxRecords: 0 }
      await one.fetch([range(2n, 2n, 4)], { isRenewAck: true, ...still })
      await one.fetch([range(2n, 2n, 4)], { isRenewAck: true })
      await one.fetch([range(2n, 2n, 4)], { isRenewAck: false, ...still })
      await one.acknowledge([range(40n, 41n, 4)], { isRenewAck: true })
      await showOffsets(world, groupId, topic)
    },
  },
  {
    name: 'a record that is delivered too often is archived',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 1)
      const groupId = world.name('group')
      await write(world, topic, 2, 1)
      const [one] = (await readyGroup(world, groupId, topic, 'm1')) as [Sharer]
      for (let delivery = 0; delivery < 6; delivery++) {
        await one.fetch()
        await one.acknowledge([range(0n, 2n, 2)])
      }
      await one.fetch()
      await showOffsets(world, groupId, topic)
    },
  },
  {
    name: 'share groups read transactions, committed and not',
    needs,
    async run(world) {
      for (const level of ['read_uncommitted', 'read_committed']) {
        const topic = await world.topic(level, 1)
        const groupId = world.name(`of-${level}`)
        const client = await world.client('producer')
        await earliest(world, groupId)
        await client.ask(IncrementalAlterConfigs, 1, {
          resources: [
            {
              resourceType: groupResource,
              resourceName: groupId,
              configs: [{ name: 'share.isolation.level', value: level, configOperation: 0 }],
            },
          ],
          validateOnly: false,
        })
        let one = await openProducer(client, world.name(`one-${level}`))
        await produceIn(client, one, topic)
        await produce(client, { topic, values: ['plain'] })
        const [sharer] = (await readyGroup(world, groupId, topic, 'm1')) as [Sharer]
        await sharer.fetch()
        one = await endTransaction(client, one, false)
        await untilEnded(world, one.transactionalId)
        await sharer.fetch()
        await produceIn(client, one, topic)
        one = await endTransaction(client, one, true)
        await untilEnded(world, one.transactionalId)
        await sharer.fetch()
        await sharer.fetch([range(1n, 1n, 1)])
        await showOffsets(world, groupId, topic)
      }
    },
  },
  {
    name: 'offsets of share groups are described, altered and deleted',
    needs: [...needs, AlterShareGroupOffsets, DeleteShareGroupOffsets, DescribeShareGroupOffsets],
    async run(world) {
      const topic = await world.topic('topic', 2)
      const groupId = world.name('group')
      const client = await world.client('alterer')
      const alter = (group: string, ...topics: RequestInput<typeof AlterShareGroupOffsets>['topics'][number][]) =>
        client.ask(AlterShareGroupOffsets, 0, { groupId: group, topics })
      const remove = (group: string, ...names: string[]) =>
        client.ask(DeleteShareGroupOffsets, 0, {
          groupId: group,
          topics: names.map((topicName) => ({ topicName })),
        })
      const partitions = [
        { partitionIndex: 0, startOffset: 1n },
        { partitionIndex: 9, startOffset: 1n },
      ]
      await write(world, topic, 4)
      await alter('', { topicName: topic.name, partitions })
      await alter(world.name('missing'), { topicName: topic.name, partitions })
      await remove('', topic.name)
      await remove(world.name('missing'), topic.name)
      await showOffsets(world, world.name('missing'), topic)
      await prepareGroup(world, groupId, topic, 2)
      const [one] = (await readyGroup(world, groupId, topic, 'm1')) as [Sharer]
      await alter(groupId, { topicName: topic.name, partitions })
      await remove(groupId, topic.name)
      await one.fetch()
      await one.acknowledge([range(0n, 1n, 1)])
      await showOffsets(world, groupId, topic)
      await beat(world, groupId, { memberEpoch: -1 })
      await alter(groupId)
      await alter(groupId, { topicName: topic.name, partitions: [{ partitionIndex: 0, startOffset: 1n }] })
      await showOffsets(world, groupId, topic)
      await alter(groupId, {
        topicName: topic.name,
        partitions: [
          { partitionIndex: 0, startOffset: 3n },
          { partitionIndex: 1, startOffset: 0n },
        ],
      })
      await alter(groupId, { topicName: topic.name, partitions: [{ partitionIndex: 0, startOffset: -5n }] })
      await alter(groupId, { topicName: topic.name, partitions })
      await alter(groupId, { topicName: world.name('missing'), partitions })
      await showOffsets(world, groupId, topic)
      await join(world, groupId, 'm2', [topic])
      const again = new Sharer(world, groupId, 'm2', topic)
      await again.fetch()
      await beat(world, groupId, { memberId: 'm2', memberEpoch: -1 })
      await remove(groupId, topic.name, world.name('missing'))
      await showOffsets(world, groupId, topic)
      await show(world, groupId)
    },
  },
  {
    name: 'offsets of a share group are deleted, but of nothing',
    needs: [...needs, AlterShareGroupOffsets, DeleteShareGroupOffsets],
    recordsDiffer: 'Kafka writes down what the group has once more',
    async run(world) {
      const topic = await world.topic('topic', 1)
      const groupId = world.name('group')
      await prepareGroup(world, groupId, topic)
      const client = await world.client('deleter')
      await client.ask(DeleteShareGroupOffsets, 0, { groupId, topics: [] })
      await client.ask(DeleteShareGroupOffsets, 0, { groupId, topics: [{ topicName: world.name('missing') }] })
      for (let round = 0; round < 2; round++)
        await client.ask(DeleteShareGroupOffsets, 0, { groupId, topics: [{ topicName: topic.name }] })
      await showOffsets(world, groupId, topic)
      await client.ask(DeleteGroups, 2, { groupsNames: [groupId] })
    },
  },
]
