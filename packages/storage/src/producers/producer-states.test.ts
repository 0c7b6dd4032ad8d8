import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { endTransactionMarker, ErrorCode } from '@millrace/protocol'
import { LogBench } from '../testing/log-bench.ts'

interface Producer {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly isTransactional?: boolean
}

const p: Producer = { producerId: 7n, producerEpoch: 0 }

/** Appends `count` records of the producer from the sequence on. */
function send(bench: LogBench, producer: Producer, baseSequence: number, count = 1) {
  const values = Array.from({ length: count }, (_, index) => `${baseSequence + index}`)
  return bench.append(values, { ...producer, baseSequence })
}

function refuses(code: number, work: () => Promise<unknown>): Promise<void> {
  return assert.rejects(work, { code })
}

async function marker(
  bench: LogBench,
  producer: Producer,
  options: { type: 'COMMIT' | 'ABORT'; coordinatorEpoch?: number; transactionVersion?: number },
) {
  const { type, coordinatorEpoch = 0, transactionVersion = 1 } = options
  const bytes = endTransactionMarker({
    type,
    coordinatorEpoch,
    producerId: producer.producerId,
    producerEpoch: producer.producerEpoch,
    timestamp: BigInt(bench.host.clock.now()),
  })
  const { appended, written } = bench.start(bytes, { origin: 'coordinator', transactionVersion })
  await bench.run(written)
  return appended
}

test('a repeated batch is answered with the offsets of the first time, for the last five batches', async () => {
  const bench = new LogBench()
  for (let index = 0; index < 6; index++) await send(bench, p, index * 2, 2)
  for (let index = 1; index < 6; index++) {
    const again = await send(bench, p, index * 2, 2)
    assert.deepEqual(
      [again.firstOffset, again.lastOffset, again.duplicate],
      [BigInt(index * 2), BigInt(index * 2 + 1), true],
    )
  }
  assert.equal(bench.log.logEndOffset, 12n)
  await refuses(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, () => send(bench, p, 0, 2))
  await refuses(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, () => send(bench, p, 10, 1))
})

test('a repeated batch is acknowledged after the first one, not before it is written', async () => {
  const bench = new LogBench({ flushMessages: 1 })
  const first = bench.start(bench.batch(['a'], { ...p, baseSequence: 0 }))
  const again = bench.start(bench.batch(['a'], { ...p, baseSequence: 0 }))
  assert.ok(again.appended.duplicate)
  const order: string[] = []
  void first.written.then(() => order.push(`first at ${bench.log.recoveryPoint}`))
  void again.written.then(() => order.push(`again at ${bench.log.recoveryPoint}`))
  await bench.settle()
  assert.deepEqual(order, ['first at 1', 'again at 1'])
})

test('a gap is refused, and changes nothing', async () => {
  const bench = new LogBench()
  await send(bench, p, 0)
  await refuses(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, () => send(bench, p, 2))
  assert.equal(bench.log.logEndOffset, 1n)
  await send(bench, p, 1)
})

test('sequences wrap from INT32_MAX to 0, within a batch too', async () => {
  const bench = new LogBench()
  await send(bench, p, 0x7fffffff - 1, 2)
  await send(bench, p, 0)
  const q = { producerId: 8n, producerEpoch: 0 }
  await send(bench, q, 0x7fffffff, 3)
  assert.ok((await send(bench, q, 0x7fffffff, 3)).duplicate)
  await send(bench, q, 2)
})

test('an unknown producer may begin with any sequence, a new epoch only with 0, an old epoch not at all', async () => {
  const bench = new LogBench()
  await send(bench, p, 41)
  const next = { ...p, producerEpoch: 1 }
  await refuses(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, () => send(bench, next, 42))
  await send(bench, next, 0)
  await refuses(ErrorCode.INVALID_PRODUCER_EPOCH, () => send(bench, p, 42))
})

test('an idle producer is forgotten after producer.id.expiration.ms, one with an open transaction is not', async () => {
  const bench = new LogBench()
  await send(bench, p, 0)
  await send(bench, { producerId: 9n, producerEpoch: 0, isTransactional: true }, 0)
  const nowMs = bench.host.clock.now()
  bench.log.removeExpiredProducers(nowMs + 86_399_000)
  assert.equal(bench.log.producers.count, 2)
  bench.log.removeExpiredProducers(nowMs + 86_400_001)
  assert.deepEqual([...bench.log.producers.all.keys()], [9n])
  assert.ok(bench.log.producers.hasLateTransaction(nowMs + 900_000 + 300_001))
  assert.ok(!bench.log.producers.hasLateTransaction(nowMs + 900_000 + 299_000))
})

