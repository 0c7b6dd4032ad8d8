/** Members of consumer groups that subscribe by regular expression. */
import { ConsumerGroupHeartbeat } from '@millrace/protocol'
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

export const subscribingByExpression: readonly Scenario[] = [
  {
    name: 'a consumer group with a regular expression',
    needs,
    async run(world) {
      await knownTopic(world, 'ra', 2)
      await knownTopic(world, 'rb', 2)
      await knownTopic(world, 'sb', 2)
      const groupId = world.name('group')
      const byRegex: Beat = { subscribedTopicNames: null, subscribedTopicRegex: `${world.name('r')}.*` }
      await sendHeartbeat(world, joining(groupId, 'a', [], { ...byRegex, serverAssignor: 'range' }))
      const client = await world.client('members')
      await client.askUntil(
        ConsumerGroupHeartbeat,
        1,
        { groupId, memberId: 'a', memberEpoch: 1 },
        ({ assignment }) => assignment !== null,
      )
      await describeNewest(world, groupId)
      await sendHeartbeat(world, joining(groupId, 'b', [], byRegex))
      await describeNewest(world, groupId)
      await sendHeartbeat(world, { groupId, memberId: 'b', memberEpoch: -1 })
      await sendHeartbeat(world, {
        groupId,
        memberId: 'a',
        memberEpoch: 2,
        subscribedTopicRegex: '',
        topicPartitions: [],
      })
      await describeNewest(world, groupId)
      await sendHeartbeat(world, { groupId, memberId: 'a', memberEpoch: -1 })
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
]
