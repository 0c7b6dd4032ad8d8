// A cluster with something of everything: topics, records, groups of each type, a transaction under way, configs, rights, quotas.
import { serde, type Admin, type Kafka } from '@millrace/client'
import { eventually } from '../checks/eventually.ts'
import { expectEqual, expectTrue } from '../expect.ts'
import type { Job } from './our-answers.ts'

const firstTimestamp = 1_700_000_000_000

/** Resolves when all of it is there; what is open is closed with `resources`. */
export async function setScene(kafka: Kafka, admin: Admin, resources: AsyncDisposableStack): Promise<Job> {
  await admin.createTopics([
    {
      name: 'orders',
      numPartitions: 4,
      configs: { 'retention.ms': 86_400_000, 'follower.replication.throttled.replicas': ['0:1', '1:2'] },
    },
    {
      name: 'placed',
      replicaAssignments: [
        [3, 1],
        [1, 2],
      ],
    },
    { name: 'empty', replicationFactor: 1 },
  ])
  await write(kafka, 'orders', resources)
  await admin.deleteRecords([{ topic: 'orders', partition: 0, beforeOffset: 3n }])
  await settings(admin)
  const groups = await openGroups(kafka, admin, resources)
  await openTransaction(kafka, resources)
  return {
    topics: ['orders', 'placed', 'empty', '__consumer_offsets'],
    brokers: [1, 2, 3],
    ...groups,
    transactionalIds: ['open-transaction'],
    configResources: [
      { type: 'TOPIC', name: 'orders' },
      { type: 'TOPIC', name: 'placed' },
      { type: 'BROKER', name: '1' },
      { type: 'BROKER', name: '3' },
      { type: 'BROKER', name: '' },
      { type: 'BROKER_LOGGER', name: '2' },
      { type: 'GROUP', name: 'newer' },
      { type: 'CLIENT_METRICS', name: 'some-metrics' },
    ],
    timestamp: firstTimestamp + 5,
  }
}

async function write(kafka: Kafka, topic: string, resources: AsyncDisposableStack): Promise<void> {
  const producer = resources.use(kafka.producer({ topic, value: serde.string }))
  const records = Array.from({ length: 40 }, (_, at) => ({
    partition: at % 3,
    value: `value ${at}`,
    timestamp: firstTimestamp + at,
  }))
  await producer.sendAll(records)
}

async function settings(admin: Admin): Promise<void> {
  await admin.incrementalAlterConfigs([
    {
      type: 'TOPIC',
      name: 'placed',
      set: { 'max.message.bytes': 2_000_000 },
      append: { 'leader.replication.throttled.replicas': '0:3' },
    },
    { type: 'BROKER', name: '3', set: { 'log.cleaner.threads': 2 } },
    { type: 'BROKER', name: '', set: { 'message.max.bytes': 3_000_000 } },
    { type: 'BROKER_LOGGER', name: '2', set: { 'kafka.server.KafkaApis': 'WARN' } },
    { type: 'GROUP', name: 'newer', set: { 'consumer.heartbeat.interval.ms': 5000 } },
    { type: 'CLIENT_METRICS', name: 'some-metrics', set: { metrics: 'org.apache.kafka.', 'interval.ms': 60_000 } },
  ])
  await admin.createAcls([
    { resourceType: 'TOPIC', resourceName: 'orders', principal: 'User:alice', operation: 'READ' },
    {
      resourceType: 'TOPIC',
      resourceName: 'ord',
      patternType: 'PREFIXED',
      principal: 'User:bob',
      host: '10.0.0.1',
      operation: 'WRITE',
      permissionType: 'DENY',
    },
    { resourceType: 'GROUP', resourceName: '*', principal: 'User:*', operation: 'ALL' },
    { resourceType: 'CLUSTER', resourceName: 'kafka-cluster', principal: 'User:carol', operation: 'ALTER_CONFIGS' },
    { resourceType: 'TRANSACTIONAL_ID', resourceName: 'tx', principal: 'User:carol', operation: 'TWO_PHASE_COMMIT' },
    { resourceType: 'USER', resourceName: 'User:dora', principal: 'User:carol', operation: 'CREATE_TOKENS' },
    { resourceType: 'DELEGATION_TOKEN', resourceName: 'token', principal: 'User:carol', operation: 'DESCRIBE' },
  ])
  await admin.alterClientQuotas([
    { entity: { user: 'alice', 'client-id': 'etl' }, set: { producer_byte_rate: 1_000_000, consumer_byte_rate: 7 } },
    { entity: { user: null }, set: { request_percentage: 50.5 } },
    { entity: { ip: '10.0.0.1' }, set: { connection_creation_rate: 3 } },
  ])
  await admin.alterUserScramCredentials([
    { user: 'alice', mechanism: 'SCRAM-SHA-256', password: 'secret' },
    { user: 'bob', mechanism: 'SCRAM-SHA-512', password: 'secret' },
  ])
  // A request may name a user once.
  await admin.alterUserScramCredentials([
    { user: 'alice', mechanism: 'SCRAM-SHA-512', password: 'secret', iterations: 8192 },
  ])
}

