import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '@millrace/protocol'
import { adminOf } from './testing/admin-of.ts'

test('the cluster, its features and its log directories are described', async (context) => {
  const { admin, cluster } = await adminOf(context)
  const described = await admin.describeCluster({ includeAuthorizedOperations: true })
  assert.equal(described.clusterId, (await cluster.metadata.refresh()).clusterId)
  assert.equal(described.brokers.length, 1)
  assert.deepEqual(described.controller, described.brokers[0])
  assert.equal(described.brokers[0]!.id, 1)
  assert.equal(described.brokers[0]!.isFenced, false)
  assert.ok(described.authorizedOperations?.includes('CREATE'))
  assert.equal((await admin.describeCluster()).authorizedOperations, null)

  const features = await admin.describeFeatures()
  assert.deepEqual(await admin.describeFeatures({ nodeId: 1 }), features)
  assert.ok(features.supported['transaction.version']!.max >= 2)

  await admin.createTopics([{ name: 't', numPartitions: 2 }])
  const [broker] = await admin.describeLogDirs([1])
  assert.equal(broker.brokerId, 1)
  const [logDir] = broker.logDirs
  assert.equal(logDir!.error, null)
  assert.deepEqual(
    logDir!.replicas.map(({ topic, partition, isFuture }) => `${topic}-${partition} ${isFuture}`).toSorted(),
    ['t-0 false', 't-1 false'],
  )
  const [there, missing] = await admin.describeReplicaLogDirs([
    { topic: 't', partition: 1, brokerId: 1 },
    { topic: 't', partition: 5, brokerId: 1 },
  ])
  assert.deepEqual(there.current, { path: logDir!.path, offsetLag: 0n })
  assert.equal(there.future, null)
  assert.equal(missing.current, null)
  await assert.rejects(
    admin.alterReplicaLogDirs([{ topic: 't', partition: 0, brokerId: 1, path: '/no/such/directory' }]),
    {
      code: ErrorCode.LOG_DIR_NOT_FOUND,
    },
  )
})

test('a broker that the cluster does not have is waited for, and named', async (context) => {
  const { admin } = await adminOf(context)
  await assert.rejects(
    admin.describeLogDirs([9], { timeoutMs: 200 }),
    /broker 9 is not among the cluster's brokers now/,
  )
})

test('a feature level that is not supported is refused, and validating changes nothing', async (context) => {
  const { admin } = await adminOf(context)
  const before = await admin.describeFeatures()
  await assert.rejects(admin.updateFeatures([{ feature: 'group.version', maxVersionLevel: 77 }]), KafkaFailure)
  await admin.updateFeatures([{ feature: 'group.version', maxVersionLevel: 1 }], { validateOnly: true })
  assert.deepEqual(await admin.describeFeatures(), before)
})

const KafkaFailure = { code: ErrorCode.INVALID_UPDATE_VERSION }

test('what a broker does not serve is an error that names the API and the release', async (context) => {
  const { admin } = await adminOf(context)
  await assert.rejects(admin.describeMetadataQuorum(), (error: Error & { code: number }) => {
    assert.equal(error.code, ErrorCode.UNSUPPORTED_VERSION)
    assert.match(
      error.message,
      /the broker does not serve DescribeQuorum: it needs Apache Kafka 3\.3 with KRaft or later/,
    )
    return true
  })
})

test('an aborted signal and closing end what is under way', async (context) => {
  const { admin } = await adminOf(context)
  const reason = new Error('enough')
  await assert.rejects(admin.listTopics({ signal: AbortSignal.abort(reason) }), reason)
  const abort = new AbortController()
  const waiting = admin.listOffsets([{ topic: 'never', partition: 0, offset: 'latest' }], { signal: abort.signal })
  abort.abort(reason)
  await assert.rejects(waiting, reason)
  const closing = admin.listOffsets([{ topic: 'never', partition: 0, offset: 'latest' }])
  await Promise.all([assert.rejects(closing, /the client is closed/), admin.close()])
  await assert.rejects(admin.listTopics(), /the client is closed/)
})

test("metrics are there under Kafka's names", async (context) => {
  const { admin } = await adminOf(context)
  await admin.listTopics()
  const sent = admin.metrics().find(({ group, name }) => group === 'admin-client-metrics' && name === 'request-total')
  assert.ok(sent!.value > 0)
})
