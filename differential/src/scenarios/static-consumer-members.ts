/** Static members of consumer groups: gone for a while, back, taken, fenced. */
import type { Scenario } from '../scenario.ts'
import {
  beat,
  describeNewest,
  join,
  joining,
  knownTopic,
  needs,
  reconcile,
  sendHeartbeat,
  show,
  twoMembers,
} from './consumer-members.ts'

export const staticConsumerMembers: readonly Scenario[] = [
  {
    name: 'static members of a consumer group go for a while, come back, and are fenced',
    needs,
    async run(world) {
      const topic = await knownTopic(world, 't', 4)
      const groupId = world.name('group')
      const epoch = await twoMembers(world, groupId, topic, { instanceId: 'i' })
      await sendHeartbeat(world, joining(groupId, 'a2', [topic.name], { instanceId: 'i' }))
      await sendHeartbeat(world, { groupId, memberId: 'a2', memberEpoch: epoch, instanceId: 'i' })
      await sendHeartbeat(world, { groupId, memberId: 'a2', memberEpoch: -2, instanceId: 'i' })
      await sendHeartbeat(world, { groupId, memberId: 'a', memberEpoch: -2, instanceId: 'j' })
      await sendHeartbeat(world, { groupId, memberId: 'a', memberEpoch: -2, instanceId: 'i' })
      await describeNewest(world, groupId)
      await sendHeartbeat(world, { groupId, memberId: 'b', memberEpoch: epoch })
      await sendHeartbeat(world, joining(groupId, 'a2', [topic.name], { instanceId: 'i' }))
      await sendHeartbeat(world, { groupId, memberId: 'a', memberEpoch: epoch, instanceId: 'i' })
      await sendHeartbeat(world, { groupId, memberId: 'a2', memberEpoch: epoch, instanceId: 'i' })
      await describeNewest(world, groupId)
      await sendHeartbeat(world, { groupId, memberId: 'a2', memberEpoch: -2, instanceId: 'i' })
      await sendHeartbeat(
        world,
        joining(groupId, 'a3', [topic.name, world.name('u')], { instanceId: 'i', rackId: 'r' }),
      )
      await describeNewest(world, groupId)
      await sendHeartbeat(world, { groupId, memberId: 'a3', memberEpoch: -1, instanceId: 'i' })
      await describeNewest(world, groupId)
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
]
