/** Share groups (KIP-932): joined, kept, left, and told from groups of other types. */
import { DeleteGroups, DescribeGroups, JoinGroup, ListGroups, OffsetCommit, OffsetFetch } from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import { joinRequest, stableGroup } from './classic-groups.ts'
import { commitRequest, fetchRequest } from './offsets.ts'
import { beat, join, needs, prepareGroup, show } from './share-members.ts'
import { beat as consumerBeat, join as joinConsumers } from './consumer-members.ts'

export const joiningShareGroups: readonly Scenario[] = [
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
]
