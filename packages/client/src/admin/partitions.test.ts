import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '@millrace/protocol'
import { settled } from './partial-failure.ts'
import { adminOf, produce } from './testing/admin-of.ts'

test('a topic gets more partitions, and no fewer', async (context) => {
  const { admin } = await adminOf(context)
  await admin.createTopics([{ name: 't', numPartitions: 2 }])
  await admin.createPartitions([{ topic: 't', totalCount: 4 }], { validateOnly: true })
  assert.equal((await admin.describeTopics(['t']))[0].partitions.length, 2)
  assert.deepEqual(await admin.createPartitions([{ topic: 't', totalCount: 4, assignments: [[1], [1]] }]), [
    { topic: 't' },
  ])
  assert.equal((await admin.describeTopics(['t']))[0].partitions.length, 4)
  const [fewer, missing] = await settled(
    admin.createPartitions([
      { topic: 't', totalCount: 3 },
      { topic: 'missing', totalCount: 3 },
    ]),
  )
  assert.equal(fewer.status === 'rejected' && fewer.reason.code, ErrorCode.INVALID_PARTITIONS)
  assert.equal(missing.status === 'rejected' && missing.reason.code, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
})

test('records before an offset are deleted, or all of them', async (context) => {
  const { admin, cluster } = await adminOf(context)
  await admin.createTopics([{ name: 't', numPartitions: 2 }])
  for (const partition of [0, 1]) await produce(cluster, { topic: 't', partition, values: ['a', 'b', 'c'] })
  assert.deepEqual(
    await admin.deleteRecords([
      { topic: 't', partition: 1, beforeOffset: 'end' },
      { topic: 't', partition: 0, beforeOffset: 2n },
    ]),
    [
      { topic: 't', partition: 1, lowWatermark: 3n },
      { topic: 't', partition: 0, lowWatermark: 2n },
    ],
  )
  await assert.rejects(admin.deleteRecords([{ topic: 't', partition: 0, beforeOffset: 9n }]), {
    code: ErrorCode.OFFSET_OUT_OF_RANGE,
  })
  // In the request -1 would be the end, and so would be what is cut to it.
  for (const wrong of [-1n, 2n ** 64n - 1n])
    await assert.rejects(admin.deleteRecords([{ topic: 't', partition: 0, beforeOffset: wrong }]), {
      name: 'RangeError',
      message: /cannot be deleted up to/,
    })
})

test('a partition that does not exist is waited for until the time is over, and the others are told meanwhile', async (context) => {
  const { admin } = await adminOf(context)
  await admin.createTopics([{ name: 't' }])
  const [there, missing, noTopic] = await settled(
    admin.listOffsets(
      [
        { topic: 't', partition: 0, offset: 'latest' },
        { topic: 't', partition: 7, offset: 'latest' },
        { topic: 'none', partition: 0, offset: 'latest' },
      ],
      { timeoutMs: 300 },
    ),
  )
  assert.equal(there.status, 'fulfilled')
  assert.equal(missing.status === 'rejected' && missing.reason.code, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.match(String(missing.status === 'rejected' && missing.reason), /t-7: the topic has 1 partitions.*gave up/)
  assert.equal(noTopic.status === 'rejected' && noTopic.reason.code, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
})

test('what comes while it is waited for is found', async (context) => {
  const { admin } = await adminOf(context)
  await admin.createTopics([{ name: 't' }])
  const waiting = admin.listOffsets([{ topic: 't', partition: 2, offset: 'earliest' }])
  await admin.createPartitions([{ topic: 't', totalCount: 3 }])
  assert.equal((await waiting)[0].offset, 0n)
})

test('offsets are found by their place and by time', async (context) => {
  const { admin, cluster } = await adminOf(context)
  await admin.createTopics([{ name: 't', numPartitions: 2 }])
  await produce(cluster, { topic: 't', partition: 0, values: ['a', 'b', 'c', 'd'], timestamp: 1_700_000_000_000 })
  await admin.deleteRecords([{ topic: 't', partition: 0, beforeOffset: 1n }])
  const at = { topic: 't', partition: 0 }
  const listed = await admin.listOffsets([
    { ...at, offset: 'earliest' },
    { ...at, offset: 'latest' },
  ])
  assert.deepEqual(
    listed.map(({ offset, timestamp, leaderEpoch }) => [offset, timestamp, leaderEpoch]),
    [
      [1n, null, 0],
      [4n, null, 0],
    ],
  )
  const [max] = await admin.listOffsets([{ ...at, offset: 'max-timestamp' }])
  assert.deepEqual(max, { ...at, offset: 3n, timestamp: 1_700_000_000_003, leaderEpoch: 0 })
  const [byTime, empty] = await admin.listOffsets([
    { ...at, offset: { timestamp: 1_700_000_000_002 } },
    { topic: 't', partition: 1, offset: { timestamp: 0 } },
  ])
  assert.deepEqual(byTime, { ...at, offset: 2n, timestamp: 1_700_000_000_002, leaderEpoch: 0 })
  assert.deepEqual(empty, { topic: 't', partition: 1, offset: null, timestamp: null, leaderEpoch: null })
  const [local] = await admin.listOffsets([{ ...at, offset: 'earliest-local' }], { isolationLevel: 'read_committed' })
  assert.equal(local.offset, 1n)
  // @ts-expect-error -- there is no such place.
  assert.throws(() => admin.listOffsets([{ ...at, offset: 'middle' }]), TypeError)
  assert.throws(() => admin.listOffsets([{ ...at, offset: { timestamp: 1.5 } }]), RangeError)
})
