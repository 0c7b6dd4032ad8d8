/** Groups of the consumer protocol (KIP-848): members, epochs, assignments, static members, expressions, offsets, and migration. */
import {
  ConsumerGroupDescribe,
  ConsumerGroupHeartbeat,
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
  TxnOffsetCommit,
  type RequestInput,
  type Response,
} from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import type { Topic, World } from '../world.ts'
import { assignment, joinRequest, joinWithId, stableGroup, subscription } from './classic-groups.ts'
import { commitRequest, fetchRequest } from './offsets.ts'
import { openProducer } from './transactions.ts'

type Beat = Partial<RequestInput<typeof ConsumerGroupHeartbeat>>
const needs = [ConsumerGroupHeartbeat, ConsumerGroupDescribe]

export async function beat(
  world: World,
  groupId: string,
  request: Beat,
  version = 1,
): Promise<Response<typeof ConsumerGroupHeartbeat>> {
  const client = await world.client(`of ${request.memberId ?? ''}`)
  return client.ask(ConsumerGroupHeartbeat, version, { groupId, memberId: 'm1', memberEpoch: 0, ...request })
}

export async function join(world: World, groupId: string, memberId: string, topics: readonly Topic[], more: Beat = {}) {
  return beat(world, groupId, {
    memberId,
    memberEpoch: 0,
    rebalanceTimeoutMs: 60_000,
    subscribedTopicNames: topics.map(({ name }) => name),
    topicPartitions: [],
    ...more,
  })
}

/** Says that it owns what it was told to, until it is told nothing new. */
export async function reconcile(
  world: World,
  groupId: string,
  told: Response<typeof ConsumerGroupHeartbeat>,
): Promise<Response<typeof ConsumerGroupHeartbeat>> {
  let owned = told.assignment?.topicPartitions ?? []
  let last = told
  const memberId = told.memberId
  if (memberId === null) return told
  for (let round = 0; round < 4; round++) {
    last = await beat(world, groupId, { memberId, memberEpoch: last.memberEpoch, topicPartitions: owned })
    if (last.errorCode !== 0 || last.assignment === null) break
    owned = last.assignment.topicPartitions
  }
  return last
}

export async function show(world: World, ...groupIds: string[]): Promise<void> {
  const client = await world.client('looker')
  for (const version of world.versions(ConsumerGroupDescribe))
    await client.ask(ConsumerGroupDescribe, version, { groupIds, includeAuthorizedOperations: version === 1 })
}

