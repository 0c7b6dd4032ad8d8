import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ErrorCode, RecordBatchBuilder } from '@millrace/protocol'
import { serde } from '../serde/serdes.ts'
import type { Consumer } from './consumer.ts'
import { StagedLog, t0 } from './testing/staged-log.ts'

const text = { value: serde.string, offsetReset: 'earliest' } as const

/** The next values, and then the loop is left. */
async function next(consumer: Consumer<Uint8Array, string>, count: number): Promise<(string | null)[]> {
  const values: (string | null)[] = []
  for await (const { value } of consumer) if (values.push(value) === count) break
  return values
}

/** Who still takes epoch 0 for the leader's is told otherwise. */
const fencing: StagedLog['onFetch'] = (_offset, { topics }) =>
  topics[0]!.partitions[0]!.currentLeaderEpoch === 0 ? { errorCode: ErrorCode.FENCED_LEADER_EPOCH } : null

test('an answer to what was asked before a seek is dropped', async (context) => {
  const log = await StagedLog.stage(context)
  log.append('0', '1', '2', '3')
  await using consumer = log.kafka.consumer({ ...text })
  consumer.assign([t0])
  let isSought = false
  log.onFetch = () => {
    // The answer leaves when the application has gone elsewhere.
    if (!isSought) void consumer.seek(2n)
    isSought = true
    return null
  }
  assert.deepEqual(await next(consumer, 2), ['2', '3'])
})

test('a batch with a wrong checksum is told of with its place, again each time, and can be passed by', async (context) => {
  const log = await StagedLog.stage(context)
  log.append('0')
  const builder = new RecordBatchBuilder({ baseOffset: 1n })
  builder.append({ timestamp: 0n, value: Buffer.from('damaged') })
  const damaged = builder.build()
  damaged[damaged.length - 2]! ^= 1
  log.appendBytes(damaged, 1)
  log.append('2')
  await using consumer = log.kafka.consumer({ ...text })
  consumer.assign([t0])
  assert.deepEqual(await next(consumer, 1), ['0'])
  for (let time = 0; time < 2; time++)
    await assert.rejects(next(consumer, 1), {
      code: ErrorCode.CORRUPT_MESSAGE,
      message: /^t-0 cannot be read at offset 1: .*crc.*Seek past it/,
    })
  await consumer.seek(2n)
  assert.deepEqual(await next(consumer, 1), ['2'])
})

test('without checkCrcs checksums are not looked at', async (context) => {
  const log = await StagedLog.stage(context)
  const builder = new RecordBatchBuilder()
  builder.append({ timestamp: 0n, value: Buffer.from('damaged') })
  const damaged = builder.build()
  damaged[17]! ^= 1
  log.appendBytes(damaged, 1)
  await using consumer = log.kafka.consumer({ ...text, checkCrcs: false })
  consumer.assign([t0])
  assert.deepEqual(await next(consumer, 1), ['damaged'])
})

test('an answer that is no batch is told of, and asked for again after a pause', async (context) => {
  const log = await StagedLog.stage(context)
  log.append('0')
  log.onFetch = () => ({ records: Buffer.from('this is no batch of records, but long enough to be taken for one') })
  await using consumer = log.kafka.consumer({ ...text })
  consumer.assign([t0])
  await assert.rejects(next(consumer, 1), { code: ErrorCode.CORRUPT_MESSAGE })
  log.onFetch = null
  assert.deepEqual(await next(consumer, 1), ['0'])
})

for (const code of [
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.OFFSET_NOT_AVAILABLE,
  ErrorCode.UNKNOWN_SERVER_ERROR,
]) {
  test(`error ${code} passes, without being asked about all the time`, async (context) => {
    const log = await StagedLog.stage(context)
    log.append('0')
    let refusals = 0
    log.onFetch = () => (++refusals > 3 ? null : { errorCode: code })
    await using consumer = log.kafka.consumer({ ...text })
    consumer.assign([t0])
    assert.deepEqual(await next(consumer, 1), ['0'])
    assert.ok(log.count('Fetch') <= 6, `${log.count('Fetch')} fetches`)
  })
}

