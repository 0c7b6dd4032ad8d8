/** The small handlers around the log: DeleteRecords, DescribeProducers, InitProducerId, DescribeLogDirs, AlterReplicaLogDirs, ApiVersions. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AlterReplicaLogDirs,
  ApiVersions,
  DeleteRecords,
  DescribeLogDirs,
  DescribeProducers,
  ErrorCode,
  InitProducerId,
  Produce,
} from '@millrace/protocol'
import { batchOf, type RawClient, TestBroker } from '../testing/index.ts'

async function produce(client: RawClient, count: number, producerId = -1n): Promise<void> {
  const values = Array.from({ length: count }, (_, at) => `${at}`)
  const records = batchOf(values, producerId < 0n ? {} : { producerId, producerEpoch: 3, baseSequence: 0 })
  const topicData = [{ name: 't', partitionData: [{ index: 0, records }] }]
  const { responses } = await client.ask(Produce, 9, { acks: -1, timeoutMs: 5000, topicData })
  assert.equal(responses[0]!.partitionResponses[0]!.errorCode, ErrorCode.NONE)
}

async function deleteBefore(client: RawClient, name: string, partitionIndex: number, offset: bigint) {
  const { topics } = await client.ask(DeleteRecords, 2, {
    timeoutMs: 1000,
    topics: [{ name, partitions: [{ partitionIndex, offset }] }],
  })
  const { errorCode, lowWatermark } = topics[0]!.partitions[0]!
  return [errorCode, lowWatermark]
}

test('DeleteRecords moves the log start forward only, and at most to the high watermark', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  await broker.createTopic('compacted', { configs: { 'cleanup.policy': 'compact' } })
  await broker.createTopic('both', { configs: { 'cleanup.policy': 'compact,delete' } })
  const client = await broker.connect()
  await produce(client, 10)
  assert.deepEqual(await deleteBefore(client, 't', 0, 4n), [ErrorCode.NONE, 4n])
  assert.deepEqual(await deleteBefore(client, 't', 0, 2n), [ErrorCode.NONE, 4n])
  assert.deepEqual(await deleteBefore(client, 't', 0, 11n), [ErrorCode.OFFSET_OUT_OF_RANGE, -1n])
  assert.deepEqual(await deleteBefore(client, 't', 0, -2n), [ErrorCode.OFFSET_OUT_OF_RANGE, -1n])
  assert.deepEqual(await deleteBefore(client, 't', 0, -1n), [ErrorCode.NONE, 10n])
  assert.deepEqual(await deleteBefore(client, 't', 1, 0n), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1n])
  assert.deepEqual(await deleteBefore(client, 'none', 0, 0n), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1n])
  assert.deepEqual(await deleteBefore(client, '__consumer_offsets', 0, 0n), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1n])
  assert.deepEqual(await deleteBefore(client, 'compacted', 0, -1n), [ErrorCode.POLICY_VIOLATION, -1n])
  assert.deepEqual(await deleteBefore(client, 'both', 0, -1n), [ErrorCode.NONE, 0n])
  client.close()
})

test('DescribeProducers tells what a partition remembers', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  await produce(client, 5, 77n)
  await produce(client, 5)
  const before = BigInt(Date.now()) - 60_000n
  const { topics } = await client.ask(DescribeProducers, 0, {
    topics: [
      { name: 't', partitionIndexes: [0, 1] },
      { name: 'none', partitionIndexes: [0] },
      { name: 'no such name', partitionIndexes: [0] },
    ],
  })
  const [known, ...failed] = topics.flatMap(({ partitions }) => partitions)
  assert.deepEqual([known!.errorCode, known!.errorMessage, known!.activeProducers.length], [ErrorCode.NONE, null, 1])
  const { lastTimestamp, ...producer } = known!.activeProducers[0]!
  assert.ok(lastTimestamp > before)
  assert.deepEqual(producer, {
    producerId: 77n,
    producerEpoch: 3,
    lastSequence: 4,
    coordinatorEpoch: -1,
    currentTxnStartOffset: -1n,
  })
  assert.deepEqual(
    failed.map(({ errorCode }) => errorCode),
    [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.INVALID_TOPIC_EXCEPTION],
  )
  client.close()
})

test('InitProducerId gives ids that nobody has, and takes an id only together with its epoch', async () => {
  await using broker = await TestBroker.start()
  const client = await broker.connect()
  const ask = (more: { transactionalId?: string; producerId?: bigint; producerEpoch?: number } = {}) =>
    client.ask(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 1000, ...more })
  const ids = new Set<bigint>()
  for (let at = 0; at < 20; at++) {
    const { errorCode, producerId, producerEpoch } = await ask()
    assert.deepEqual([errorCode, producerEpoch], [ErrorCode.NONE, 0])
    ids.add(producerId)
  }
  assert.equal(ids.size, 20)
  const bumped = await ask({ producerId: 5n, producerEpoch: 2 })
  assert.deepEqual([bumped.errorCode, bumped.producerEpoch, ids.has(bumped.producerId)], [ErrorCode.NONE, 0, false])
  for (const [refused, errorCode] of [
    [{ producerId: 5n }, ErrorCode.INVALID_REQUEST],
    [{ producerEpoch: 5 }, ErrorCode.INVALID_REQUEST],
    [{ transactionalId: '' }, ErrorCode.INVALID_REQUEST],
    [{ transactionalId: 'txn' }, ErrorCode.NOT_COORDINATOR],
  ] as const) {
    const answer = await ask(refused)
    assert.deepEqual([answer.errorCode, answer.producerId, answer.producerEpoch], [errorCode, -1n, -1])
  }
  client.close()
})

test('DescribeLogDirs joins what is asked of one topic in several places; AlterReplicaLogDirs moves what exists', async () => {
  await using broker = await TestBroker.start({ configs: { 'log.dirs': '/a,/b' } })
  await broker.createTopic('t', { partitions: 3 })
  const client = await broker.connect()
  const describe = async (topics: { topic: string; partitions: number[] }[] | null) => {
    const { results } = await client.ask(DescribeLogDirs, 4, { topics })
    return new Map(
      results.map(({ logDir, topics: found }) => [
        logDir,
        found.flatMap(({ partitions }) =>
          partitions.filter((one) => !one.isFutureKey).map((one) => one.partitionIndex),
        ),
      ]),
    )
  }
  const all = (found: Map<string, number[]>) => new Set([...found.values()].flat())
  assert.deepEqual(all(await describe(null)), new Set([0, 1, 2]))
  assert.deepEqual(all(await describe([])), new Set())
  const asked = [
    { topic: 't', partitions: [0] },
    { topic: 't', partitions: [2] },
  ]
  assert.deepEqual(all(await describe(asked)), new Set([0, 2]))

  const move = async (path: string, name: string, partition: number) => {
    const { results } = await client.ask(AlterReplicaLogDirs, 2, {
      dirs: [{ path, topics: [{ name, partitions: [partition] }] }],
    })
    return results[0]!.partitions[0]!.errorCode
  }
  assert.equal(await move('/none', 't', 0), ErrorCode.LOG_DIR_NOT_FOUND)
  assert.equal(await move('/none', 'none', 0), ErrorCode.LOG_DIR_NOT_FOUND)
  assert.equal(await move('/a', 'none', 0), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.equal(await move('/a', 't', 9), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  for (const partition of [0, 1, 2]) assert.equal(await move('/b', 't', partition), ErrorCode.NONE)
  const started = performance.now()
  while ((await describe(null)).get('/b')!.length < 3) assert.ok(performance.now() - started < 5000, 'not moved')
  client.close()
})

test('ApiVersions asks for a proper name from version 3 on', async () => {
  await using broker = await TestBroker.start()
  const client = await broker.connect()
  const ask = (version: number, clientSoftwareName: string, clientSoftwareVersion: string) =>
    client.ask(ApiVersions, version, version < 3 ? {} : { clientSoftwareName, clientSoftwareVersion })
  for (const [name, version] of [
    ['', '1'],
    ['name', ''],
    ['-name', '1'],
    ['name', '1.'],
    ['na me', '1'],
    ['ñame', '1'],
    [`a${'-'.repeat(20_000)}`, '1'],
  ] as const) {
    const { errorCode, apiKeys } = await ask(3, name, version)
    assert.deepEqual([errorCode, apiKeys.length], [ErrorCode.INVALID_REQUEST, 0], `'${name.slice(0, 20)}' '${version}'`)
  }
  for (let version = 0; version <= 4; version++) {
    const { errorCode, apiKeys } = await ask(version, 'a.b-c', '1')
    assert.equal(errorCode, ErrorCode.NONE)
    assert.ok(apiKeys.some(({ apiKey }) => apiKey === Produce.key))
  }
  client.close()
})
