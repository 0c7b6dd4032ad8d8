import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EmbeddedTree } from '@millrace/coordination'
import {
  Compression,
  DeleteRecords,
  DeleteTopics,
  ErrorCode,
  InitProducerId,
  ListOffsets,
  Produce,
  RecordBatchBuilder,
  ZERO_UUID,
  type RecordBatchOptions,
  type RequestInput,
  type Response,
} from '@millrace/protocol'
import { MemoryDisk, nodeRuntime } from '@millrace/runtime'
import { batchOf, type RawClient, TestBroker } from '../testing/index.ts'

type PartitionResult = Response<typeof Produce>['responses'][number]['partitionResponses'][number]

const newest = Produce.versions[1]

interface Sent {
  readonly topic?: string
  readonly topicId?: string
  readonly index?: number
  readonly records: Uint8Array | null
  readonly acks?: number
  readonly timeoutMs?: number
  readonly version?: number
}

function request({
  topic = 't',
  topicId,
  index = 0,
  records,
  acks = -1,
  timeoutMs = 5000,
}: Sent): RequestInput<typeof Produce> {
  return {
    acks,
    timeoutMs,
    topicData: [{ ...(topicId === undefined ? { name: topic } : { topicId }), partitionData: [{ index, records }] }],
  }
}

async function send(client: RawClient, sent: Sent): Promise<PartitionResult> {
  const { responses } = await client.ask(Produce, sent.version ?? 12, request(sent))
  return responses[0]!.partitionResponses[0]!
}

async function latest(client: RawClient, topic = 't'): Promise<bigint> {
  const { topics } = await client.ask(ListOffsets, 5, {
    replicaId: -1,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
  })
  return topics[0]!.partitions[0]!.offset
}

test('of several things that are wrong Kafka’s first one is told', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  const two = Buffer.concat([batchOf(['a']), batchOf(['b'])])
  const cases: [Sent, number][] = [
    [{ topic: 'none', records: null, acks: 7 }, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    [{ index: 1, records: null, acks: 7 }, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    [{ index: -1, records: batchOf(['a']) }, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    [{ topic: '__proto__', records: batchOf(['a']) }, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    [{ records: null, acks: 7 }, ErrorCode.INVALID_RECORD],
    [{ records: new Uint8Array(0) }, ErrorCode.INVALID_RECORD],
    [{ records: batchOf(['a']), acks: 7 }, ErrorCode.INVALID_REQUIRED_ACKS],
    [{ records: batchOf(['a']), acks: -2 }, ErrorCode.INVALID_REQUIRED_ACKS],
    [{ records: two }, ErrorCode.INVALID_RECORD],
    [
      { records: batchOf(['a'], { compression: Compression.ZSTD }), version: 6 },
      ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
    ],
    [{ records: batchOf(['a'], { baseOffset: 5n }) }, ErrorCode.INVALID_RECORD],
    [{ topicId: ZERO_UUID, records: batchOf(['a']), version: newest }, ErrorCode.UNKNOWN_TOPIC_ID],
    [{ topicId: 'abcdefghijklmnopqrstuA', records: batchOf(['a']), version: newest }, ErrorCode.UNKNOWN_TOPIC_ID],
  ]
  for (const [sent, errorCode] of cases) {
    const result = await send(client, sent)
    assert.equal(result.errorCode, errorCode, JSON.stringify({ ...sent, records: sent.records?.length }))
    assert.equal(result.baseOffset, -1n)
  }
  assert.equal(await latest(client), 0n)
  client.close()
})

test('a topic is written to by its id', async () => {
  await using broker = await TestBroker.start()
  const topicId = await broker.createTopic('t')
  const client = await broker.connect()
  const { responses } = await client.ask(Produce, newest, request({ topicId, records: batchOf(['a', 'b']) }))
  assert.equal(responses[0]!.topicId, topicId)
  assert.deepEqual(responses[0]!.partitionResponses[0]!.errorCode, ErrorCode.NONE)
  assert.equal(await latest(client), 2n)
  client.close()
})

for (const timeoutMs of [0, -5, 0x7fffffff])
  test(`acks=-1 with a timeout of ${timeoutMs} ms succeeds where no other replica is waited for`, async () => {
    await using broker = await TestBroker.start()
    await broker.createTopic('t', { configs: { 'flush.messages': 1, 'min.insync.replicas': 3 } })
    const client = await broker.connect()
    for (const base of [0n, 1n, 2n]) {
      const { errorCode, baseOffset } = await send(client, { records: batchOf(['a']), timeoutMs })
      assert.deepEqual([errorCode, baseOffset], [ErrorCode.NONE, base])
    }
    client.close()
  })

test('the answer tells the log start, and the append time where the topic stamps it', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  await broker.createTopic('stamped', { configs: { 'message.timestamp.type': 'LogAppendTime' } })
  const client = await broker.connect()
  const first = await send(client, { records: batchOf(['a', 'b', 'c']) })
  assert.deepEqual([first.baseOffset, first.logAppendTimeMs, first.logStartOffset], [0n, -1n, 0n])
  await client.ask(DeleteRecords, 2, {
    timeoutMs: 1000,
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: 2n }] }],
  })
  const second = await send(client, { records: batchOf(['d']) })
  assert.deepEqual([second.baseOffset, second.logStartOffset], [3n, 2n])
  const refused = await send(client, { records: batchOf(['d'], { baseOffset: 9n }) })
  assert.deepEqual([refused.errorCode, refused.logStartOffset], [ErrorCode.INVALID_RECORD, 2n])
  const before = BigInt(Date.now())
  const stamped = await send(client, { topic: 'stamped', records: batchOf(['a']) })
  assert.ok(stamped.logAppendTimeMs >= before && stamped.logAppendTimeMs <= BigInt(Date.now()))
  client.close()
})

