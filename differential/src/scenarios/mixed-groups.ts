/** Groups with members of the classic and of the consumer protocol, and how groups go from one to the other. */
import {
  DescribeGroups,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  ListGroups,
  OffsetCommit,
  SyncGroup,
  type RequestInput,
} from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import { assignment, joinRequest, joinWithId, stableGroup, subscription } from './classic-groups.ts'
import { commitRequest } from './offsets.ts'
import {
  beat,
  describeNewest,
  join,
  joining,
  knownTopic,
  needs,
  newerSubscription,
  reconcile,
  sendHeartbeat,
  show,
} from './consumer-members.ts'

export const mixedGroups: readonly Scenario[] = [
  {
    name: 'a classic group becomes a consumer group, and a classic one again',
    needs,
    async run(world) {
      const topic = await knownTopic(world, 't', 4)
      const groupId = world.name('group')
      const client = await world.client('members')
      const admin = await world.client('admin')
      const protocols = [{ name: 'range', metadata: newerSubscription([topic.name]) }]
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
      await sendHeartbeat(world, joining(groupId, 'c', [topic.name], { serverAssignor: 'range' }))
      await describeNewest(world, groupId)
      await admin.ask(DescribeGroups, 6, { groups: [groupId], includeAuthorizedOperations: false })
      await admin.ask(ListGroups, 5, { statesFilter: [], typesFilter: ['consumer'] })
      const heartbeat = (generationId: number) => client.ask(Heartbeat, 4, { groupId, generationId, memberId })
      await heartbeat(first.generationId)
      await heartbeat(first.generationId + 1)
      await synced(first.generationId)
      await join({ memberId, protocols: [{ name: 'sticky', metadata: newerSubscription([topic.name]) }] })
      await join({ memberId, protocolType: 'connect' })
      await join({ memberId: '' })
      const again = await join({ memberId })
      await heartbeat(again.generationId)
      await synced(again.generationId + 1)
      await synced(again.generationId)
      await sendHeartbeat(world, { groupId, memberId: 'c', memberEpoch: again.generationId })
      await describeNewest(world, groupId)
      await heartbeat(again.generationId)
      const leave = (members: { memberId: string; groupInstanceId?: string | null }[]) =>
        client.ask(LeaveGroup, 5, { groupId, members })
      await leave([{ memberId: 'nobody' }, { memberId: '', groupInstanceId: 'i' }])
      await sendHeartbeat(world, { groupId, memberId: 'c', memberEpoch: -1 })
      await describeNewest(world, groupId)
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
      await sendHeartbeat(world, joining(groupId, '!', [topic.name], { serverAssignor: 'range' }))
      const protocols = [{ name: 'range', metadata: newerSubscription([topic.name]) }]
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
      await describeNewest(world, groupId)
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
      await sendHeartbeat(world, joining(groupId, 'c', [topic.name], { instanceId: 'i' }))
      const protocols = [{ name: 'range', metadata: newerSubscription([topic.name]) }]
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
      await sendHeartbeat(world, { groupId, memberId: 'c', memberEpoch: 2, instanceId: 'i' })
      await sendHeartbeat(world, joining(groupId, 'd', [topic.name, world.name('other')], { instanceId: 'i' }))
      await describeNewest(world, groupId)
      await client.ask(Heartbeat, 4, { groupId, generationId, memberId, groupInstanceId: 'i' })
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
]