test('a topic that may not be read is told of', async (context) => {
  const log = await StagedLog.stage(context)
  log.onFetch = () => ({ errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED })
  await using consumer = log.kafka.consumer({ ...text })
  consumer.assign([t0])
  await assert.rejects(next(consumer, 1), { code: ErrorCode.TOPIC_AUTHORIZATION_FAILED, message: /operation Read/ })
})

test('sessions that are refused are begun anew', async (context) => {
  const log = await StagedLog.stage(context)
  log.append('0')
  log.fetchError = ErrorCode.FETCH_SESSION_ID_NOT_FOUND
  await using consumer = log.kafka.consumer({ ...text })
  consumer.assign([t0])
  const reading = next(consumer, 1)
  while (log.count('Fetch') < 3) await new Promise((resolve) => setImmediate(resolve))
  log.fetchError = 0
  assert.deepEqual(await reading, ['0'])
})

test('a truncated log is noticed when the leader changes: reading goes on where the logs part, and the application is told', async (context) => {
  const log = await StagedLog.stage(context)
  log.append('0', '1')
  log.append('2', '3')
  const told: string[] = []
  await using consumer = log.kafka.consumer({ ...text, onError: (error) => void told.push(error.message) })
  consumer.assign([t0])
  assert.deepEqual(await next(consumer, 4), ['0', '1', '2', '3'])
  // An unclean election: the new leader lacks the last batch, and goes its own way.
  log.truncate(2n)
  log.leaderEpoch = 1
  log.append('other 2', 'other 3', 'other 4')
  log.epochEnd = (epoch) => ({ leaderEpoch: epoch, endOffset: epoch === 0 ? 2n : log.endOffset })
  log.onFetch = fencing
  log.wake()
  assert.deepEqual(await next(consumer, 3), ['other 2', 'other 3', 'other 4'])
  assert.equal(told.length, 1)
  assert.match(told[0]!, /^t-0 was truncated: .*offset 4 of epoch 0.*parts from what was read at 2/)
})

test('with offsetReset none a truncated log is an error of the one who reads', async (context) => {
  const log = await StagedLog.stage(context)
  log.append('0', '1')
  await using consumer = log.kafka.consumer({ value: serde.string, offsetReset: 'none' })
  consumer.assign([t0])
  await consumer.seek('beginning')
  assert.deepEqual(await next(consumer, 2), ['0', '1'])
  log.truncate(0n)
  log.leaderEpoch = 1
  log.append('other')
  log.epochEnd = () => ({ leaderEpoch: -1, endOffset: -1n })
  log.onFetch = fencing
  log.wake()
  await assert.rejects(next(consumer, 1), { code: ErrorCode.OFFSET_OUT_OF_RANGE, message: /was truncated.*seek/ })
  log.epochEnd = () => ({ leaderEpoch: 1, endOffset: 1n })
  await consumer.seek('beginning')
  assert.deepEqual(await next(consumer, 1), ['other'])
})

test('prefetched records of a log that was truncated are not given out', async (context) => {
  const log = await StagedLog.stage(context)
  log.append('0')
  log.append('1')
  log.append('2')
  await using consumer = log.kafka.consumer({ ...text, maxPollRecords: 1 })
  consumer.assign([t0])
  assert.deepEqual(await next(consumer, 1), ['0'])
  log.truncate(1n)
  log.leaderEpoch = 1
  log.append('other 1')
  log.epochEnd = (epoch) => ({ leaderEpoch: epoch, endOffset: epoch === 0 ? 1n : log.endOffset })
  log.onFetch = fencing
  log.wake()
  while (log.count('OffsetForLeaderEpoch') < 2) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(await next(consumer, 1), ['other 1'])
})

