/** Consumer groups (KIP-848): joined, kept, left, and the heartbeats that are refused. */
import { ConsumerGroupDescribe, ConsumerGroupHeartbeat } from '@millrace/protocol'
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
} from './consumer-members.ts'

export const joiningConsumerGroups: readonly Scenario[] = [
  {
    name: 'a member of a consumer group joins, beats, is described and leaves, in every version',
    needs,
    async run(world) {
      const { name } = await knownTopic(world, 't', 4)
      for (const version of world.versions(ConsumerGroupHeartbeat)) {
        const groupId = world.name(`v${version}`)
        const { memberId, memberEpoch } = await sendHeartbeat(
          world,
          joining(groupId, version === 0 ? '' : 'm', [name, world.name('none')]),
          version,
        )
        const known = { groupId, memberId: memberId!, memberEpoch }
        await sendHeartbeat(world, known, version)
        await sendHeartbeat(
          world,
          { ...joining(groupId, memberId!, [name]), memberEpoch, topicPartitions: [] },
          version,
        )
        for (const one of world.versions(ConsumerGroupDescribe)) {
          const admin = await world.client('admin')
          const groupIds = [groupId, world.name('none'), '']
          await admin.ask(ConsumerGroupDescribe, one, { groupIds, includeAuthorizedOperations: one === 1 })
        }
        await sendHeartbeat(world, { ...known, memberEpoch: -1 }, version)
        await sendHeartbeat(world, known, version)
        await describeNewest(world, groupId)
        await sendHeartbeat(world, joining(groupId, 'n', [name]), version)
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
        const ask = (more: Beat) => sendHeartbeat(world, joining(groupId, 'm', [name], more), version)
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
        await describeNewest(world, groupId)
      }
    },
  },
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
]
