/** Partitions of consumer groups go from member to member; topics, subscriptions and assignors change. */
import { ConsumerGroupHeartbeat, CreatePartitions } from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import {
  type Beat,
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

export const consumerAssignments: readonly Scenario[] = [
  {
    name: 'partitions go from one member of a consumer group to another, and wrong epochs are fenced',
    needs,
    async run(world) {
      const topic = await knownTopic(world, 't', 4)
      const groupId = world.name('group')
      const epoch = await twoMembers(world, groupId, topic)
      await describeNewest(world, groupId)
      const a = { groupId, memberId: 'a' }
      await sendHeartbeat(world, { ...a, memberEpoch: epoch + 1 })
      await sendHeartbeat(world, { ...a, memberEpoch: epoch - 1 })
      await sendHeartbeat(world, {
        ...a,
        memberEpoch: epoch - 1,
        topicPartitions: [{ topicId: topic.id, partitions: [0] }],
      })
      await sendHeartbeat(world, {
        ...a,
        memberEpoch: epoch - 1,
        topicPartitions: [{ topicId: topic.id, partitions: [2] }],
      })
      await sendHeartbeat(world, { ...a, memberEpoch: epoch - 2, topicPartitions: [] })
      await sendHeartbeat(world, { ...a, memberEpoch: epoch })
      await sendHeartbeat(world, joining(groupId, 'a', [topic.name]))
      await sendHeartbeat(world, { ...a, memberId: 'c', memberEpoch: epoch })
      await sendHeartbeat(world, { ...a, memberId: 'b', memberEpoch: -1 })
      await describeNewest(world, groupId)
      await sendHeartbeat(world, { ...a, memberEpoch: epoch })
      await describeNewest(world, groupId)
      await sendHeartbeat(world, { ...a, memberEpoch: epoch + 1, subscribedTopicNames: [] })
      await sendHeartbeat(world, { ...a, memberEpoch: epoch + 1, topicPartitions: [] })
      await describeNewest(world, groupId)
    },
  },
  {
    name: 'a consumer group learns of new partitions',
    needs,
    async run(world) {
      const topic = await knownTopic(world, 't', 2)
      const groupId = world.name('group')
      await sendHeartbeat(world, joining(groupId, 'a', [topic.name]))
      const admin = await world.client('admin')
      await admin.ask(CreatePartitions, 3, {
        topics: [{ name: topic.name, count: 4, assignments: null }],
        timeoutMs: 10_000,
        validateOnly: false,
      })
      const client = await world.client('members')
      const known = { groupId, memberId: 'a', memberEpoch: 2 }
      await client.askUntil(ConsumerGroupHeartbeat, 1, known, ({ assignment }) => assignment !== null)
      await describeNewest(world, groupId)
    },
  },
  {
    name: 'assignors of a consumer group',
    needs,
    async run(world) {
      const [one, other] = [await knownTopic(world, 'one', 5), await knownTopic(world, 'other', 5)]
      const groupId = world.name('group')
      const topics = [one.name, other.name]
      await sendHeartbeat(world, joining(groupId, 'a', topics, { serverAssignor: 'range' }))
      await sendHeartbeat(world, joining(groupId, 'b', topics, { serverAssignor: 'range' }))
      await sendHeartbeat(world, joining(groupId, 'c', topics, { serverAssignor: 'range', instanceId: 'z' }))
      await describeNewest(world, groupId)
      await sendHeartbeat(world, { groupId, memberId: 'b', memberEpoch: 3, serverAssignor: 'uniform' })
      await sendHeartbeat(world, { groupId, memberId: 'b', memberEpoch: 4, subscribedTopicNames: [one.name] })
      await describeNewest(world, groupId)
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
]