test('a divergence that an answer tells of is taken as a truncated log', async (context) => {
  const log = await StagedLog.stage(context)
  log.append('0', '1', '2')
  const told: string[] = []
  await using consumer = log.kafka.consumer({ ...text, onError: (error) => void told.push(error.message) })
  consumer.assign([t0])
  await next(consumer, 3)
  let isDiverged = false
  log.onFetch = () => {
    if (isDiverged) return null
    isDiverged = true
    return { divergingEpoch: { epoch: 0, endOffset: 1n } }
  }
  log.wake()
  assert.deepEqual(
    await next(consumer, 2),
    ['1', '2'].length === 2 ? await Promise.resolve(['0', '1'].map((_, index) => `${index + 1}`)) : [],
  )
  assert.match(told[0]!, /was truncated/)
})

test('a topic made anew is read by offsetReset, and the application told', async (context) => {
  const log = await StagedLog.stage(context)
  log.append('0', '1')
  const told: string[] = []
  await using consumer = log.kafka.consumer({ ...text, onError: (error) => void told.push(error.message) })
  consumer.assign([t0])
  await next(consumer, 2)
  log.truncate(0n)
  log.topicId = 'AAAAAAAAAAAAAAAAAAAAAg'
  log.append('new')
  log.onFetch = (_offset, { topics }) =>
    topics[0]!.topicId === log.topicId ? null : { errorCode: ErrorCode.UNKNOWN_TOPIC_ID }
  log.wake()
  assert.deepEqual(await next(consumer, 1), ['new'])
  assert.deepEqual(told, ['t was deleted and made anew: reading begins anew by offsetReset'])
})

test('what a loop has in hand of a topic that was made anew is neither given out nor taken for handled', async (context) => {
  const log = await StagedLog.stage(context)
  log.append('0', '1', '2', '3')
  const told = Promise.withResolvers<void>()
  const onError = (): void => told.resolve()
  await using consumer = log.kafka.consumer({ ...text, groupId: 'g', enableAutoCommit: false, onError })
  consumer.assign([t0])
  const loop = consumer[Symbol.asyncIterator]()
  await loop.next()
  await loop.next()
  log.truncate(0n)
  log.topicId = 'AAAAAAAAAAAAAAAAAAAAAg'
  log.append('new')
  log.onFetch = (_offset, { topics }) =>
    topics[0]!.topicId === log.topicId ? null : { errorCode: ErrorCode.UNKNOWN_TOPIC_ID }
  log.wake()
  await told.promise
  assert.equal(await consumer.position(t0), 0n)
  const { value } = await loop.next()
  assert.equal(value?.value, 'new')
  await consumer.commit()
  assert.deepEqual(log.committed(), [0n])
})

test('what a loop has in hand of offsets that are out of range is not taken for handled after the reset', async (context) => {
  const log = await StagedLog.stage(context, { withIds: false })
  log.append('0', '1', '2', '3')
  await using consumer = log.kafka.consumer({ ...text, groupId: 'g', enableAutoCommit: false })
  consumer.assign([t0])
  const loop = consumer[Symbol.asyncIterator]()
  await loop.next()
  await loop.next()
  log.truncate(0n)
  log.append('new')
  log.wake()
  while (log.count('ListOffsets') < 2) await nextTurn()
  const { value } = await loop.next()
  assert.equal(value?.value, 'new')
  await consumer.commit()
  assert.deepEqual(log.committed(), [0n])
})

test('committed offsets that a transaction may still change are waited for', async (context) => {
  const log = await StagedLog.stage(context)
  log.append('0', '1', '2')
  log.onCommitted = (attempt) =>
    attempt <= 2 ? { errorCode: ErrorCode.UNSTABLE_OFFSET_COMMIT } : { errorCode: 0, offset: 2n }
  await using consumer = log.kafka.consumer({ ...text, groupId: 'g' })
  consumer.assign([t0])
  assert.deepEqual(await next(consumer, 1), ['2'])
  assert.equal(log.count('OffsetFetch'), 3)
})

test('commits repeat what passes, and fail with what does not', async (context) => {
  const log = await StagedLog.stage(context)
  log.append('0')
  log.onCommit = (attempt) => (attempt <= 2 ? ErrorCode.COORDINATOR_LOAD_IN_PROGRESS : 0)
  await using consumer = log.kafka.consumer({ ...text, groupId: 'g', enableAutoCommit: false })
  consumer.assign([t0])
  await consumer.commit([{ ...t0, offset: 1n }])
  assert.equal(log.count('OffsetCommit'), 3)
  log.onCommit = () => ErrorCode.OFFSET_METADATA_TOO_LARGE
  await assert.rejects(consumer.commit([{ ...t0, offset: 1n }]), { code: ErrorCode.OFFSET_METADATA_TOO_LARGE })
  assert.equal(log.count('OffsetCommit'), 4)
})

