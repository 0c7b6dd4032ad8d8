/** Consumer groups (KIP-848) as clients see them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ConsumerGroupDescribe,
  ConsumerGroupHeartbeat,
  ErrorCode,
  FindCoordinator,
  IncrementalAlterConfigs,
  ListGroups,
  type RequestInput,
} from '@millrace/protocol'
import { TestBroker, type RawClient } from '../testing/index.ts'

const joining: RequestInput<typeof ConsumerGroupHeartbeat> = {
  groupId: 'g',
  memberId: 'm',
  memberEpoch: 0,
  rebalanceTimeoutMs: 60_000,
  subscribedTopicNames: ['t'],
  topicPartitions: [],
}

async function connect(broker: TestBroker): Promise<RawClient> {
  const client = await broker.connect()
  await broker.createTopic('t', { partitions: 3 })
  await client.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys: ['g'] })
  return client
}

test('a member joins, is described, is listed and leaves', async () => {
  await using broker = await TestBroker.start()
  const client = await connect(broker)
  const { errorCode, memberEpoch, heartbeatIntervalMs, assignment } = await client.ask(
    ConsumerGroupHeartbeat,
    1,
    joining,
  )
  assert.deepEqual([errorCode, memberEpoch, heartbeatIntervalMs], [ErrorCode.NONE, 2, 5000])
  assert.deepEqual(assignment?.topicPartitions[0]?.partitions, [0, 1, 2])
  const kept = await client.ask(ConsumerGroupHeartbeat, 1, {
    groupId: 'g',
    memberId: 'm',
    memberEpoch: 2,
    topicPartitions: null,
  })
  assert.deepEqual([kept.errorCode, kept.assignment], [ErrorCode.NONE, null])
  const { groups } = await client.ask(ConsumerGroupDescribe, 1, {
    groupIds: ['g', 'none', ''],
    includeAuthorizedOperations: false,
  })
  assert.deepEqual(
    groups.map((group) => [group.groupId, group.errorCode, group.groupState]),
    [
      ['g', ErrorCode.NONE, 'Stable'],
      ['none', ErrorCode.GROUP_ID_NOT_FOUND, ''],
      ['', ErrorCode.INVALID_GROUP_ID, ''],
    ],
  )
  const [member] = groups[0]!.members
  assert.equal(member!.clientHost, '/127.0.0.1')
  assert.deepEqual(member!.assignment, member!.targetAssignment)
  assert.equal(member!.assignment.topicPartitions[0]!.topicName, 't')
  const listed = await client.ask(ListGroups, 5, { statesFilter: ['stable'], typesFilter: ['Consumer'] })
  assert.deepEqual(
    listed.groups.map(({ groupId, groupType, protocolType, groupState }) => [
      groupId,
      groupType,
      protocolType,
      groupState,
    ]),
    [['g', 'consumer', 'consumer', 'Stable']],
  )
  const left = await client.ask(ConsumerGroupHeartbeat, 1, { groupId: 'g', memberId: 'm', memberEpoch: -1 })
  assert.deepEqual([left.errorCode, left.memberEpoch], [ErrorCode.NONE, -1])
  const again = await client.ask(ConsumerGroupHeartbeat, 1, { groupId: 'g', memberId: 'm', memberEpoch: 2 })
  assert.equal(again.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.equal(again.errorMessage, 'Member m is not a member of group g.')
})

test("a group's settings, changed while it lives, reach its members", async () => {
  await using broker = await TestBroker.start()
  const client = await connect(broker)
  await client.ask(ConsumerGroupHeartbeat, 1, joining)
  const change = async (value: string): Promise<number | undefined> => {
    const configs = [{ name: 'consumer.heartbeat.interval.ms', configOperation: 0, value }]
    const resources = [{ resourceType: 32, resourceName: 'g', configs }]
    const { responses } = await client.ask(IncrementalAlterConfigs, 1, { resources, validateOnly: false })
    return responses[0]?.errorCode
  }
  assert.equal(await change('8000'), ErrorCode.NONE)
  assert.equal(await change('80000'), ErrorCode.INVALID_CONFIG)
  const kept = await client.ask(ConsumerGroupHeartbeat, 1, { groupId: 'g', memberId: 'm', memberEpoch: 2 })
  assert.equal(kept.heartbeatIntervalMs, 8000)
})

test('without the feature, or when the protocol is not served, there are no consumer groups', async () => {
  const without = [
    { featureLevels: { 'group.version': 0 } },
    { configs: { 'group.coordinator.rebalance.protocols': 'classic' } },
  ]
  for (const options of without) {
    await using broker = await TestBroker.start(options)
    const client = await connect(broker)
    const { errorCode } = await client.ask(ConsumerGroupHeartbeat, 1, joining)
    assert.equal(errorCode, ErrorCode.UNSUPPORTED_VERSION)
    const { groups } = await client.ask(ConsumerGroupDescribe, 1, {
      groupIds: ['g'],
      includeAuthorizedOperations: true,
    })
    assert.equal(groups[0]?.errorCode, ErrorCode.UNSUPPORTED_VERSION)
  }
})

test('a regular expression is resolved, and an invalid one refused in words', async () => {
  await using broker = await TestBroker.start()
  const client = await connect(broker)
  const subscribed = { ...joining, subscribedTopicNames: null, subscribedTopicRegex: '[st]' }
  await client.ask(ConsumerGroupHeartbeat, 1, subscribed)
  for (let owned = 0; owned < 3;) {
    const { assignment } = await client.ask(ConsumerGroupHeartbeat, 1, subscribed)
    owned = assignment?.topicPartitions[0]?.partitions.length ?? 0
  }
  const { errorCode, errorMessage } = await client.ask(ConsumerGroupHeartbeat, 1, {
    ...subscribed,
    memberId: 'other',
    subscribedTopicRegex: '(t',
  })
  assert.equal(errorCode, ErrorCode.INVALID_REGULAR_EXPRESSION)
  assert.match(errorMessage ?? '', /^SubscribedTopicRegex `\(t` is not a valid regular expression: missing closing \)/)
})
