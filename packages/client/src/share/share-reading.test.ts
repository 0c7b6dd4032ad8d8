import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { acquired, StagedBrokers, type Asked } from './testing/staged-brokers.ts'

const partitionsIn = ({ request }: Asked): number[] =>
  request.topics.flatMap(({ partitions }) => partitions.map(({ partitionIndex }) => partitionIndex))

/** By partition: offsets with the type that is said of them. */
const acknowledgedIn = ({ request }: Asked): string[] =>
  request.topics.flatMap(({ partitions }) =>
    partitions.flatMap(({ partitionIndex, acknowledgementBatches }) =>
      acknowledgementBatches.map(
        ({ firstOffset, lastOffset, acknowledgeTypes }) =>
          `${partitionIndex}:${firstOffset}-${lastOffset}:${acknowledgeTypes.join(',')}`,
      ),
    ),
  )

test('a partition that moves to another broker does not take the turn to be fetched from along', async () => {
  const brokers = new StagedBrokers({ shareAcquireMode: 'record_limit' })
  const { reading } = brokers
  brokers.leaders(1, 2)
  brokers.assign(0, 1)
  const next = reading.next(10)
  // The first pauses, and is the first again after the other.
  await (await brokers.request('ShareFetch', 1)).answer({ 0: { errorCode: ErrorCode.KAFKA_STORAGE_ERROR } })
  await (await brokers.request('ShareFetch', 2)).answer()
  // It has no partition of this consumer any more, and is still there.
  brokers.leaders(2, 2, 1)
  await brokers.time.advance(10_000)
  await (await brokers.request('ShareFetch', 2)).answer({ 0: acquired(0n, 0n) })
  assert.equal((await brokers.time.run(next))?.count, 1)
})

