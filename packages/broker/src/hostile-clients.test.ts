/** Where Apache Kafka 4.3.1 can be brought down or made to forget by one client: here the others must not feel it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import {
  ApiVersions,
  BATCH_HEADER_SIZE,
  crc32c,
  CreateTopics,
  DeleteTopics,
  ErrorCode,
  Produce,
} from '@millrace/protocol'
import { batchOf, TestBroker } from './testing/index.ts'

async function brokerWithTopic(name: string, configs: Record<string, number> = {}): Promise<TestBroker> {
  const broker = await TestBroker.start({ configs })
  const client = await broker.connect()
  await client.ask(CreateTopics, 5, {
    timeoutMs: 5000,
    topics: [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
  })
  client.close()
  return broker
}

test('forty connections that announce 100 MB take next to no memory', async () => {
  await using broker = await TestBroker.start()
  const before = process.memoryUsage().rss
  const greedy = await Promise.all(Array.from({ length: 40 }, () => broker.connect()))
  const start = Buffer.alloc(1000)
  start.writeInt32BE(100_000_000)
  for (const client of greedy) client.write(start)
  const client = await broker.connect()
  assert.equal((await client.ask(ApiVersions, 0, {})).errorCode, ErrorCode.NONE)
  assert.ok(process.memoryUsage().rss - before < 60e6, 'memory was taken before the bytes had come')
  for (const one of [client, ...greedy]) one.close()
})

test('a Produce with null records is answered', async () => {
  await using broker = await brokerWithTopic('t')
  const client = await broker.connect()
  for (const version of [3, 8, 9, 12]) {
    const answer = await client.ask(Produce, version, {
      acks: 1,
      timeoutMs: 1000,
      topicData: [{ name: 't', partitionData: [{ index: 0, records: null }] }],
    })
    assert.equal(answer.responses[0]?.partitionResponses[0]?.errorCode, ErrorCode.INVALID_RECORD)
  }
  client.close()
})

test('60,000 names in one DeleteTopics do not keep the others waiting', async () => {
  await using broker = await TestBroker.start()
  const client = await broker.connect()
  const other = await broker.connect()
  const deletion = client.ask(DeleteTopics, 5, {
    timeoutMs: 30_000,
    topicNames: Array.from({ length: 60_000 }, (_, at) => `no-such-topic-${at}`),
  })
  let answered = 0
  let longestMs = 0
  let isDone = false
  const watch = (async () => {
    while (!isDone) {
      const started = performance.now()
      await other.ask(ApiVersions, 0, {})
      longestMs = Math.max(longestMs, performance.now() - started)
      answered++
    }
  })()
  const { responses } = await deletion
  isDone = true
  await watch
  assert.equal(responses.length, 60_000)
  assert.ok(responses.every(({ errorCode }) => errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
  assert.ok(answered > 3, `only ${answered} requests of another client were served meanwhile, one took ${longestMs} ms`)
  client.close()
  other.close()
})

test('a small batch that unpacks to more than the bound is refused without being unpacked', async () => {
  await using broker = await brokerWithTopic('t', { 'millrace.batch.max.decompressed.bytes': 1 << 20 })
  const client = await broker.connect()
  const zeros = Buffer.alloc(100 << 20)
  for (const [codec, packed] of [
    [1, gzipSync(zeros)],
    [4, zstdCompressSync(zeros)],
  ] as const) {
    const batch = new Uint8Array(BATCH_HEADER_SIZE + packed.length)
    batch.set(batchOf(['x']).subarray(0, BATCH_HEADER_SIZE))
    batch.set(packed, BATCH_HEADER_SIZE)
    const view = new DataView(batch.buffer)
    view.setInt32(8, batch.length - 12)
    view.setInt16(21, codec)
    view.setUint32(17, crc32c(batch, 21, batch.length))
    const before = process.memoryUsage().rss
    const answer = await client.ask(Produce, 7, {
      acks: 1,
      timeoutMs: 1000,
      topicData: [{ name: 't', partitionData: [{ index: 0, records: batch }] }],
    })
    const { errorCode } = answer.responses[0]!.partitionResponses[0]!
    assert.equal(errorCode, ErrorCode.MESSAGE_TOO_LARGE)
    assert.ok(process.memoryUsage().rss - before < 60e6, 'the batch was unpacked')
  }
  client.close()
})
