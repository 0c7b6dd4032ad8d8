import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { PartialFailure, settled } from './partial-failure.ts'
import { adminOf } from './testing/admin-of.ts'

test('topics are created, listed, described and deleted', async (context) => {
  const { admin } = await adminOf(context)
  const [orders, payments] = await admin.createTopics([
    {
      name: 'orders',
      numPartitions: 3,
      replicationFactor: 1,
      configs: { 'retention.ms': 1000, 'cleanup.policy': ['compact', 'delete'] },
    },
    { name: 'payments' },
  ])
  assert.equal(orders.name, 'orders')
  assert.equal(orders.numPartitions, 3)
  assert.equal(orders.replicationFactor, 1)
  assert.equal(orders.configs?.['retention.ms'], '1000')
  assert.equal(orders.configs['cleanup.policy'], 'compact,delete')
  assert.equal(payments.numPartitions, 1)

  const listed = await admin.listTopics()
  assert.deepEqual(listed.map(({ name }) => name).toSorted(), ['orders', 'payments'])
  assert.deepEqual(
    listed.find(({ name }) => name === 'orders'),
    { name: 'orders', topicId: orders.topicId, isInternal: false },
  )

  const [described] = await admin.describeTopics(['orders'], { includeAuthorizedOperations: true })
  assert.deepEqual(described.partitions[2], {
    topic: 'orders',
    partition: 2,
    leaderId: 1,
    leaderEpoch: 0,
    replicas: [1],
    inSyncReplicas: [1],
    offlineReplicas: [],
    eligibleLeaderReplicas: described.partitions[2]!.eligibleLeaderReplicas,
    lastKnownEligibleLeaderReplicas: described.partitions[2]!.lastKnownEligibleLeaderReplicas,
  })
  assert.equal(described.topicId, orders.topicId)
  assert.ok(described.authorizedOperations?.includes('DESCRIBE'))
  const [byId] = await admin.describeTopics([{ topicId: orders.topicId! }])
  assert.equal(byId.name, 'orders')
  assert.equal(byId.authorizedOperations, null)

  const [deleted, deletedById] = await admin.deleteTopics(['payments', { topicId: orders.topicId! }])
  assert.deepEqual(deleted.name, 'payments')
  assert.deepEqual(deletedById, { name: 'orders', topicId: orders.topicId })
  assert.deepEqual(await admin.listTopics(), [])
})

test('validateOnly creates nothing', async (context) => {
  const { admin } = await adminOf(context)
  await admin.createTopics([{ name: 't' }], { validateOnly: true })
  assert.deepEqual(await admin.listTopics(), [])
  await assert.rejects(admin.createTopics([{ name: 't', replicationFactor: 7 }], { validateOnly: true }), {
    code: ErrorCode.INVALID_REPLICATION_FACTOR,
  })
})

test('one failed thing alone throws its own error, naming it', async (context) => {
  const { admin } = await adminOf(context)
  await admin.createTopics([{ name: 't' }])
  await assert.rejects(admin.createTopics([{ name: 't' }]), (error: KafkaError) => {
    assert.ok(!(error instanceof PartialFailure))
    assert.equal(error.code, ErrorCode.TOPIC_ALREADY_EXISTS)
    assert.match(error.message, /^topic t: /)
    return true
  })
})

test('a failure among several throws, and settled tells what became of each', async (context) => {
  const { admin } = await adminOf(context)
  await admin.createTopics([{ name: 'b' }])
  const failed = admin.createTopics([{ name: 'a' }, { name: 'b' }, { name: 'no/good' }])
  await assert.rejects(failed, (error: PartialFailure) => {
    assert.ok(error instanceof PartialFailure)
    assert.equal(error.code, ErrorCode.TOPIC_ALREADY_EXISTS)
    assert.match(error.message, /createTopics: 2 of 3 failed: topic b: .*; topic no\/good: /)
    return true
  })
  const [a, b, bad] = await settled(failed)
  assert.equal(a.status === 'fulfilled' && a.value.name, 'a')
  assert.equal(b.status === 'rejected' && (b.reason as KafkaError).code, ErrorCode.TOPIC_ALREADY_EXISTS)
  assert.equal(bad.status === 'rejected' && (bad.reason as KafkaError).code, ErrorCode.INVALID_TOPIC_EXCEPTION)
  const described = await settled(admin.describeTopics(['a', 'missing']))
  assert.deepEqual(
    described.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
})

test('a topic with more partitions than an answer may have is described page by page', async (context) => {
  const { admin } = await adminOf(context)
  await admin.createTopics([
    { name: 'b', numPartitions: 7 },
    { name: 'a', numPartitions: 3 },
    { name: 'c', numPartitions: 1 },
  ])
  const described = await admin.describeTopics(['c', 'b', 'a'], { partitionSizeLimitPerResponse: 2 })
  assert.deepEqual(
    described.map(({ name, partitions }) => [name, partitions.map(({ partition }) => partition)]),
    [
      ['c', [0]],
      ['b', [0, 1, 2, 3, 4, 5, 6]],
      ['a', [0, 1, 2]],
    ],
  )
})

test('internal topics are listed when asked for', async (context) => {
  const { admin } = await adminOf(context)
  await settled(admin.describeConsumerGroups(['makes-the-topic']))
  assert.deepEqual(await admin.listTopics(), [])
  assert.deepEqual(await admin.listTopics({ includeInternal: true }).then((all) => all.map(({ name }) => name)), [
    '__consumer_offsets',
  ])
})

test('what is no list, or no topic, is refused and said to be so', async (context) => {
  const { admin } = await adminOf(context)
  const listless = (things: unknown) => things as never
  await assert.rejects(admin.createTopics(listless({ topics: [] })), /createTopics expects a list, but got {/)
  await assert.rejects(admin.deleteTopics(listless('orders')), /deleteTopics expects a list, but got "orders"/)
  await assert.rejects(admin.createTopics(listless(['orders'])), /a new topic should be an object, but is "orders"/)
})

test('a misspelt name is refused, as leaving it out would do something else', async (context) => {
  const { admin } = await adminOf(context)
  const misspelt = (value: object) => value as never
  await assert.rejects(admin.createTopics([misspelt({ name: 't', partitions: 3 })]), {
    name: 'TypeError',
    message: 'a new topic has no partitions; did you mean numPartitions?',
  })
  await assert.rejects(
    admin.incrementalAlterConfigs([misspelt({ type: 'TOPIC', name: 't', remove: ['retention.ms'] })]),
    /a change of configs has no remove/,
  )
})
