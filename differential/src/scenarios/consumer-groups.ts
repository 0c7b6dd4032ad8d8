/** Members of consumer groups (KIP-848): joining, following the assignment, fencing, leaving, and groups with members of both protocols. */
import {
  ConsumerGroupDescribe,
  ConsumerGroupHeartbeat,
  ConsumerProtocolSubscription,
  CreatePartitions,
  DeleteGroups,
  DescribeGroups,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  ListGroups,
  OffsetCommit,
  OffsetDelete,
  OffsetFetch,
  SyncGroup,
  Writer,
  type RequestInput,
  type Response,
} from '@millrace/protocol'
import { Duet } from '../duet.ts'
import type { Scenario } from '../scenario.ts'
import type { World } from '../world.ts'
import { joinRequest } from './classic-groups.ts'

type Beat = RequestInput<typeof ConsumerGroupHeartbeat>
type Answer = Response<typeof ConsumerGroupHeartbeat>

const needs = [ConsumerGroupHeartbeat, ConsumerGroupDescribe]

async function beat(world: World, heartbeat: Beat, version = 1): Promise<Answer> {
  const client = await world.client('members')
  return client.ask(ConsumerGroupHeartbeat, version, heartbeat)
}

function joining(groupId: string, memberId: string, topics: string[], more: Partial<Beat> = {}): Beat {
  return {
    groupId,
    memberId,
    memberEpoch: 0,
    rebalanceTimeoutMs: 60_000,
    subscribedTopicNames: topics,
    topicPartitions: [],
    ...more,
  }
}

/** A topic that the group coordinators know of, too: in Kafka that takes a moment longer than until Metadata tells of it. */
async function knownTopic(world: World, suffix: string, partitions: number): Promise<{ name: string; id: string }> {
  const topic = await world.topic(suffix, partitions)
  const quiet = await Duet.open('scout', world.ports, { identities: world.identities, add: () => {} })
  const scouting = joining(`scout-${topic.name}`, 'scout', [topic.name])
  await quiet.askUntil(
    ConsumerGroupHeartbeat,
    1,
    scouting,
    ({ assignment }) => assignment?.topicPartitions[0]?.partitions.length === partitions,
  )
  quiet.close()
  return topic
}

async function describe(world: World, ...groupIds: string[]): Promise<Response<typeof ConsumerGroupDescribe>> {
  const admin = await world.client('admin')
  return admin.ask(ConsumerGroupDescribe, 1, { groupIds, includeAuthorizedOperations: true })
}

/** Two members that share four partitions, at the epoch that is returned. */
async function twoMembers(
  world: World,
  groupId: string,
  topic: { name: string; id: string },
  more: Partial<Beat> = {},
) {
  await beat(world, joining(groupId, 'a', [topic.name], more))
  await beat(world, joining(groupId, 'b', [topic.name]))
  await beat(world, { groupId, memberId: 'a', memberEpoch: 2, ...instanceOf(more) })
  const owned = [{ topicId: topic.id, partitions: [0, 1] }]
  await beat(world, { groupId, memberId: 'a', memberEpoch: 2, topicPartitions: owned, ...instanceOf(more) })
  await beat(world, { groupId, memberId: 'b', memberEpoch: 3 })
  return 3
}

function instanceOf({ instanceId = null }: Partial<Beat>): Partial<Beat> {
  return { instanceId }
}

function subscription(topics: string[], owned: { topic: string; partitions: number[] }[] = []): Uint8Array {
  const writer = new Writer()
  writer.int16(1)
  ConsumerProtocolSubscription.encode(writer, { topics, ownedPartitions: owned }, 1)
  return Buffer.concat(writer.finish())
}

