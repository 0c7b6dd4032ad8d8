/** What time does to groups: sessions end, rebalances end without those who do not come, offsets stay. Awaited by state on each side. */
import {
  ConsumerGroupDescribe,
  ConsumerGroupHeartbeat,
  DescribeGroups,
  Heartbeat,
  JoinGroup,
  OffsetCommit,
  SyncGroup,
  type Response,
} from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import type { World } from '../world.ts'
import { describe, joinRequest, joinWithId, stableGroup } from './classic-groups.ts'
import { join, reconcile, show } from './consumer-members.ts'
import { commitRequest } from './offsets.ts'

type Described = Response<typeof DescribeGroups>['groups'][number]

async function until(world: World, groupId: string, done: (group: Described) => boolean): Promise<void> {
  const client = await world.client('watcher')
  const request = { groups: [groupId], includeAuthorizedOperations: false }
  await client.askUntil(DescribeGroups, 5, request, ({ groups }) => done(groups[0]!))
}

export const timeouts: readonly Scenario[] = [
  {
    name: 'the only member of a classic group is silent for too long',
    async run(world) {
      const groupId = world.name('group')
      const { memberId, generationId } = await stableGroup(world, groupId, { sessionTimeoutMs: 300 })
      await until(world, groupId, ({ groupState }) => groupState === 'Empty')
      const client = await world.client('leader')
      await client.ask(Heartbeat, 4, { groupId, generationId, memberId })
      await describe(world, groupId)
    },
  },
  {
    name: 'one of two members is silent for too long, the other has to join again',
    async run(world) {
      const groupId = world.name('group')
      const silent = await stableGroup(world, groupId, { sessionTimeoutMs: 400 })
      const client = await world.client('other')
      const { memberId } = await client.ask(JoinGroup, 9, joinRequest({ groupId }))
      const joining = client.send(JoinGroup, 9, joinRequest({ groupId, memberId }))
      const { generationId } = await joining.answer()
      await client.ask(Heartbeat, 4, { groupId, generationId, memberId })
      await client.ask(Heartbeat, 4, { groupId, generationId, memberId: silent.memberId })
      await describe(world, groupId)
    },
  },
  {
    name: 'a static member is silent for too long',
    async run(world) {
      const groupId = world.name('group')
      await stableGroup(world, groupId, { sessionTimeoutMs: 300, groupInstanceId: 'i1' })
      await until(world, groupId, ({ groupState }) => groupState === 'Empty')
      await joinWithId(world, 'next', { groupId, groupInstanceId: 'i1' })
      await describe(world, groupId)
    },
  },
  {
    name: 'a rebalance ends without the member that does not join again',
    async run(world) {
      const groupId = world.name('group')
      await stableGroup(world, groupId, { rebalanceTimeoutMs: 500 })
      const client = await world.client('other')
      const { memberId } = await client.ask(JoinGroup, 9, joinRequest({ groupId, rebalanceTimeoutMs: 500 }))
      await client.ask(JoinGroup, 9, joinRequest({ groupId, memberId, rebalanceTimeoutMs: 500 }))
      await describe(world, groupId)
    },
  },
  {
    name: 'a static member that does not join again stays in the group',
    async run(world) {
      const groupId = world.name('group')
      await stableGroup(world, groupId, { rebalanceTimeoutMs: 500, groupInstanceId: 'i1' })
      const client = await world.client('other')
      const { memberId } = await client.ask(JoinGroup, 9, joinRequest({ groupId, rebalanceTimeoutMs: 500 }))
      await client.ask(JoinGroup, 9, joinRequest({ groupId, memberId, rebalanceTimeoutMs: 500 }))
      await describe(world, groupId)
    },
  },
  {
    name: 'a leader that does not sync is taken out',
    async run(world) {
      const groupId = world.name('group')
      const { memberId, generationId } = await joinWithId(world, 'leader', { groupId, rebalanceTimeoutMs: 400 })
      await until(world, groupId, ({ groupState }) => groupState === 'Empty')
      const client = await world.client('leader')
      const late = { groupId, generationId, memberId }
      await client.ask(SyncGroup, 5, { ...late, assignments: [{ memberId, assignment: Uint8Array.of(1) }] })
      await describe(world, groupId)
    },
  },
  {
    name: 'a member that has been given its id never joins',
    async run(world) {
      const groupId = world.name('group')
      const client = await world.client('asker')
      await client.ask(JoinGroup, 9, joinRequest({ groupId, sessionTimeoutMs: 300 }))
      await describe(world, groupId)
      // Another, whose join waits until the time of the first is up.
      const other = await world.client('other')
      const { memberId } = await other.ask(JoinGroup, 9, joinRequest({ groupId }))
      await other.ask(JoinGroup, 9, joinRequest({ groupId, memberId }))
      await describe(world, groupId)
    },
  },
  {
    name: 'a consumer member is silent for too long, and another does not give up its partitions',
    needs: [ConsumerGroupHeartbeat, ConsumerGroupDescribe],
    async run(world) {
      const topic = await world.topic('topic', 2)
      const groupId = world.name('group')
      const m1 = await reconcile(world, groupId, await join(world, groupId, 'm1', [topic], { rebalanceTimeoutMs: 500 }))
      await join(world, groupId, 'm2', [topic])
      const client = await world.client('of m1')
      await client.ask(ConsumerGroupHeartbeat, 1, { groupId, memberId: 'm1', memberEpoch: m1.memberEpoch })
      const watcher = await world.client('watcher')
      await watcher.askUntil(
        ConsumerGroupDescribe,
        1,
        { groupIds: [groupId], includeAuthorizedOperations: false },
        ({ groups }) => groups[0]!.members.length === 1,
      )
      await client.ask(ConsumerGroupHeartbeat, 1, { groupId, memberId: 'm1', memberEpoch: m1.memberEpoch })
      await client.ask(
        OffsetCommit,
        9,
        commitRequest({ groupId, memberId: 'm1', generationIdOrMemberEpoch: m1.memberEpoch }, topic, { 0: 1n }),
      )
      await show(world, groupId)
    },
  },
]