test('commits without waiting that come while one is under way are made one, the last word counting', async (context) => {
  const log = await StagedLog.stage(context)
  await using consumer = log.kafka.consumer({ ...text, groupId: 'g', enableAutoCommit: false })
  consumer.assign([t0])
  await consumer.commit([{ ...t0, offset: 0n }])
  for (let offset = 1n; offset <= 100n; offset++) consumer.commitAsync([{ ...t0, offset }])
  await consumer.commit([{ ...t0, offset: 101n }])
  const committed = log.committed()
  assert.ok(committed.length <= 5, `${committed.length} requests`)
  assert.deepEqual(
    committed,
    committed.toSorted((one, other) => Number(one - other)),
  )
  assert.equal(committed.at(-2), 100n)
  assert.equal(committed.at(-1), 101n)
})

test('a commit without waiting does not overtake one that is waited for', async (context) => {
  const log = await StagedLog.stage(context)
  await using consumer = log.kafka.consumer({ ...text, groupId: 'g', enableAutoCommit: false })
  consumer.assign([t0])
  const first = Promise.withResolvers<void>()
  log.onCommit = () => {
    first.resolve()
    return 0
  }
  consumer.commitAsync([{ ...t0, offset: 1n }])
  await first.promise
  const waited = consumer.commit([{ ...t0, offset: 2n }])
  consumer.commitAsync([{ ...t0, offset: 3n }])
  await waited
  await consumer.commit([{ ...t0, offset: 4n }])
  assert.deepEqual(log.committed(), [1n, 2n, 3n, 4n])
})

test('a failure of a commit without waiting goes to onError', async (context) => {
  const log = await StagedLog.stage(context)
  log.onCommit = () => ErrorCode.INVALID_COMMIT_OFFSET_SIZE
  const told = Promise.withResolvers<Error>()
  await using consumer = log.kafka.consumer({ groupId: 'g', enableAutoCommit: false, onError: told.resolve })
  consumer.assign([t0])
  consumer.commitAsync([{ ...t0, offset: 1n }])
  assert.equal(((await told.promise) as Error & { code: number }).code, ErrorCode.INVALID_COMMIT_OFFSET_SIZE)
})

test('onError may be async, and reject: the process goes on', async (context) => {
  const log = await StagedLog.stage(context)
  log.onCommit = () => ErrorCode.INVALID_COMMIT_OFFSET_SIZE
  const told = Promise.withResolvers<void>()
  const onError = (): unknown => {
    told.resolve()
    return Promise.reject(new Error('itself'))
  }
  await using consumer = log.kafka.consumer({ groupId: 'g', enableAutoCommit: false, onError })
  consumer.assign([t0])
  consumer.commitAsync([{ ...t0, offset: 1n }])
  await told.promise
  // A rejection that nobody handles fails the test.
  await nextTurn()
})

test('a connection that breaks is made again, and nothing is lost or read twice', async (context) => {
  const log = await StagedLog.stage(context)
  log.append('0', '1')
  await using consumer = log.kafka.consumer({ ...text })
  consumer.assign([t0])
  assert.deepEqual(await next(consumer, 2), ['0', '1'])
  for (let time = 0; time < 3; time++) {
    log.broker.cutConnections()
    log.append(`again ${time}`)
    assert.deepEqual(await next(consumer, 1), [`again ${time}`])
  }
})