async function openGroups(kafka: Kafka, admin: Admin, resources: AsyncDisposableStack) {
  const reading = { offsetReset: 'earliest', enableAutoCommit: false } as const
  read(resources.use(kafka.consumer({ ...reading, groupId: 'newer', topics: ['orders'], groupProtocol: 'consumer' })))
  read(
    resources.use(
      kafka.consumer({
        ...reading,
        groupId: 'newer',
        topics: /^ord.*/,
        groupProtocol: 'consumer',
        groupInstanceId: 'static',
        clientRack: 'rack-2',
      }),
    ),
  )
  read(
    resources.use(
      kafka.consumer({ ...reading, groupId: 'older', topics: ['orders', 'placed'], groupProtocol: 'classic' }),
    ),
  )
  read(resources.use(kafka.shareConsumer({ groupId: 'shared', topics: ['orders'], clientRack: 'rack-1' })))
  await eventually(async () => {
    const [newer, older] = await admin.describeConsumerGroups(['newer', 'older'])
    const [shared] = await admin.describeShareGroups(['shared'])
    expectEqual([newer.state, older.state, shared.state], ['Stable', 'Stable', 'Stable'], 'states')
    expectEqual(newer.members.flatMap(({ assignment }) => assignment).length, 4, 'partitions of the newer group')
    expectEqual(older.members.flatMap(({ assignment }) => assignment).length, 6, 'partitions of the older group')
    expectEqual(shared.members.flatMap(({ assignment }) => assignment).length, 4, 'partitions of the share group')
  }, 30_000)
  await admin.alterGroupOffsets('only-offsets', [
    { topic: 'orders', partition: 0, offset: 5n, leaderEpoch: 0, metadata: 'by hand' },
    { topic: 'placed', partition: 1, offset: 0n },
  ])
  await eventually(async () => {
    await admin.alterShareGroupOffsets('not-shared-now', [{ topic: 'orders', partition: 1, startOffset: 2n }])
  })
  return {
    consumerGroups: ['newer', 'older', 'only-offsets'],
    classicGroups: ['older', 'only-offsets'],
    shareGroups: ['shared', 'not-shared-now'],
  }
}

/** Reads on until it is closed. */
function read(consumer: AsyncIterable<unknown>): void {
  void (async () => {
    for await (const _ of consumer) void _
  })().catch(() => {})
}

async function openTransaction(kafka: Kafka, resources: AsyncDisposableStack): Promise<void> {
  const producer = resources.use(kafka.producer({ value: serde.string, transactionalId: 'open-transaction' }))
  await producer.initTransactions()
  producer.beginTransaction()
  const sent = await producer.sendAll([
    { topic: 'orders', partition: 3, value: 'open' },
    { topic: 'placed', partition: 0, value: 'open' },
  ])
  expectTrue(sent.length === 2, 'the records of the transaction were not sent')
}
