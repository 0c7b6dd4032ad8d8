import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  baseOffset,
  Compression,
  DeleteRecords,
  DeleteTopics,
  ErrorCode,
  Fetch,
  forEachBatch,
  lastOffsetDelta,
  magicOf,
  Produce,
  readMessages,
  ZERO_UUID,
  type RecordBatchOptions,
  type RequestInput,
  type Response,
} from '@millrace/protocol'
import { batchOf, type RawClient, TestBroker } from '../testing/index.ts'

type Answer = Response<typeof Fetch>
type PartitionResult = Answer['responses'][number]['partitions'][number]

interface Wanted {
  readonly topic?: string
  readonly index?: number
  readonly offset?: bigint
  readonly maxBytes?: number
  readonly currentLeaderEpoch?: number
  readonly lastFetchedEpoch?: number
}

interface Limits {
  readonly version?: number
  readonly maxWaitMs?: number
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly isolationLevel?: number
  readonly replicaId?: number
}

function request(wanted: readonly Wanted[], limits: Limits = {}): RequestInput<typeof Fetch> {
  const { version = 12, maxWaitMs = 0, minBytes = 1, maxBytes = 1 << 20, isolationLevel = 0, replicaId = -1 } = limits
  return {
    maxWaitMs,
    minBytes,
    ...(version >= 15 ? { replicaState: { replicaId, replicaEpoch: -1n } } : { replicaId }),
    ...(version >= 3 ? { maxBytes } : {}),
    ...(version >= 4 ? { isolationLevel } : {}),
    topics: wanted.map(({ topic = 't', index = 0, offset = 0n, maxBytes: partitionMaxBytes = 1 << 20, ...epochs }) => ({
      topic,
      partitions: [{ partition: index, fetchOffset: offset, partitionMaxBytes, ...epochs }],
    })),
  }
}

async function fetch(client: RawClient, wanted: readonly Wanted[], limits: Limits = {}): Promise<PartitionResult[]> {
  const answer = await client.ask(Fetch, limits.version ?? 12, request(wanted, limits))
  assert.equal(answer.errorCode, ErrorCode.NONE)
  return answer.responses.flatMap(({ partitions }) => partitions)
}

async function produce(
  client: RawClient,
  values: readonly string[],
  options: RecordBatchOptions & { topic?: string; index?: number } = {},
): Promise<void> {
  const { topic = 't', index = 0, ...batch } = options
  const { responses } = await client.ask(Produce, 9, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name: topic, partitionData: [{ index, records: batchOf(values, batch) }] }],
  })
  assert.equal(responses[0]!.partitionResponses[0]!.errorCode, ErrorCode.NONE)
}

/** First and last offset of each whole batch, and how many bytes are left over. */
function batchesIn({ records }: PartitionResult): { offsets: [bigint, bigint][]; rest: number } {
  const offsets: [bigint, bigint][] = []
  let end = 0
  forEachBatch(records!, (at, sizeBytes) => {
    const base = baseOffset(records!, at)
    offsets.push([base, base + BigInt(lastOffsetDelta(records!, at))])
    end = at + sizeBytes
  })
  return { offsets, rest: records!.length - end }
}

const size = (result: PartitionResult | undefined): number => result?.records?.length ?? -1

test('offsets: inside a batch, at the end, beyond it, below the start, negative', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  await produce(client, ['a', 'b', 'c'])
  await produce(client, ['d', 'e'])
  const at = async (offset: bigint) => (await fetch(client, [{ offset }]))[0]!

  assert.deepEqual(batchesIn(await at(1n)).offsets, [
    [0n, 2n],
    [3n, 4n],
  ])
  const end = await at(5n)
  assert.deepEqual([end.errorCode, end.highWatermark, end.lastStableOffset, size(end)], [ErrorCode.NONE, 5n, 5n, 0])
  await client.ask(DeleteRecords, 2, {
    timeoutMs: 1000,
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: 2n }] }],
  })
  assert.deepEqual(batchesIn(await at(2n)).offsets[0], [0n, 2n])
  assert.equal((await at(2n)).logStartOffset, 2n)
  for (const offset of [6n, 1n, -1n, 1n << 62n]) {
    const { errorCode, highWatermark, lastStableOffset, logStartOffset, records, abortedTransactions } =
      await at(offset)
    assert.deepEqual(
      { errorCode, highWatermark, lastStableOffset, logStartOffset, size: records?.length, abortedTransactions },
      {
        errorCode: ErrorCode.OFFSET_OUT_OF_RANGE,
        highWatermark: -1n,
        lastStableOffset: -1n,
        logStartOffset: -1n,
        size: 0,
        abortedTransactions: null,
      },
    )
  }
  client.close()
})