test('a compacted topic names the records without a key, and takes none of the batch; other partitions go on', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t', { configs: { 'cleanup.policy': 'compact' } })
  await broker.createTopic('other')
  const client = await broker.connect()
  const builder = new RecordBatchBuilder({})
  const timestamp = BigInt(Date.now())
  builder.append({ timestamp, key: Buffer.from('k'), value: Buffer.from('v') })
  builder.append({ timestamp, value: Buffer.from('no key') })
  const records = builder.build()
  const { responses } = await client.ask(Produce, 8, {
    acks: -1,
    timeoutMs: 1000,
    topicData: [
      { name: 't', partitionData: [{ index: 0, records }] },
      { name: 'other', partitionData: [{ index: 0, records: batchOf(['x']) }] },
    ],
  })
  const [bad, good] = responses.map(({ partitionResponses }) => partitionResponses[0]!)
  assert.equal(bad!.errorCode, ErrorCode.INVALID_RECORD)
  assert.deepEqual(
    bad!.recordErrors.map(({ batchIndex }) => batchIndex),
    [1],
  )
  assert.ok(bad!.errorMessage !== null)
  assert.equal(good!.errorCode, ErrorCode.NONE)
  assert.deepEqual([await latest(client), await latest(client, 'other')], [0n, 1n])
  client.close()
})

test('a batch above max.message.bytes is refused', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t', { configs: { 'max.message.bytes': 1000 } })
  const client = await broker.connect()
  const large = await send(client, { records: batchOf(['x'.repeat(1000)]) })
  assert.deepEqual([large.errorCode, large.logStartOffset], [ErrorCode.MESSAGE_TOO_LARGE, -1n])
  assert.equal((await send(client, { records: batchOf(['x'.repeat(900)]) })).errorCode, ErrorCode.NONE)
  client.close()
})

test('a partition named twice in a request is written twice, in order', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  const { responses } = await client.ask(Produce, 9, {
    acks: -1,
    timeoutMs: 1000,
    topicData: [
      {
        name: 't',
        partitionData: [
          { index: 0, records: batchOf(['a', 'b']) },
          { index: 0, records: batchOf(['c']) },
        ],
      },
    ],
  })
  assert.deepEqual(
    responses[0]!.partitionResponses.map(({ errorCode, baseOffset }) => [errorCode, baseOffset]),
    [
      [ErrorCode.NONE, 0n],
      [ErrorCode.NONE, 2n],
    ],
  )
  client.close()
})

test('no topics, and a topic without partitions, are answered', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  const nothing = await client.ask(Produce, 9, { acks: -1, timeoutMs: 0, topicData: [] })
  assert.deepEqual(nothing.responses, [])
  const empty = await client.ask(Produce, 9, { acks: 1, timeoutMs: 0, topicData: [{ name: 't', partitionData: [] }] })
  assert.deepEqual(
    empty.responses.map(({ name, partitionResponses }) => [name, partitionResponses.length]),
    [['t', 0]],
  )
  client.close()
})