export const consumerGroups: readonly Scenario[] = [
  {
    name: 'a member of a consumer group joins, beats, is described and leaves, in every version',
    needs,
    async run(world) {
      const { name } = await knownTopic(world, 't', 4)
      for (const version of world.versions(ConsumerGroupHeartbeat)) {
        const groupId = world.name(`v${version}`)
        const { memberId, memberEpoch } = await beat(
          world,
          joining(groupId, version === 0 ? '' : 'm', [name, world.name('none')]),
          version,
        )
        const known = { groupId, memberId: memberId!, memberEpoch }
        await beat(world, known, version)
        await beat(world, { ...joining(groupId, memberId!, [name]), memberEpoch, topicPartitions: [] }, version)
        for (const one of world.versions(ConsumerGroupDescribe)) {
          const admin = await world.client('admin')
          const groupIds = [groupId, world.name('none'), '']
          await admin.ask(ConsumerGroupDescribe, one, { groupIds, includeAuthorizedOperations: one === 1 })
        }
        await beat(world, { ...known, memberEpoch: -1 }, version)
        await beat(world, known, version)
        await describe(world, groupId)
        await beat(world, joining(groupId, 'n', [name]), version)
      }
    },
  },
  {
    name: 'a heartbeat of a consumer group that breaks a rule is refused, in every version',
    needs,
    async run(world) {
      const { name, id } = await knownTopic(world, 't', 4)
      for (const version of world.versions(ConsumerGroupHeartbeat)) {
        const groupId = world.name(`v${version}`)
        const ask = (more: Partial<Beat>) => beat(world, joining(groupId, 'm', [name], more), version)
        await ask({ groupId: '' })
        await ask({ groupId: ' ' })
        await ask({ memberId: ' ' })
        await ask({ memberId: '', memberEpoch: 1 })
        await ask({ memberId: '', memberEpoch: -1 })
        await ask({ instanceId: '' })
        await ask({ rackId: '' })
        await ask({ rebalanceTimeoutMs: -1 })
        await ask({ topicPartitions: null })
        await ask({ topicPartitions: [{ topicId: id, partitions: [0] }] })
        await ask({ subscribedTopicNames: null })
        await ask({ serverAssignor: 'none' })
        await ask({ memberEpoch: -2 })
        await ask({ memberEpoch: -3 })
        await ask({ memberEpoch: 1 })
        await ask({ memberEpoch: -1 })
        await ask({ memberEpoch: -2, instanceId: 'i' })
        await ask({ memberEpoch: 1, instanceId: 'i' })
        if (version > 0) {
          await ask({ memberId: '' })
          await ask({ subscribedTopicNames: null, subscribedTopicRegex: '(' })
          await ask({ subscribedTopicNames: null, subscribedTopicRegex: '[z-a]' })
        }
        await describe(world, groupId)
      }
    },
  },
  {
    name: 'partitions go from one member of a consumer group to another, and wrong epochs are fenced',
    needs,
    async run(world) {
      const topic = await knownTopic(world, 't', 4)
      const groupId = world.name('group')
      const epoch = await twoMembers(world, groupId, topic)
      await describe(world, groupId)
      const a = { groupId, memberId: 'a' }
      await beat(world, { ...a, memberEpoch: epoch + 1 })
      await beat(world, { ...a, memberEpoch: epoch - 1 })
      await beat(world, { ...a, memberEpoch: epoch - 1, topicPartitions: [{ topicId: topic.id, partitions: [0] }] })
      await beat(world, { ...a, memberEpoch: epoch - 1, topicPartitions: [{ topicId: topic.id, partitions: [2] }] })
      await beat(world, { ...a, memberEpoch: epoch - 2, topicPartitions: [] })
      await beat(world, { ...a, memberEpoch: epoch })
      await beat(world, joining(groupId, 'a', [topic.name]))
      await beat(world, { ...a, memberId: 'c', memberEpoch: epoch })
      await beat(world, { ...a, memberId: 'b', memberEpoch: -1 })
      await describe(world, groupId)
      await beat(world, { ...a, memberEpoch: epoch })
      await describe(world, groupId)
      await beat(world, { ...a, memberEpoch: epoch + 1, subscribedTopicNames: [] })
      await beat(world, { ...a, memberEpoch: epoch + 1, topicPartitions: [] })
      await describe(world, groupId)
    },
  },
  {
    name: 'static members of a consumer group go for a while, come back, and are fenced',
    needs,
    async run(world) {
      const topic = await knownTopic(world, 't', 4)
      const groupId = world.name('group')
      const epoch = await twoMembers(world, groupId, topic, { instanceId: 'i' })
      await beat(world, joining(groupId, 'a2', [topic.name], { instanceId: 'i' }))
      await beat(world, { groupId, memberId: 'a2', memberEpoch: epoch, instanceId: 'i' })
      await beat(world, { groupId, memberId: 'a2', memberEpoch: -2, instanceId: 'i' })
      await beat(world, { groupId, memberId: 'a', memberEpoch: -2, instanceId: 'j' })
      await beat(world, { groupId, memberId: 'a', memberEpoch: -2, instanceId: 'i' })
      await describe(world, groupId)
      await beat(world, { groupId, memberId: 'b', memberEpoch: epoch })
      await beat(world, joining(groupId, 'a2', [topic.name], { instanceId: 'i' }))
      await beat(world, { groupId, memberId: 'a', memberEpoch: epoch, instanceId: 'i' })
      await beat(world, { groupId, memberId: 'a2', memberEpoch: epoch, instanceId: 'i' })
      await describe(world, groupId)
      await beat(world, { groupId, memberId: 'a2', memberEpoch: -2, instanceId: 'i' })
      await beat(world, joining(groupId, 'a3', [topic.name, world.name('u')], { instanceId: 'i', rackId: 'r' }))
      await describe(world, groupId)
      await beat(world, { groupId, memberId: 'a3', memberEpoch: -1, instanceId: 'i' })
      await describe(world, groupId)
    },
  },
  {
    name: 'a consumer group learns of new partitions',
    needs,
    async run(world) {
      const topic = await knownTopic(world, 't', 2)
      const groupId = world.name('group')
      await beat(world, joining(groupId, 'a', [topic.name]))
      const admin = await world.client('admin')
      await admin.ask(CreatePartitions, 3, {
        topics: [{ name: topic.name, count: 4, assignments: null }],
        timeoutMs: 10_000,
        validateOnly: false,
      })
      const client = await world.client('members')
      const known = { groupId, memberId: 'a', memberEpoch: 2 }
      await client.askUntil(ConsumerGroupHeartbeat, 1, known, ({ assignment }) => assignment !== null)
      await describe(world, groupId)
    },
  },
  {
    name: 'assignors of a consumer group',
    needs,
    async run(world) {
      const [one, other] = [await knownTopic(world, 'one', 5), await knownTopic(world, 'other', 5)]
      const groupId = world.name('group')
      const topics = [one.name, other.name]
      await beat(world, joining(groupId, 'a', topics, { serverAssignor: 'range' }))
      await beat(world, joining(groupId, 'b', topics, { serverAssignor: 'range' }))
      await beat(world, joining(groupId, 'c', topics, { serverAssignor: 'range', instanceId: 'z' }))
      await describe(world, groupId)
      await beat(world, { groupId, memberId: 'b', memberEpoch: 3, serverAssignor: 'uniform' })
      await beat(world, { groupId, memberId: 'b', memberEpoch: 4, subscribedTopicNames: [one.name] })
      await describe(world, groupId)
    },
  },
  {
    name: 'a consumer group with a regular expression',
    needs,
    async run(world) {
      await knownTopic(world, 'ra', 2)
      await knownTopic(world, 'rb', 2)
      await knownTopic(world, 'sb', 2)
      const groupId = world.name('group')
      const byRegex: Partial<Beat> = { subscribedTopicNames: null, subscribedTopicRegex: `${world.name('r')}.*` }
      await beat(world, joining(groupId, 'a', [], { ...byRegex, serverAssignor: 'range' }))
      const client = await world.client('members')
      await client.askUntil(
        ConsumerGroupHeartbeat,
        1,
        { groupId, memberId: 'a', memberEpoch: 1 },
        ({ assignment }) => assignment !== null,
      )
      await describe(world, groupId)
      await beat(world, joining(groupId, 'b', [], byRegex))
      await describe(world, groupId)
      await beat(world, { groupId, memberId: 'b', memberEpoch: -1 })
      await beat(world, { groupId, memberId: 'a', memberEpoch: 2, subscribedTopicRegex: '', topicPartitions: [] })
      await describe(world, groupId)
      await beat(world, { groupId, memberId: 'a', memberEpoch: -1 })
    },
  },
  {
    name: 'offsets of a consumer group',
    needs,
    async run(world) {
      const topic = await knownTopic(world, 't', 4)
      const groupId = world.name('group')
      const client = await world.client('members')
      const commit = (version: number, memberId: string, generationIdOrMemberEpoch: number, indexes = [0, 1, 2, 3]) =>
        client.ask(OffsetCommit, version, {
          groupId,
          memberId,
          generationIdOrMemberEpoch,
          topics: [
            {
              ...(version >= 10 ? { topicId: topic.id } : { name: topic.name }),
              partitions: indexes.map((partitionIndex) => ({
                partitionIndex,
                committedOffset: 1n,
                committedMetadata: '',
              })),
            },
          ],
        })
      const fetch = (memberId: string | null, memberEpoch: number) =>
        client.ask(OffsetFetch, 9, {
          groups: [{ groupId, memberId, memberEpoch, topics: [{ name: topic.name, partitionIndexes: [0, 3] }] }],
          requireStable: false,
        })
      await commit(9, '', -1)
      const epoch = await twoMembers(world, groupId, topic)
      for (const version of world.versions(OffsetCommit, 8)) {
        for (const memberEpoch of [epoch + 1, epoch, epoch - 1, epoch - 2, 0, -1]) {
          await commit(version, 'a', memberEpoch)
          await commit(version, 'b', memberEpoch)
        }
        await commit(version, '', -1)
        await commit(version, 'c', epoch)
      }
      for (const memberEpoch of [epoch + 1, epoch, epoch - 1, -1]) await fetch('a', memberEpoch)
      await fetch('c', epoch)
      await fetch(null, -1)
      const topics = [{ name: topic.name, partitions: [{ partitionIndex: 0 }] }]
      await client.ask(OffsetDelete, 0, { groupId, topics })
      const admin = await world.client('admin')
      await admin.ask(DeleteGroups, 2, { groupsNames: [groupId] })
      await beat(world, { groupId, memberId: 'a', memberEpoch: -1 })
      await beat(world, { groupId, memberId: 'b', memberEpoch: -1 })
      await commit(9, '', -1, [2])
      await client.ask(OffsetDelete, 0, { groupId, topics })
      await admin.ask(DeleteGroups, 2, { groupsNames: [groupId] })
      await describe(world, groupId)
      await fetch(null, -1)
    },
  },
  {
    name: 'a classic group becomes a consumer group, and a classic one again',
    needs,
    async run(world) {
      const topic = await knownTopic(world, 't', 4)
      const groupId = world.name('group')
      const client = await world.client('members')
      const admin = await world.client('admin')
      const protocols = [{ name: 'range', metadata: subscription([topic.name]) }]
      const join = (more: Partial<RequestInput<typeof JoinGroup>> = {}) =>
        client.ask(JoinGroup, 9, joinRequest({ groupId, protocols, ...more }))
      const { memberId } = await join()
      const first = await join({ memberId })
      const synced = (generationId: number) =>
        client.ask(SyncGroup, 5, {
          groupId,
          generationId,
          memberId,
          protocolType: 'consumer',
          protocolName: 'range',
          assignments: [],
        })
      await synced(first.generationId)
      // The uniform assignor goes by the order of a hash map in Kafka, and so by the member's random id.
      await beat(world, joining(groupId, 'c', [topic.name], { serverAssignor: 'range' }))
      await describe(world, groupId)
      await admin.ask(DescribeGroups, 6, { groups: [groupId], includeAuthorizedOperations: false })
      await admin.ask(ListGroups, 5, { statesFilter: [], typesFilter: ['consumer'] })
      const heartbeat = (generationId: number) => client.ask(Heartbeat, 4, { groupId, generationId, memberId })
      await heartbeat(first.generationId)
      await heartbeat(first.generationId + 1)
      await synced(first.generationId)
      await join({ memberId, protocols: [{ name: 'sticky', metadata: subscription([topic.name]) }] })
      await join({ memberId, protocolType: 'connect' })
      await join({ memberId: '' })
      const again = await join({ memberId })
      await heartbeat(again.generationId)
      await synced(again.generationId + 1)
      await synced(again.generationId)
      await beat(world, { groupId, memberId: 'c', memberEpoch: again.generationId })
      await describe(world, groupId)
      await heartbeat(again.generationId)
      const leave = (members: { memberId: string; groupInstanceId?: string | null }[]) =>
        client.ask(LeaveGroup, 5, { groupId, members })
      await leave([{ memberId: 'nobody' }, { memberId: '', groupInstanceId: 'i' }])
      await beat(world, { groupId, memberId: 'c', memberEpoch: -1 })
      await describe(world, groupId)
      await admin.ask(DescribeGroups, 6, { groups: [groupId], includeAuthorizedOperations: false })
      await heartbeat(again.generationId)
      await leave([{ memberId }])
      await admin.ask(DescribeGroups, 6, { groups: [groupId], includeAuthorizedOperations: false })
    },
  },
  {
    name: 'members of the classic protocol in a consumer group that they join later',
    needs,
    async run(world) {
      const topic = await knownTopic(world, 't', 4)
      const groupId = world.name('group')
      const client = await world.client('members')
      // The range assignor goes by member ids; the others' are random.
      await beat(world, joining(groupId, '!', [topic.name], { serverAssignor: 'range' }))
      const protocols = [{ name: 'range', metadata: subscription([topic.name]) }]
      for (const version of world.versions(JoinGroup)) {
        const instance = version >= 5 ? { groupInstanceId: `i${version}` } : {}
        const joined = await client.ask(JoinGroup, version, joinRequest({ groupId, protocols, ...instance }))
        const { memberId, generationId } = joined
        await client.ask(Heartbeat, 3, {
          groupId,
          generationId,
          memberId,
          groupInstanceId: instance.groupInstanceId ?? null,
        })
        await client.ask(LeaveGroup, 4, {
          groupId,
          members: [{ memberId, groupInstanceId: instance.groupInstanceId ?? null }],
        })
      }
      await describe(world, groupId)
      await client.ask(JoinGroup, 9, joinRequest({ groupId, protocols: [] }))
      await client.ask(
        JoinGroup,
        9,
        joinRequest({ groupId, protocols: [{ name: 'range', metadata: Uint8Array.of(0) }], memberId: 'x' }),
      )
      await client.ask(Heartbeat, 4, { groupId, generationId: 2, memberId: '!' })
      await client.ask(SyncGroup, 5, {
        groupId,
        generationId: 2,
        memberId: '!',
        protocolType: 'consumer',
        protocolName: 'range',
        assignments: [],
      })
    },
  },
  {
    name: 'a static member of the consumer protocol is followed by one of the classic protocol, and the other way round',
    needs,
    async run(world) {
      const topic = await knownTopic(world, 't', 4)
      const groupId = world.name('group')
      const client = await world.client('members')
      const admin = await world.client('admin')
      await beat(world, joining(groupId, 'c', [topic.name], { instanceId: 'i' }))
      const protocols = [{ name: 'range', metadata: subscription([topic.name]) }]
      const joined = await client.ask(JoinGroup, 9, joinRequest({ groupId, protocols, groupInstanceId: 'i' }))
      const { memberId, generationId } = joined
      const sync = {
        groupId,
        generationId,
        memberId,
        groupInstanceId: 'i',
        protocolType: 'consumer',
        protocolName: 'range',
      }
      await client.ask(SyncGroup, 5, { ...sync, assignments: [] })
      await admin.ask(DescribeGroups, 6, { groups: [groupId], includeAuthorizedOperations: false })
      await beat(world, { groupId, memberId: 'c', memberEpoch: 2, instanceId: 'i' })
      await beat(world, joining(groupId, 'd', [topic.name, world.name('other')], { instanceId: 'i' }))
      await describe(world, groupId)
      await client.ask(Heartbeat, 4, { groupId, generationId, memberId, groupInstanceId: 'i' })
    },
  },
]