test('the first partition with data gives a whole batch whatever the limits, the next ones what fits, whole', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t', { partitions: 3 })
  const client = await broker.connect()
  for (const index of [1, 2]) await produce(client, ['x'.repeat(1000)], { index })
  const batchBytes = size((await fetch(client, [{ index: 1 }]))[0])
  const sizes = async (limits: Limits, partitionMaxBytes: number) =>
    (
      await fetch(
        client,
        [0, 1, 2].map((index) => ({ index, maxBytes: partitionMaxBytes })),
        limits,
      )
    ).map(size)

  assert.deepEqual(await sizes({}, 1 << 20), [0, batchBytes, batchBytes])
  for (const [maxBytes, partitionMaxBytes] of [
    [1 << 20, 10],
    [1 << 20, 0],
    [1 << 20, -7],
    [1 << 20, -0x80000000],
    [10, 1 << 20],
    [0, 1 << 20],
    [-1, 1 << 20],
    [batchBytes + 10, 1 << 20],
    [2 * batchBytes - 1, 1 << 20],
  ] as const)
    assert.deepEqual(
      await sizes({ maxBytes }, partitionMaxBytes),
      [0, batchBytes, 0],
      `maxBytes ${maxBytes}, partitionMaxBytes ${partitionMaxBytes}`,
    )
  assert.deepEqual(await sizes({ maxBytes: 2 * batchBytes }, 1 << 20), [0, batchBytes, batchBytes])
  client.close()
})

test('fetch.max.bytes bounds what clients ask for', async () => {
  await using broker = await TestBroker.start({ configs: { 'fetch.max.bytes': 3000 } })
  await broker.createTopic('t')
  const client = await broker.connect()
  for (let at = 0; at < 10; at++) await produce(client, ['x'.repeat(900)])
  const [result] = await fetch(client, [{ maxBytes: 0x7fffffff }], { maxBytes: 0x7fffffff })
  assert.equal(size(result), 3000)
  assert.equal(batchesIn(result!).offsets.length, 3)
  client.close()
})

test('a partition named twice is answered once, in the place of the first, as the last one says', async () => {
  await using broker = await TestBroker.start()
  const topicId = await broker.createTopic('t', { partitions: 2 })
  const client = await broker.connect()
  for (const value of ['a', 'b']) await produce(client, [value])
  const wanted = [{ offset: 0n }, { index: 1 }, { offset: 1n }]
  const [first, second, ...more] = await fetch(client, wanted)
  assert.deepEqual([first!.partitionIndex, second!.partitionIndex, more.length], [0, 1, 0])
  assert.deepEqual(batchesIn(first!).offsets, [[1n, 1n]])

  const byId = await client.ask(Fetch, 16, {
    maxWaitMs: 0,
    minBytes: 1,
    sessionEpoch: 0,
    topics: [0, 1, 2].map(() => ({
      topicId,
      partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 100 }],
    })),
  })
  assert.equal(byId.responses.length, 1)
  client.close()
})

test('topic ids: unknown, zero, and of a topic that was made anew', async () => {
  await using broker = await TestBroker.start()
  const old = await broker.createTopic('t')
  const client = await broker.connect()
  const errorOf = async (topicId: string) => {
    const { responses } = await client.ask(Fetch, 15, {
      maxWaitMs: 0,
      minBytes: 1,
      topics: [{ topicId, partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 100 }] }],
    })
    assert.equal(responses[0]!.topicId, topicId)
    return responses[0]!.partitions[0]!.errorCode
  }
  assert.equal(await errorOf(old), ErrorCode.NONE)
  assert.equal(await errorOf(ZERO_UUID), ErrorCode.UNKNOWN_TOPIC_ID)
  assert.equal(await errorOf('abcdefghijklmnopqrstuA'), ErrorCode.UNKNOWN_TOPIC_ID)
  await client.ask(DeleteTopics, 5, { topicNames: ['t'], timeoutMs: 5000 })
  assert.equal(await errorOf(old), ErrorCode.UNKNOWN_TOPIC_ID)
  const renewed = await broker.createTopic('t')
  assert.equal(await errorOf(old), ErrorCode.UNKNOWN_TOPIC_ID)
  assert.equal(await errorOf(renewed), ErrorCode.NONE)
  client.close()
})