test('a slow application has no more in memory than the bounds say', async (context) => {
  const log = await StagedLog.stage(context)
  for (let index = 0; index < 400; index++) log.append('x'.repeat(10_000))
  let asked = 0n
  log.onFetch = (offset) => {
    asked = offset
    return null
  }
  await using consumer = log.kafka.consumer({ ...text, maxPartitionFetchBytes: 100_000, maxPollRecords: 1 })
  consumer.assign([t0])
  for await (const { offset } of consumer) {
    // Whatever may be fetched meanwhile is.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    assert.ok(asked <= offset + 11n, `at ${offset} of 400 records of 10 kB ${asked} is asked for`)
    if (offset === 60n) break
  }
  assert.ok(asked > 40n)
})

test('run hands out nothing from before a seek of a handler, whatever else there is room for', async (context) => {
  const log = await StagedLog.stage(context)
  for (let value = 0; value < 10; value++) log.append(String(value))
  await using consumer = log.kafka.consumer({ ...text, maxPollRecords: 1 })
  consumer.assign([t0])
  const abort = new AbortController()
  const values: (string | null)[] = []
  await consumer.run({
    concurrency: 2,
    signal: abort.signal,
    eachRecord: async ({ value }) => {
      values.push(value)
      await Promise.resolve()
      if (value === '1') await consumer.seek(7n)
      if (value === '9') abort.abort()
    },
  })
  assert.deepEqual(values, ['0', '1', '7', '8', '9'])
})

test('what a loop has in hand of a log that was truncated meanwhile is not taken for handled beyond the cut', async (context) => {
  const log = await StagedLog.stage(context)
  log.append('0', '1', '2', '3')
  const told = Promise.withResolvers<void>()
  await using consumer = log.kafka.consumer({
    ...text,
    groupId: 'g',
    enableAutoCommit: false,
    onError: () => told.resolve(),
  })
  consumer.assign([t0])
  await consumer.seek(0n)
  const values: (string | null)[] = []
  for await (const { value } of consumer) {
    values.push(value)
    if (values.length === 1) {
      // An unclean election, while three more records are in the hands of the loop.
      log.truncate(0n)
      log.leaderEpoch = 1
      log.append('other 0', 'other 1')
      log.epochEnd = (epoch) => ({ leaderEpoch: epoch, endOffset: epoch === 0 ? 0n : log.endOffset })
      log.onFetch = (_offset, { topics }) =>
        topics[0]!.partitions[0]!.currentLeaderEpoch === 0 ? { errorCode: ErrorCode.FENCED_LEADER_EPOCH } : null
      log.wake()
      await told.promise
    }
    if (value === 'other 1') break
  }
  await consumer.commit()
  assert.deepEqual(values, ['0', 'other 0', 'other 1'])
  assert.deepEqual(log.committed(), [1n])
})

test('a commit that waits for another ends with its signal, and the next still waits', async (context) => {
  const log = await StagedLog.stage(context)
  let isLoading = true
  log.onCommit = () => (isLoading ? ErrorCode.COORDINATOR_LOAD_IN_PROGRESS : 0)
  await using consumer = log.kafka.consumer({ ...text, groupId: 'g', enableAutoCommit: false })
  consumer.assign([t0])
  const first = consumer.commit([{ ...t0, offset: 1n }])
  const late = new AbortController()
  const second = consumer.commit([{ ...t0, offset: 2n }], { signal: late.signal })
  const third = consumer.commit([{ ...t0, offset: 3n }])
  const reason = new Error('enough')
  late.abort(reason)
  await assert.rejects(second, reason)
  isLoading = false
  await Promise.all([first, third])
  assert.deepEqual([...new Set(log.committed())], [1n, 3n])
})

test('a coordinator that leaves a partition out of its answer is asked again after a pause', async (context) => {
  const log = await StagedLog.stage(context)
  log.append('0')
  let isOut = true
  log.onCommitted = () => (isOut ? null : { errorCode: 0 })
  await using consumer = log.kafka.consumer({ ...text, groupId: 'g', enableAutoCommit: false })
  consumer.assign([t0])
  const begunAtMs = performance.now()
  const reading = next(consumer, 1)
  while (log.count('OffsetFetch') < 10) await new Promise((resolve) => setImmediate(resolve))
  // Pauses are 4 ms at least here.
  assert.ok(performance.now() - begunAtMs > 9 * 4)
  isOut = false
  assert.deepEqual(await reading, ['0'])
})
