/** Classic and consumer groups under requests of the other type. */
import {
  DeleteGroups,
  DescribeGroups,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  ListGroups,
  OffsetCommit,
  OffsetFetch,
  SyncGroup,
} from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import { joinRequest, joinWithId, stableGroup } from './classic-groups.ts'
import { commitRequest, fetchRequest } from './offsets.ts'
import { beat, join, needs, reconcile, show } from './consumer-members.ts'

export const groupsOfAnotherType: readonly Scenario[] = [
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