test('leader epochs are checked, and a history this log does not know is refused', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  await produce(client, ['a'])
  const errorOf = async (wanted: Wanted) => (await fetch(client, [wanted]))[0]!.errorCode
  assert.equal(await errorOf({ currentLeaderEpoch: 0 }), ErrorCode.NONE)
  assert.equal(await errorOf({ currentLeaderEpoch: 1 }), ErrorCode.UNKNOWN_LEADER_EPOCH)
  assert.equal(await errorOf({ lastFetchedEpoch: 0, offset: 1n }), ErrorCode.NONE)
  assert.equal(await errorOf({ lastFetchedEpoch: 5 }), ErrorCode.OFFSET_OUT_OF_RANGE)
  const [diverged] = await fetch(client, [{ lastFetchedEpoch: 0, offset: 9n }])
  assert.deepEqual(
    [diverged!.errorCode, diverged!.divergingEpoch.epoch, diverged!.divergingEpoch.endOffset],
    [ErrorCode.NONE, 0, 1n],
  )
  client.close()
})

test('an answer waits for minBytes, and no longer than maxWaitMs', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t', { partitions: 2 })
  const [client, producer] = [await broker.connect(), await broker.connect()]
  const both = [{ index: 0 }, { index: 1 }]
  const waiting = fetch(client, both, { maxWaitMs: 0x7fffffff, minBytes: 1500 })
  await produce(producer, ['x'.repeat(1000)])
  await produce(producer, ['x'.repeat(1000)], { index: 1 })
  const [first, second] = await waiting
  assert.ok(size(first) > 1000 && size(second) > 1000)

  const started = performance.now()
  const [late] = await fetch(client, both, { maxWaitMs: 120, minBytes: 1 << 19 })
  assert.ok(size(late) > 1000)
  assert.ok(performance.now() - started >= 115)

  const [capped] = await fetch(client, both, { maxWaitMs: 60_000, minBytes: 0x7fffffff, maxBytes: 500 })
  assert.ok(size(capped) > 1000, 'more than maxBytes is not waited for')
  client.close()
  producer.close()
})

test('a topic that is not there hastens the answer only when there is no other', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  const unknown = { topic: 'none' }
  assert.equal(
    (await fetch(client, [unknown], { maxWaitMs: 60_000 }))[0]!.errorCode,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  )
  const started = performance.now()
  const results = await fetch(client, [unknown, {}], { maxWaitMs: 100 })
  assert.deepEqual(
    results.map(({ errorCode }) => errorCode),
    [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.NONE],
  )
  assert.ok(performance.now() - started >= 95, 'a client that asks for a deleted topic would be answered without end')
  const wrongEpoch = await fetch(client, [unknown, { currentLeaderEpoch: 9 }], { maxWaitMs: 60_000 })
  assert.equal(wrongEpoch[1]!.errorCode, ErrorCode.UNKNOWN_LEADER_EPOCH)
  client.close()
})

test('a fetch that waits is told when its topic is deleted, and when the log start passes it', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const [client, admin] = [await broker.connect(), await broker.connect()]
  const limits = { maxWaitMs: 60_000, minBytes: 1 << 19 }
  await produce(admin, ['a', 'b'])
  const passed = fetch(client, [{ offset: 1n }], limits)
  await admin.ask(DeleteRecords, 2, {
    timeoutMs: 1000,
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: -1n }] }],
  })
  assert.equal((await passed)[0]!.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE)
  const gone = fetch(client, [{ offset: 2n }], limits)
  await admin.ask(DeleteTopics, 5, { topicNames: ['t'], timeoutMs: 5000 })
  assert.equal((await gone)[0]!.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  client.close()
  admin.close()
})