test('what was acquired before its broker was away is not handed out after it', async () => {
  const brokers = new StagedBrokers()
  const { reading } = brokers
  brokers.leaders(1, 1)
  brokers.assign(0, 1)
  const first = reading.next(10)
  await (await brokers.request('ShareFetch')).answer({ 0: acquired(0n, 0n), 1: acquired(5n, 5n) })
  const [record] = (await brokers.time.run(first))!.records
  brokers.leaders(2, 2)
  brokers.leaders(1, 1)
  const second = reading.next(10)
  await (await brokers.request('ShareFetch')).answer({ 1: acquired(5n, 5n, 2) })
  assert.deepEqual(
    (await brokers.time.run(second))!.records.map(({ deliveryCount }) => deliveryCount),
    [2],
  )
  // Nobody there knows this lock any more, so nobody is asked.
  reading.acknowledgements.acknowledge(record!, 'accept')
  const [result] = await brokers.time.run(reading.acknowledgements.commit())
  assert.equal(result?.error?.code, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  assert.deepEqual(brokers.asked, [])
})

test('a fetch does not name a partition that is not read any more, whatever is acknowledged there', async () => {
  const brokers = new StagedBrokers()
  const { reading } = brokers
  brokers.leaders(1, 1)
  brokers.assign(0, 1)
  const first = reading.next(10)
  await (await brokers.request('ShareFetch')).answer({ 0: acquired(0n, 0n) })
  const [record] = (await brokers.time.run(first))!.records
  brokers.assign(1)
  const second = reading.next(10)
  const forgetting = await brokers.request('ShareFetch')
  assert.deepEqual(
    forgetting.request.forgottenTopicsData.flatMap(({ partitions }) => partitions),
    [0],
  )
  await forgetting.answer({ 1: acquired(5n, 5n) })
  await brokers.time.run(second)
  reading.acknowledgements.acknowledge(record!, 'accept')
  const third = reading.next(10)
  const alone = await brokers.request('ShareAcknowledge')
  assert.deepEqual(acknowledgedIn(alone), ['0:0-0:1'])
  await alone.answer()
  const fetch = await brokers.request('ShareFetch')
  assert.deepEqual(partitionsIn(fetch), [])
  await fetch.answer({ 1: acquired(6n, 6n) })
  await brokers.time.run(third)
  assert.deepEqual(
    brokers.results.map(({ offsets, error }) => [offsets, error]),
    [[[0n], null]],
  )
})

test('a broker that could be connected to only after another has brought records is asked for records all the same', async () => {
  const brokers = new StagedBrokers()
  const { reading } = brokers
  brokers.leaders(1, 2)
  brokers.assign(0, 1)
  const connected = brokers.connectSlowly(2)
  const next = reading.next(10)
  await (await brokers.request('ShareFetch', 1)).answer({ 0: acquired(0n, 0n) })
  await brokers.time.run(next)
  connected()
  const { request } = await brokers.request('ShareFetch', 2)
  assert.deepEqual([request.maxRecords, request.batchSize], [10, 10])
})

test('locks that were renewed last as long as the broker says when it renews them', async () => {
  const brokers = new StagedBrokers()
  const { reading } = brokers
  brokers.leaders(1)
  brokers.assign(0)
  const next = reading.next(10)
  await (await brokers.request('ShareFetch')).answer({ 0: acquired(0n, 0n) })
  const [record] = (await brokers.time.run(next))!.records
  assert.equal(record!.lockedUntilMs, 30_000)
  const renewed = reading.acknowledgements.renew([record!])
  await (await brokers.request('ShareAcknowledge')).answer({}, { acquisitionLockTimeoutMs: 45_000 })
  await brokers.time.run(renewed)
  assert.equal(record!.lockedUntilMs, 45_000)
  assert.equal(reading.acknowledgements.lockTimeoutMs, 45_000)
})

test('partitions that fail do not hold up those of the same broker that bring records', async () => {
  const brokers = new StagedBrokers()
  const { reading } = brokers
  brokers.leaders(1, 1)
  brokers.assign(0, 1)
  for (let offset = 0n; offset < 5n; offset++) {
    const next = reading.next(10)
    const failed = { errorCode: ErrorCode.KAFKA_STORAGE_ERROR }
    await (await brokers.request('ShareFetch')).answer({ 0: failed, 1: acquired(offset, offset) })
    assert.equal((await brokers.time.run(next))?.count, 1)
  }
  assert.equal(brokers.time.nowMs, 0)
})

test('pauses grow with the attempts that failed, not with the partitions', async () => {
  const brokers = new StagedBrokers({ retryBackoffMs: 100, retryBackoffMaxMs: 1_000 })
  brokers.leaders(1, 1, 1, 1, 1)
  brokers.assign(0, 1, 2, 3, 4)
  void brokers.reading.next(10)
  const failed = { errorCode: ErrorCode.KAFKA_STORAGE_ERROR }
  await (await brokers.request('ShareFetch')).answer({ 0: failed, 1: failed, 2: failed, 3: failed, 4: failed })
  await brokers.time.advance(120)
  await brokers.request('ShareFetch')
})

test('brokers that cannot renew locks are sent everything else', async () => {
  const brokers = new StagedBrokers()
  const { reading } = brokers
  brokers.version = 1
  brokers.leaders(1)
  brokers.assign(0)
  const next = reading.next(10)
  await (await brokers.request('ShareFetch')).answer({ 0: acquired(0n, 1n) })
  const [done, slow] = (await brokers.time.run(next))!.records
  reading.acknowledgements.acknowledge(done!, 'accept')
  const renewed = assert.rejects(reading.acknowledgements.renew([slow!]), { code: ErrorCode.UNSUPPORTED_VERSION })
  const sent = await brokers.request('ShareAcknowledge')
  assert.equal(sent.request.isRenewAck, false)
  assert.deepEqual(acknowledgedIn(sent), ['0:0-0:1'])
  await sent.answer()
  await brokers.time.run(renewed)
  assert.deepEqual(
    brokers.results.map(({ offsets, error }) => [offsets, error]),
    [[[0n], null]],
  )
})

test('a record that is done with while its lock is to be renewed is named once', async () => {
  const brokers = new StagedBrokers()
  const { reading } = brokers
  brokers.leaders(1)
  brokers.assign(0)
  const next = reading.next(10)
  await (await brokers.request('ShareFetch')).answer({ 0: acquired(0n, 2n) })
  const [done, slow] = (await brokers.time.run(next))!.records
  const renewed = reading.acknowledgements.renew([done!, slow!])
  reading.acknowledgements.acknowledge(done!, 'reject')
  const sent = await brokers.request('ShareAcknowledge')
  assert.equal(sent.request.isRenewAck, true)
  assert.deepEqual(acknowledgedIn(sent), ['0:0-1:3,4'])
  await sent.answer()
  await brokers.time.run(renewed)
})

test('what is sent again together with something newer is told once', async () => {
  const brokers = new StagedBrokers()
  const { reading } = brokers
  brokers.leaders(1)
  brokers.assign(0)
  const next = reading.next(10)
  await (await brokers.request('ShareFetch')).answer({ 0: acquired(0n, 1n) })
  const [one, other] = (await brokers.time.run(next))!.records
  reading.acknowledgements.acknowledge(one!, 'accept')
  reading.acknowledgements.flush()
  const first = await brokers.request('ShareAcknowledge')
  reading.acknowledgements.acknowledge(other!, 'reject')
  const committed = reading.acknowledgements.commit()
  await first.answer({ 0: { errorCode: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS } })
  await brokers.time.advance(1_000)
  const again = await brokers.request('ShareAcknowledge')
  assert.deepEqual(acknowledgedIn(again), ['0:0-1:1,3'])
  await again.answer()
  const results = await brokers.time.run(committed)
  assert.deepEqual(
    results.map(({ offsets, error }) => [offsets, error]),
    [[[0n, 1n], null]],
  )
  assert.deepEqual(brokers.results, results)
})

test('what fails in passing is sent again, for as long as an operation may take', async () => {
  const brokers = new StagedBrokers({ defaultApiTimeoutMs: 10_000 })
  const { reading } = brokers
  brokers.leaders(1)
  brokers.assign(0)
  const next = reading.next(10)
  await (await brokers.request('ShareFetch')).answer({ 0: acquired(0n, 0n) })
  const [record] = (await brokers.time.run(next))!.records
  reading.acknowledgements.acknowledge(record!, 'accept')
  const committed = reading.acknowledgements.commit()
  // The broker could not store it in time, and keeps the lock.
  const late = { errorCode: ErrorCode.REQUEST_TIMED_OUT }
  await (await brokers.request('ShareAcknowledge')).answer({ 0: late })
  await brokers.time.advance(1_000)
  const again = await brokers.request('ShareAcknowledge')
  assert.deepEqual(acknowledgedIn(again), ['0:0-0:1'])
  await brokers.time.advance(10_000)
  await again.answer({ 0: late })
  const results = await brokers.time.run(committed)
  assert.deepEqual(
    results.map(({ error }) => error?.code),
    [ErrorCode.REQUEST_TIMED_OUT],
  )
})

test('a session that the broker does not know any more begins anew, and its acknowledgements are told to be lost', async () => {
  const brokers = new StagedBrokers()
  const { reading } = brokers
  brokers.leaders(1)
  brokers.assign(0)
  const first = reading.next(1)
  await (await brokers.request('ShareFetch')).answer({ 0: acquired(0n, 1n) })
  const [record] = (await brokers.time.run(first))!.records
  reading.acknowledgements.acknowledge(record!, 'accept')
  const committed = reading.acknowledgements.commit()
  const { request, answer } = await brokers.request('ShareAcknowledge')
  assert.equal(request.shareSessionEpoch, 1)
  await answer({}, { errorCode: ErrorCode.SHARE_SESSION_NOT_FOUND })
  const results = await brokers.time.run(committed)
  assert.deepEqual(
    results.map(({ error }) => error?.code),
    [ErrorCode.SHARE_SESSION_NOT_FOUND],
  )
  // The other record was ready, and its lock is gone.
  const second = reading.next(1)
  await brokers.time.advance(1_000)
  const anew = await brokers.request('ShareFetch')
  assert.deepEqual([anew.request.shareSessionEpoch, partitionsIn(anew)], [0, [0]])
  await anew.answer({ 0: acquired(0n, 1n, 2) })
  assert.deepEqual(
    (await brokers.time.run(second))!.records.map(({ offset, deliveryCount }) => [offset, deliveryCount]),
    [[0n, 2]],
  )
})

test('closing sends what is acknowledged with the last request of the session, and tells what became of it', async () => {
  const brokers = new StagedBrokers()
  const { reading } = brokers
  brokers.leaders(1)
  brokers.assign(0)
  const next = reading.next(10)
  await (await brokers.request('ShareFetch')).answer({ 0: acquired(0n, 1n) })
  const [record] = (await brokers.time.run(next))!.records
  reading.acknowledgements.acknowledge(record!, 'accept')
  const closed = reading.close(new AbortController().signal)
  const last = await brokers.request('ShareAcknowledge')
  assert.deepEqual([last.request.shareSessionEpoch, acknowledgedIn(last)], [-1, ['0:0-0:1']])
  // What fails in passing is not tried again.
  await last.answer({ 0: { errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE } })
  await brokers.time.run(closed)
  assert.deepEqual(
    brokers.results.map(({ offsets, error }) => [offsets, error?.code]),
    [[[0n], ErrorCode.COORDINATOR_NOT_AVAILABLE]],
  )
  assert.deepEqual(brokers.asked, [])
})

test('a request without answer ends the session: its acknowledgements fail, and so do those that waited', async () => {
  const brokers = new StagedBrokers()
  const { reading } = brokers
  brokers.leaders(1)
  brokers.assign(0)
  const next = reading.next(10)
  await (await brokers.request('ShareFetch')).answer({ 0: acquired(0n, 1n) })
  const [sent, waiting] = (await brokers.time.run(next))!.records
  reading.acknowledgements.acknowledge(sent!, 'accept')
  const committed = reading.acknowledgements.commit()
  const request = await brokers.request('ShareAcknowledge')
  reading.acknowledgements.acknowledge(waiting!, 'accept')
  await request.fail(new KafkaError(ErrorCode.NETWORK_EXCEPTION, 'the connection is closed'))
  await brokers.time.run(committed)
  assert.deepEqual(
    brokers.results.map(({ offsets, error }) => [offsets, error?.code]),
    [
      [[0n], ErrorCode.NETWORK_EXCEPTION],
      [[1n], ErrorCode.NOT_LEADER_OR_FOLLOWER],
    ],
  )
  assert.deepEqual(brokers.errors, [])
})

test('what is done with shortly before its lock ends is still told in time', async () => {
  const brokers = new StagedBrokers()
  const { reading } = brokers
  brokers.leaders(1)
  brokers.assign(0)
  const next = reading.next(10)
  await (await brokers.request('ShareFetch')).answer({ 0: acquired(0n, 1n) })
  const [one, other] = (await brokers.time.run(next))!.records
  await brokers.time.advance(12_000)
  reading.acknowledgements.acknowledge(one!, 'accept')
  await brokers.time.advance(8_000)
  assert.deepEqual(brokers.asked, [])
  await brokers.time.advance(1_000)
  const first = await brokers.request('ShareAcknowledge')
  await first.answer()
  await brokers.time.advance(7_000)
  reading.acknowledgements.acknowledge(other!, 'accept')
  await brokers.time.advance(1_500)
  assert.deepEqual(acknowledgedIn(await brokers.request('ShareAcknowledge')), ['0:1-1:1'])
})