function idempotent(producerId: bigint, producerEpoch: number, baseSequence: number, count = 1): Uint8Array {
  const options: RecordBatchOptions = { producerId, producerEpoch, baseSequence }
  return batchOf(
    Array.from({ length: count }, (_, at) => `${baseSequence + at}`),
    options,
  )
}

test('an idempotent producer’s repetition is answered as the first time; gaps and old epochs are refused', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  const { producerId, producerEpoch } = await client.ask(InitProducerId, 4, {
    transactionalId: null,
    transactionTimeoutMs: 0,
  })
  assert.equal(producerEpoch, 0)
  const steps: [name: string, records: Uint8Array, errorCode: number, baseOffset: bigint][] = [
    ['first', idempotent(producerId, 0, 0, 3), ErrorCode.NONE, 0n],
    ['second', idempotent(producerId, 0, 3, 2), ErrorCode.NONE, 3n],
    ['first again', idempotent(producerId, 0, 0, 3), ErrorCode.NONE, 0n],
    ['gap', idempotent(producerId, 0, 9), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1n],
    ['half a repetition', idempotent(producerId, 0, 0, 2), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1n],
    ['new epoch not at 0', idempotent(producerId, 1, 5), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1n],
    ['new epoch', idempotent(producerId, 1, 0), ErrorCode.NONE, 5n],
    ['old epoch', idempotent(producerId, 0, 5), ErrorCode.INVALID_PRODUCER_EPOCH, -1n],
    ['unknown producer in mid-stream', idempotent(producerId + 500n, 0, 77), ErrorCode.NONE, 6n],
    ['negative sequence', idempotent(producerId, 1, -1), ErrorCode.INVALID_RECORD, -1n],
    ['before the wrap', idempotent(producerId + 501n, 0, 0x7ffffffe, 2), ErrorCode.NONE, 7n],
    ['after the wrap', idempotent(producerId + 501n, 0, 0), ErrorCode.NONE, 9n],
    ['across the wrap', idempotent(producerId + 502n, 0, 0x7fffffff, 3), ErrorCode.NONE, 10n],
    ['behind it', idempotent(producerId + 502n, 0, 2), ErrorCode.NONE, 13n],
  ]
  for (const [name, records, errorCode, baseOffset] of steps) {
    const result = await send(client, { records })
    assert.deepEqual([result.errorCode, result.baseOffset], [errorCode, baseOffset], name)
  }
  client.close()
})

test('repetitions are known after a restart, and a batch pipelined behind a refused one is refused too', async () => {
  const real = nodeRuntime()
  const runtime = { ...real, disk: new MemoryDisk({ now: () => real.clock.now() }) }
  await using tree = await EmbeddedTree.open({ clock: runtime.clock })
  const options = { runtime, tree }
  {
    await using broker = await TestBroker.start(options)
    await broker.createTopic('t')
    const client = await broker.connect()
    assert.equal((await send(client, { records: idempotent(42n, 0, 0, 3) })).baseOffset, 0n)
    client.close()
  }
  await using broker = await TestBroker.start(options)
  const client = await broker.connect()
  const again = await send(client, { records: idempotent(42n, 0, 0, 3) })
  assert.deepEqual([again.errorCode, again.baseOffset], [ErrorCode.NONE, 0n])
  const [gap, next] = await Promise.all([
    send(client, { records: idempotent(42n, 0, 8) }),
    broker.connect().then((other) => send(other, { records: idempotent(42n, 0, 9) }).finally(() => other.close())),
  ])
  assert.deepEqual(
    [gap.errorCode, next.errorCode],
    [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER],
  )
  assert.equal((await send(client, { records: idempotent(42n, 0, 3) })).baseOffset, 3n)
  client.close()
})

test('a topic that is deleted while its records are checked is unknown', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const [client, admin] = [await broker.connect(), await broker.connect()]
  // Large and compressed: it is unpacked on another thread, and meanwhile the topic goes.
  const noise = Array.from({ length: 4000 }, () => Math.random().toString(36).repeat(4))
  const records = batchOf(noise, { compression: Compression.GZIP })
  for (let round = 0; round < 5; round++) {
    const produced = send(client, { records })
    const deleted = admin.ask(DeleteTopics, 5, { topicNames: ['t'], timeoutMs: 5000 })
    const { errorCode } = await produced
    await deleted
    assert.ok(
      errorCode === ErrorCode.NONE || errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      `round ${round} was answered with ${errorCode}`,
    )
    assert.equal((await send(client, { records })).errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    await broker.createTopic('t')
  }
  client.close()
  admin.close()
})