test('what is left of an older segment is not waited on, however little it is', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t', { configs: { 'segment.bytes': 1 << 20 } })
  const client = await broker.connect()
  // The third does not fit into the first segment.
  for (let at = 0; at < 3; at++) await produce(client, ['x'.repeat(450_000)])
  const [result] = await fetch(client, [{ offset: 1n }], { maxWaitMs: 60_000, minBytes: 500_000 })
  assert.deepEqual(batchesIn(result!).offsets, [[1n, 1n]])
  client.close()
})

test('aborted transactions are listed for read_committed only', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  await produce(client, ['a'])
  assert.equal((await fetch(client, [{}], { isolationLevel: 0 }))[0]!.abortedTransactions, null)
  assert.deepEqual((await fetch(client, [{}], { isolationLevel: 1 }))[0]!.abortedTransactions, [])
  client.close()
})

test('old clients get old formats, and no codec they do not know', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t', { partitions: 2 })
  const client = await broker.connect()
  await produce(client, ['a', 'b', 'c'])
  await produce(client, ['z'], { index: 1, compression: Compression.ZSTD })
  for (const [version, magic] of [
    [0, 0],
    [1, 0],
    [2, 1],
    [3, 1],
  ] as const) {
    const [result] = await fetch(client, [{ offset: 1n }], { version })
    const records = result!.records!
    assert.equal(magicOf(records, 0), magic)
    const values: string[] = []
    forEachBatch(records, (at) => {
      for (const { offset, value } of readMessages(records, at, 1000))
        values.push(`${offset}:${Buffer.from(value!).toString()}`)
    })
    assert.deepEqual(values, ['1:b', '2:c'])
  }
  for (let version = 0; version <= 12; version++) {
    const [result] = await fetch(client, [{ index: 1 }], { version })
    const expected = version < 10 ? ErrorCode.UNSUPPORTED_COMPRESSION_TYPE : ErrorCode.NONE
    assert.deepEqual([result!.errorCode, size(result) > 0], [expected, version >= 10], `version ${version}`)
  }
  client.close()
})

test('a session answers with what is new, keeps errors fresh, and ends when nothing is left in it', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t', { partitions: 3 })
  const client = await broker.connect()
  const ask = (sessionId: number, sessionEpoch: number, wanted: readonly Wanted[], forgotten: readonly number[] = []) =>
    client.ask(Fetch, 12, {
      ...request(wanted),
      sessionId,
      sessionEpoch,
      forgottenTopicsData: forgotten.length === 0 ? [] : [{ topic: 't', partitions: forgotten }],
    })
  const indexes = ({ responses }: Answer) =>
    responses.flatMap(({ partitions }) => partitions.map((one) => one.partitionIndex))

  const first = await ask(0, 0, [{ index: 0 }, { index: 1 }, { index: 9 }])
  const { sessionId } = first
  assert.ok(sessionId > 0)
  assert.deepEqual(indexes(first), [0, 1, 9])
  assert.deepEqual(indexes(await ask(sessionId, 1, [])), [9])
  await produce(client, ['a'], { index: 1 })
  assert.deepEqual(new Set(indexes(await ask(sessionId, 2, [{ index: 2 }], [9]))), new Set([1, 2]))
  assert.deepEqual(indexes(await ask(sessionId, 3, [{ index: 1, offset: 1n }])), [])

  assert.equal((await ask(sessionId, 3, [])).errorCode, ErrorCode.INVALID_FETCH_SESSION_EPOCH)
  assert.equal((await ask(sessionId, -7, [])).errorCode, ErrorCode.INVALID_FETCH_SESSION_EPOCH)
  assert.equal((await ask(sessionId ^ 1, 4, [])).errorCode, ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
  const withIds = await client.ask(Fetch, 13, { maxWaitMs: 0, minBytes: 0, topics: [], sessionId, sessionEpoch: 4 })
  assert.equal(withIds.errorCode, ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
  const last = await ask(sessionId, 4, [], [0, 1, 2])
  assert.deepEqual([last.errorCode, last.sessionId, last.responses.length], [ErrorCode.NONE, 0, 0])
  assert.equal((await ask(sessionId, 5, [])).errorCode, ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
  client.close()
})

test('nobody follows a leader that does not replicate yet, and no such fetch waits', async () => {
  await using broker = await TestBroker.start()
  await broker.createTopic('t')
  const client = await broker.connect()
  const [result] = await fetch(client, [{}], { replicaId: 2, maxWaitMs: 60_000 })
  assert.equal(result!.errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  client.close()
})