test('what the last five batches and the epoch tell survives rolls, clean stops and kills', async () => {
  const bench = new LogBench({ segmentBytes: 300, indexIntervalBytes: 100 })
  for (let index = 0; index < 20; index++) await send(bench, p, index)
  const before = bench.log.producers.describe()
  assert.ok(bench.log.segmentCount > 3)
  for (const restart of [() => bench.reopen(), () => bench.kill(), () => bench.crash('random')]) {
    await bench.run(bench.log.flush())
    await restart()
    assert.deepEqual(bench.log.producers.describe(), before)
    assert.ok((await send(bench, p, 19)).duplicate)
    await refuses(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, () => send(bench, p, 21))
  }
})

test('a damaged snapshot is rebuilt from an older one and the log', async () => {
  const bench = new LogBench({ segmentBytes: 300 })
  for (let index = 0; index < 20; index++) await send(bench, p, index)
  const before = bench.log.producers.describe()
  await bench.run(bench.log.close())
  const { disk } = bench.host
  const snapshots = disk
    .listSync(bench.directory)
    .map(({ name }) => name)
    .filter((name) => name.endsWith('.snapshot'))
    .sort()
  for (const damage of [[1, 2, 3], [], [0, 9, 0, 0, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0, 0, 1]]) {
    const path = `${bench.directory}/${snapshots.at(-1)!}`
    disk.replaceFileSync(path, new Uint8Array(damage))
    await bench.open({ wasCleanShutdown: true, recoveryPoint: 20n })
    assert.equal(bench.log.logEndOffset, 20n)
    assert.deepEqual(bench.log.producers.describe(), before)
    await bench.run(bench.log.close())
  }
})

test('the last stable offset waits for the first open transaction, and for its marker to be replicated', async () => {
  const bench = new LogBench()
  const t1 = { producerId: 1n, producerEpoch: 0, isTransactional: true }
  const t2 = { producerId: 2n, producerEpoch: 0, isTransactional: true }
  await bench.append(['plain'])
  await send(bench, t1, 0)
  await send(bench, t2, 0)
  bench.commit()
  assert.equal(bench.log.lastStableOffset, 1n)
  await marker(bench, t1, { type: 'ABORT' })
  assert.equal(bench.log.lastStableOffset, 1n, 'the marker is not below the high watermark')
  bench.commit()
  assert.equal(bench.log.lastStableOffset, 2n)
  await marker(bench, t2, { type: 'COMMIT' })
  bench.commit()
  assert.equal(bench.log.lastStableOffset, 5n)
  const stable = (offset: bigint) =>
    bench.log.locate(offset, { maxBytes: 1000, minOneBatch: true, upTo: 'last-stable-offset' })
  assert.deepEqual(stable(0n).abortedTransactions, [{ producerId: 1n, firstOffset: 1n }])
  assert.deepEqual(stable(4n).abortedTransactions, [])
  for (const restart of [() => bench.kill(), () => bench.reopen(), () => bench.crash()]) {
    await bench.run(bench.log.flush())
    await restart()
    bench.commit()
    assert.deepEqual(stable(0n).abortedTransactions, [{ producerId: 1n, firstOffset: 1n }])
  }
})

test('within a transaction nothing may be written without it', async () => {
  const bench = new LogBench()
  await send(bench, { ...p, isTransactional: true }, 0)
  await refuses(ErrorCode.INVALID_TXN_STATE, () => send(bench, p, 1))
  await send(bench, { ...p, isTransactional: true }, 1)
})

test('markers: an older coordinator is fenced; version 2 needs a higher epoch, an equal one only as a repetition', async () => {
  const bench = new LogBench()
  const t = { ...p, isTransactional: true }
  await send(bench, t, 0)
  await marker(bench, t, { type: 'COMMIT', coordinatorEpoch: 5 })
  await send(bench, t, 1)
  await refuses(ErrorCode.TRANSACTION_COORDINATOR_FENCED, () =>
    marker(bench, t, { type: 'COMMIT', coordinatorEpoch: 4 }),
  )
  await refuses(ErrorCode.INVALID_PRODUCER_EPOCH, () =>
    marker(bench, t, { type: 'COMMIT', coordinatorEpoch: 5, transactionVersion: 2 }),
  )
  const bumped = { ...t, producerEpoch: 1 }
  await marker(bench, bumped, { type: 'COMMIT', coordinatorEpoch: 5, transactionVersion: 2 })
  assert.equal(bench.log.producers.firstUndecidedOffset, null)
  await marker(bench, bumped, { type: 'COMMIT', coordinatorEpoch: 5, transactionVersion: 2 })
  await refuses(ErrorCode.INVALID_PRODUCER_EPOCH, () => send(bench, t, 2))
  await send(bench, bumped, 0)
})

test('truncation takes producers back to what the remaining records say', async () => {
  const bench = new LogBench({ segmentBytes: 300 })
  for (let index = 0; index < 20; index++) await send(bench, p, index)
  bench.log.truncateTo(11n)
  assert.equal(bench.log.producers.describe()[0]?.lastSequence, 10)
  await send(bench, p, 11)
  bench.log.truncateFullyAndStartAt(100n)
  assert.equal(bench.log.producers.count, 0)
  assert.equal((await send(bench, p, 500)).firstOffset, 100n)
})