export const consumerMembers: readonly Scenario[] = [
  {
    name: 'a consumer group of one: joins, owns, beats, leaves, in every version',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 3)
      for (const version of world.versions(ConsumerGroupHeartbeat)) {
        const groupId = world.name(`v${version}`)
        const memberId = version === 0 ? '' : 'm1'
        const joined = await beat(
          world,
          groupId,
          { memberId, rebalanceTimeoutMs: 1000, subscribedTopicNames: [topic.name], topicPartitions: [] },
          version,
        )
        const identity = { memberId: joined.memberId!, memberEpoch: joined.memberEpoch }
        await show(world, groupId)
        await beat(world, groupId, identity, version)
        await beat(world, groupId, { ...identity, topicPartitions: joined.assignment!.topicPartitions }, version)
        await beat(world, groupId, { ...identity, topicPartitions: [] }, version)
        await show(world, groupId)
        const full = { ...identity, rebalanceTimeoutMs: 1000, subscribedTopicNames: [topic.name] }
        await beat(world, groupId, { ...full, topicPartitions: joined.assignment!.topicPartitions }, version)
        await beat(world, groupId, { ...full, memberEpoch: 0, topicPartitions: [] }, version)
        await show(world, groupId)
        await beat(world, groupId, { ...identity, memberEpoch: -1 }, version)
        await beat(world, groupId, identity, version)
        await beat(world, groupId, { ...identity, memberEpoch: -1 }, version)
        await show(world, groupId)
      }
    },
  },
  {
    name: 'consumer heartbeats that break a rule, in every version',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 3)
      const groupId = world.name('group')
      for (const version of world.versions(ConsumerGroupHeartbeat)) {
        const good = { rebalanceTimeoutMs: 1000, subscribedTopicNames: [topic.name], topicPartitions: [] }
        const ask = (request: Beat) => beat(world, groupId, { ...good, ...request }, version)
        await ask({ groupId: '' })
        await ask({ groupId: ' ' })
        if (version === 0) await beat(world, world.name('given'), { ...good, memberId: '' }, version)
        else await ask({ memberId: '' })
        await ask({ memberId: '', memberEpoch: 1 })
        await ask({ memberId: '', memberEpoch: -1 })
        await ask({ memberId: 'x'.repeat(37) })
        await ask({ memberEpoch: -3 })
        await ask({ memberEpoch: -2 })
        await ask({ memberEpoch: -1 })
        await ask({ memberEpoch: 1 })
        await ask({ rebalanceTimeoutMs: -1 })
        await ask({ rebalanceTimeoutMs: 0 })
        await ask({ topicPartitions: null })
        await ask({ topicPartitions: [{ topicId: topic.id, partitions: [0] }] })
        await ask({ subscribedTopicNames: null })
        await ask({ subscribedTopicNames: [] })
        await ask({ subscribedTopicNames: null, subscribedTopicRegex: '' })
        await ask({ serverAssignor: 'unknown' })
        await ask({ serverAssignor: '' })
        await ask({ instanceId: '' })
        await ask({ rackId: '' })
        await ask({ instanceId: 'i1', memberEpoch: -2 })
        await ask({ instanceId: 'i1', memberEpoch: -1 })
        await ask({ subscribedTopicNames: [topic.name, topic.name] })
        await show(world, groupId)
      }
      await show(world, world.name('missing'), '', groupId)
    },
  },
  {
    name: 'consumer members with the wrong id or epoch',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 3)
      const groupId = world.name('group')
      const first = await join(world, groupId, 'm1', [topic])
      await reconcile(world, groupId, first)
      const second = await join(world, groupId, 'm2', [topic])
      await show(world, groupId)
      const ask = (request: Beat) => beat(world, groupId, request)
      await ask({ memberId: 'unknown', memberEpoch: 1 })
      await ask({ memberId: 'unknown', memberEpoch: -1 })
      await ask({ memberId: 'm2', memberEpoch: second.memberEpoch + 1 })
      await ask({ memberId: 'm2', memberEpoch: second.memberEpoch - 1 })
      await ask({ memberId: 'm2', memberEpoch: second.memberEpoch - 1, topicPartitions: [] })
      await ask({ memberId: 'm1', memberEpoch: first.memberEpoch })
      await show(world, groupId)
      await ask({ memberId: 'm1', memberEpoch: first.memberEpoch + 5 })
      await ask({ memberId: 'm1', memberEpoch: -1 })
      await ask({ memberId: 'm1', memberEpoch: first.memberEpoch })
      await show(world, groupId)
      await ask({ memberId: 'm2', memberEpoch: second.memberEpoch })
      await reconcile(world, groupId, second)
      await show(world, groupId)
    },
  },
  {
    name: 'partitions move between consumer members: revoked, awaited, assigned',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 6)
      const groupId = world.name('group')
      const first = await reconcile(world, groupId, await join(world, groupId, 'm1', [topic]))
      const all = { topicId: topic.id, partitions: [0, 1, 2, 3, 4, 5] }
      await join(world, groupId, 'm2', [topic])
      await show(world, groupId)
      const told = await beat(world, groupId, {
        memberId: 'm1',
        memberEpoch: first.memberEpoch,
        topicPartitions: [all],
      })
      await show(world, groupId)
      await beat(world, groupId, { memberId: 'm2', memberEpoch: 2 })
      await beat(world, groupId, { memberId: 'm1', memberEpoch: first.memberEpoch, topicPartitions: [all] })
      await join(world, groupId, 'm3', [topic])
      await show(world, groupId)
      const revoked = told.assignment?.topicPartitions ?? []
      const m1 = await beat(world, groupId, {
        memberId: 'm1',
        memberEpoch: told.memberEpoch,
        topicPartitions: revoked,
      })
      await show(world, groupId)
      // The answer before was lost: the same again, with the former epoch.
      await beat(world, groupId, { memberId: 'm1', memberEpoch: told.memberEpoch, topicPartitions: revoked })
      await beat(world, groupId, { memberId: 'm2', memberEpoch: 2, topicPartitions: [] })
      await beat(world, groupId, { memberId: 'm3', memberEpoch: 3, topicPartitions: [] })
      await show(world, groupId)
      await reconcile(world, groupId, m1)
      for (const [memberId, memberEpoch] of [
        ['m2', 2],
        ['m3', 3],
        ['m2', 3],
      ] as const)
        await reconcile(world, groupId, await beat(world, groupId, { memberId, memberEpoch }))
      await show(world, groupId)
      await beat(world, groupId, { memberId: 'm3', memberEpoch: -1 })
      await show(world, groupId)
      await beat(world, groupId, { memberId: 'm1', memberEpoch: 3 })
      await beat(world, groupId, { memberId: 'm2', memberEpoch: 3 })
      await show(world, groupId)
    },
  },
  {
    name: 'subscriptions, assignors and racks of consumer members change',
    needs,
    async run(world) {
      const a = await world.topic('a', 2)
      const b = await world.topic('b', 3)
      const groupId = world.name('group')
      let m1 = await reconcile(world, groupId, await join(world, groupId, 'm1', [a]))
      await show(world, groupId)
      const change = async (request: Beat) => {
        m1 = await beat(world, groupId, { memberId: 'm1', memberEpoch: m1.memberEpoch, ...request })
        await show(world, groupId)
        m1 = await reconcile(world, groupId, m1)
      }
      await change({ subscribedTopicNames: [b.name] })
      await change({ subscribedTopicNames: [b.name] })
      await change({ serverAssignor: 'range' })
      await change({ serverAssignor: 'uniform' })
      await change({ serverAssignor: 'sticky' })
      await change({ rackId: 'r1' })
      await change({ rebalanceTimeoutMs: 5000 })
      await change({ subscribedTopicNames: [] })
      await change({ subscribedTopicNames: [world.name('missing')] })
      await change({ subscribedTopicNames: [a.name] })
      const m2 = await join(world, groupId, 'm2', [a], { serverAssignor: 'range' })
      await show(world, groupId)
      await beat(world, groupId, { memberId: 'm1', memberEpoch: m1.memberEpoch, serverAssignor: 'range' })
      await show(world, groupId)
      await reconcile(world, groupId, m2)
      // A topic that was missing is made.
      await beat(world, groupId, { memberId: 'm2', memberEpoch: -1 })
      const later = world.name('later')
      m1 = await beat(world, groupId, { memberId: 'm1', memberEpoch: m1.memberEpoch })
      m1 = await reconcile(world, groupId, m1)
      await change({ subscribedTopicNames: [later] })
      await world.topic('later', 2)
      m1 = await beat(world, groupId, { memberId: 'm1', memberEpoch: m1.memberEpoch })
      await show(world, groupId)
    },
  },
  {
    name: 'static consumer members: leave for a while, come back, are taken, are fenced',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 4)
      const groupId = world.name('group')
      const one = await reconcile(world, groupId, await join(world, groupId, 'm1', [topic], { instanceId: 'i1' }))
      await join(world, groupId, 'm9', [topic], { instanceId: 'i1' })
      await show(world, groupId)
      const epoch = one.memberEpoch
      await beat(world, groupId, { memberId: 'm9', instanceId: 'i1', memberEpoch: epoch })
      await beat(world, groupId, { memberId: 'm1', instanceId: 'i9', memberEpoch: epoch })
      await beat(world, groupId, { memberId: 'm1', memberEpoch: epoch })
      await beat(world, groupId, { memberId: 'm9', instanceId: 'i1', memberEpoch: -2 })
      await beat(world, groupId, { memberId: 'm1', memberEpoch: -2 })
      await beat(world, groupId, { memberId: 'm1', instanceId: 'i9', memberEpoch: -2 })
      await beat(world, groupId, { memberId: 'm1', instanceId: 'i1', memberEpoch: -2 })
      await show(world, groupId)
      await beat(world, groupId, { memberId: 'm1', instanceId: 'i1', memberEpoch: epoch })
      await beat(world, groupId, { memberId: 'm1', instanceId: 'i1', memberEpoch: -2 })
      const back = await join(world, groupId, 'm2', [topic], { instanceId: 'i1' })
      await show(world, groupId)
      await beat(world, groupId, { memberId: 'm1', instanceId: 'i1', memberEpoch: epoch })
      await reconcile(world, groupId, back)
      await beat(world, groupId, { memberId: 'm2', instanceId: 'i1', memberEpoch: -2 })
      await join(world, groupId, 'm3', [topic], { instanceId: 'i1', rackId: 'r1' })
      await show(world, groupId)
      await beat(world, groupId, { memberId: 'm3', instanceId: 'i1', memberEpoch: -1 })
      await show(world, groupId)
      await join(world, groupId, 'm4', [topic], { instanceId: 'i1' })
      await join(world, groupId, 'm4', [topic])
      await show(world, groupId)
      // Left for a while, and another member leaves its topic.
      await join(world, groupId, 'm5', [topic], { instanceId: 'i5' })
      await beat(world, groupId, { memberId: 'm5', instanceId: 'i5', memberEpoch: -2 })
      await join(world, groupId, 'm6', [await world.topic('other')], { instanceId: 'i5', serverAssignor: 'range' })
      await show(world, groupId)
    },
  },
  {
    name: 'a static consumer member joins again, the answer to its first join being lost',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 4)
      await join(world, world.name('group'), 'm1', [topic], { instanceId: 'i1' })
      await join(world, world.name('group'), 'm1', [topic], { instanceId: 'i1' })
    },
  },
  {
    name: 'consumer members subscribe by expression',
    needs,
    async run(world) {
      const groupId = world.name('group')
      const a = await world.topic('a-x', 2)
      await world.topic('a-y', 1)
      const regex = (subscribedTopicRegex: string, more: Beat = {}) =>
        join(world, groupId, 'm1', [], { subscribedTopicNames: null, subscribedTopicRegex, ...more })
      for (const wrong of ['(', '[', '*', '(?=a)', '(a)\\1', 'a{1001}', '\\p{foo}', '\\', '(?<name>a'])
        await regex(wrong)
      await show(world, groupId)
      const joined = await regex(`${world.name('a')}-.*`)
      const client = await world.client('of m1')
      const told = await client.askUntil(
        ConsumerGroupHeartbeat,
        1,
        { groupId, memberId: 'm1', memberEpoch: joined.memberEpoch },
        ({ assignment }) => assignment !== null,
      )
      await reconcile(world, groupId, told)
      await show(world, groupId)
      await beat(world, groupId, { memberId: 'm1', memberEpoch: told.memberEpoch, subscribedTopicRegex: '(' })
      // Names beside the expression.
      const both = await beat(world, groupId, {
        memberId: 'm1',
        memberEpoch: told.memberEpoch,
        subscribedTopicNames: [a.name],
      })
      await show(world, groupId)
      await reconcile(world, groupId, both)
      const none = await beat(world, groupId, {
        memberId: 'm1',
        memberEpoch: both.memberEpoch,
        subscribedTopicRegex: '',
        subscribedTopicNames: [a.name],
      })
      await show(world, groupId)
      await reconcile(world, groupId, none)
      await beat(world, groupId, { memberId: 'm1', memberEpoch: -1 })
      await show(world, groupId)
    },
  },
  {
    name: 'offsets of consumer members: committed and fetched with right and wrong epochs, in every version',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 3)
      const groupId = world.name('group')
      const one = await reconcile(world, groupId, await join(world, groupId, 'm1', [topic]))
      const epoch = one.memberEpoch
      const client = await world.client('committer')
      for (const version of world.versions(OffsetCommit)) {
        const commit = (memberId: string, generationIdOrMemberEpoch: number, groupInstanceId: string | null = null) =>
          client.ask(
            OffsetCommit,
            version,
            commitRequest(
              { groupId, memberId, generationIdOrMemberEpoch, ...(version >= 7 ? { groupInstanceId } : {}) },
              topic,
              { 0: 1n },
            ),
          )
        await commit('m1', epoch)
        await commit('m1', epoch + 1)
        await commit('m1', epoch - 1)
        await commit('m1', -1)
        await commit('unknown', epoch)
        await commit('', -1)
        await commit('', epoch)
        await commit('m1', epoch, 'i1')
        await commit('unknown', -1)
      }
      for (const version of world.versions(OffsetFetch, 2)) {
        await client.ask(OffsetFetch, version, fetchRequest(groupId, null))
        if (version < 9) continue
        for (const [memberId, memberEpoch] of [
          ['m1', epoch],
          ['m1', epoch + 1],
          ['m1', epoch - 1],
          ['unknown', epoch],
          ['m1', -1],
          ['', -1],
          ['', 3],
        ] as const)
          await client.ask(OffsetFetch, version, fetchRequest(groupId, null, { memberId, memberEpoch }))
      }
      const producer = await openProducer(client, world.name('producer'))
      for (const version of world.versions(TxnOffsetCommit, 3))
        for (const [memberId, memberEpoch] of [
          ['m1', epoch],
          ['m1', epoch + 1],
          ['m1', epoch - 1],
          ['unknown', epoch],
          ['', -1],
        ] as const)
          await client.ask(TxnOffsetCommit, version, {
            ...producer,
            groupId,
            memberId,
            generationIdOrMemberEpoch: memberEpoch,
            topics: [
              {
                name: topic.name,
                partitions: [{ partitionIndex: 0, committedOffset: 5n, committedMetadata: '' }],
              },
            ],
          })
      await client.ask(OffsetDelete, 0, {
        groupId,
        topics: [{ name: topic.name, partitions: [{ partitionIndex: 0 }] }],
      })
      await client.ask(DeleteGroups, 2, { groupsNames: [groupId] })
      await beat(world, groupId, { memberId: 'm1', memberEpoch: -1 })
      for (const version of world.versions(OffsetCommit)) {
        const commit = (memberId: string, generationIdOrMemberEpoch: number) =>
          client.ask(
            OffsetCommit,
            version,
            commitRequest({ groupId, memberId, generationIdOrMemberEpoch }, topic, { 0: 1n }),
          )
        await commit('', -1)
        await commit('m1', epoch)
      }
      await client.ask(DeleteGroups, 2, { groupsNames: [groupId] })
      await show(world, groupId)
    },
  },
  {
    name: 'an older epoch may still commit what it owned since then',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 4)
      const groupId = world.name('group')
      const client = await world.client('committer')
      const m1 = await reconcile(world, groupId, await join(world, groupId, 'm1', [topic]))
      await join(world, groupId, 'm2', [topic])
      const told = await beat(world, groupId, { memberId: 'm1', memberEpoch: m1.memberEpoch })
      const kept = told.assignment?.topicPartitions ?? []
      const now = await beat(world, groupId, { memberId: 'm1', memberEpoch: told.memberEpoch, topicPartitions: kept })
      const m2 = await beat(world, groupId, { memberId: 'm2', memberEpoch: 2 })
      await reconcile(world, groupId, m2)
      for (const version of [9, 10])
        for (const [memberId, epoch] of [
          ['m1', now.memberEpoch],
          ['m1', m1.memberEpoch],
          ['m1', 0],
          ['m2', m2.memberEpoch],
          ['m2', 1],
          ['m2', 3],
        ] as const)
          await client.ask(
            OffsetCommit,
            version,
            commitRequest({ groupId, memberId, generationIdOrMemberEpoch: epoch }, topic, {
              0: 1n,
              1: 1n,
              2: 1n,
              3: 1n,
              9: 1n,
            }),
          )
    },
  },
  {
    name: 'groups of the other type: described, listed, deleted, joined',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 2)
      const consumer = world.name('consumer')
      const classic = world.name('classic')
      await reconcile(world, consumer, await join(world, consumer, 'm1', [topic]))
      await stableGroup(world, classic, { protocolType: 'connect' })
      const client = await world.client('looker')
      for (const version of world.versions(DescribeGroups))
        await client.ask(DescribeGroups, version, {
          groups: [consumer, classic, world.name('missing')],
          includeAuthorizedOperations: version >= 3,
        })
      await show(world, consumer, classic, world.name('missing'))
      for (const version of world.versions(ListGroups))
        for (const typesFilter of [[], ['consumer'], ['CLASSIC']])
          for (const statesFilter of [[], ['Stable'], ['Assigning'], ['reconciling']])
            await client.ask(ListGroups, version, { statesFilter, typesFilter })
      for (const version of world.versions(DeleteGroups))
        await client.ask(DeleteGroups, version, { groupsNames: [consumer] })
      for (const version of world.versions(JoinGroup)) {
        await client.ask(JoinGroup, version, joinRequest({ groupId: consumer, protocolType: 'connect' }))
        await client.ask(JoinGroup, version, joinRequest({ groupId: consumer, memberId: 'm1' }))
        await client.ask(JoinGroup, version, joinRequest({ groupId: consumer, memberId: 'nobody' }))
        await client.ask(JoinGroup, version, joinRequest({ groupId: consumer, protocols: [] }))
        await client.ask(
          JoinGroup,
          version,
          joinRequest({ groupId: consumer, protocols: [{ name: 'range', metadata: Uint8Array.of(1) }] }),
        )
      }
      for (const version of world.versions(SyncGroup))
        await client.ask(SyncGroup, version, { groupId: consumer, generationId: 1, memberId: 'm1', assignments: [] })
      for (const version of world.versions(Heartbeat)) {
        await client.ask(Heartbeat, version, { groupId: consumer, generationId: 1, memberId: 'm1' })
        await client.ask(Heartbeat, version, { groupId: consumer, generationId: 1, memberId: 'nobody' })
      }
      for (const version of world.versions(LeaveGroup, 3)) {
        await client.ask(LeaveGroup, version, { groupId: consumer, members: [{ memberId: 'nobody' }] })
        await client.ask(LeaveGroup, version, { groupId: consumer, members: [{ memberId: 'm1' }] })
      }
      await show(world, consumer)
      await join(world, classic, 'm1', [topic])
      await beat(world, classic, { memberId: 'm1', memberEpoch: 1 })
    },
  },
  {
    name: 'a classic group becomes a consumer group, and back',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 6)
      const groupId = world.name('group')
      const protocols = [{ name: 'range', metadata: subscription(topic.name) }]
      const classic = await stableGroup(world, groupId, { protocols }, assignment(topic.name, [0, 1, 2, 3, 4, 5]))
      const m2 = await join(world, groupId, 'm2', [topic])
      await show(world, groupId)
      const leader = await world.client('leader')
      const { memberId } = classic
      const me = { groupId, generationId: classic.generationId, memberId }
      await leader.ask(Heartbeat, 4, me)
      await leader.ask(
        OffsetCommit,
        7,
        commitRequest({ groupId, memberId, generationIdOrMemberEpoch: 1 }, topic, { 0: 1n }),
      )
      const again = await leader.ask(JoinGroup, 9, joinRequest({ groupId, memberId, protocols }))
      await show(world, groupId)
      await leader.ask(SyncGroup, 5, {
        groupId,
        generationId: again.generationId,
        memberId: again.memberId,
        protocolType: 'consumer',
        protocolName: again.protocolName,
        assignments: [],
      })
      await leader.ask(Heartbeat, 4, { ...me, generationId: again.generationId })
      await show(world, groupId)
      await reconcile(world, groupId, m2)
      await show(world, groupId)
      // Another classic member joins the consumer group.
      const other = await joinWithId(world, 'other', { groupId, protocols })
      await show(world, groupId)
      const otherClient = await world.client('other')
      await otherClient.ask(SyncGroup, 5, {
        groupId,
        generationId: other.generationId,
        memberId: other.memberId,
        protocolType: 'consumer',
        protocolName: other.protocolName,
        assignments: [],
      })
      await otherClient.ask(Heartbeat, 4, { groupId, generationId: other.generationId, memberId: other.memberId })
      await show(world, groupId)
      // The last consumer member leaves: a classic group again.
      await beat(world, groupId, { memberId: 'm2', memberEpoch: -1 })
      const looker = await world.client('looker')
      await looker.ask(DescribeGroups, 6, { groups: [groupId], includeAuthorizedOperations: false })
      await show(world, groupId)
      await leader.ask(Heartbeat, 4, { ...me, generationId: again.generationId })
      await otherClient.ask(LeaveGroup, 5, { groupId, members: [{ memberId: other.memberId }] })
      await looker.ask(DescribeGroups, 6, { groups: [groupId], includeAuthorizedOperations: false })
    },
  },
  {
    name: 'an empty group of one type is taken over by the other',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 2)
      const looker = await world.client('looker')
      const toConsumer = world.name('to-consumer')
      const classic = await stableGroup(world, toConsumer)
      await looker.ask(
        OffsetCommit,
        9,
        commitRequest({ groupId: toConsumer, memberId: classic.memberId, generationIdOrMemberEpoch: 1 }, topic, {
          0: 3n,
        }),
      )
      await looker.ask(LeaveGroup, 5, { groupId: toConsumer, members: [{ memberId: classic.memberId }] })
      await join(world, toConsumer, 'm1', [topic])
      await show(world, toConsumer)
      await looker.ask(OffsetFetch, 9, fetchRequest(toConsumer, null))
      const toClassic = world.name('to-classic')
      await join(world, toClassic, 'm1', [topic])
      await looker.ask(
        OffsetCommit,
        9,
        commitRequest({ groupId: toClassic, memberId: 'm1', generationIdOrMemberEpoch: 1 }, topic, { 0: 3n }),
      )
      await beat(world, toClassic, { memberId: 'm1', memberEpoch: -1 })
      await show(world, toClassic)
      await joinWithId(world, 'classic', { groupId: toClassic })
      await looker.ask(DescribeGroups, 6, { groups: [toClassic], includeAuthorizedOperations: false })
      await looker.ask(OffsetFetch, 9, fetchRequest(toClassic, null))
      // Offsets only.
      const simple = world.name('simple')
      await looker.ask(
        OffsetCommit,
        9,
        commitRequest({ groupId: simple, memberId: '', generationIdOrMemberEpoch: -1 }, topic, { 0: 3n }),
      )
      await join(world, simple, 'm1', [topic])
      await show(world, simple)
    },
  },
]
