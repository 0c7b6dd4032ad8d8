import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '@millrace/protocol'
import type { TransactionResult } from '../runtime/coordinator-shard.ts'
import { endTransaction, fence, type EndRequest } from './end-transaction.ts'
import { PartitionSet } from './partition-set.ts'
import { completed, type Transaction } from './transaction.ts'
import type { TransactionState } from './transaction-state.ts'
import { NEEDS_PRODUCER_ID, type RuleContext } from './verdict.ts'

const context: RuleContext = { nowMs: 5000, transactionVersion: 2, freshProducerId: null }

function transaction(change: Partial<Transaction> = {}): Transaction {
  return {
    transactionalId: 'x',
    producerId: 7n,
    previousProducerId: 7n,
    nextProducerId: -1n,
    producerEpoch: 5,
    lastProducerEpoch: -1,
    timeoutMs: 60_000,
    state: 'Ongoing',
    partitions: PartitionSet.of([{ topic: 't', partition: 0 }]),
    startMs: 1000,
    lastUpdateMs: 1000,
    clientVersion: 2,
    ...change,
  }
}

function end(current: Transaction | null, request: Partial<EndRequest>, using: Partial<RuleContext> = {}) {
  return endTransaction(
    current,
    { producerId: 7n, producerEpoch: 5, result: 'COMMIT', clientVersion: 2, ...request },
    { ...context, ...using },
  )
}

/** The error, or the state that is prepared. */
function outcome(current: Transaction, request: Partial<EndRequest>): string {
  const verdict = end(current, request)
  assert.notEqual(verdict, NEEDS_PRODUCER_ID)
  if (verdict === NEEDS_PRODUCER_ID) return ''
  return verdict.next?.state ?? errorName(verdict.errorCode)
}

const states: readonly TransactionState[] = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
]
const fenced = 'PRODUCER_FENCED'
const busy = 'CONCURRENT_TRANSACTIONS'
const invalid = 'INVALID_TXN_STATE'

/** By the request's epoch minus the present one, then by state. */
const withNewEpochs: Record<number, Record<TransactionResult, readonly string[]>> = {
  [-2]: {
    COMMIT: [fenced, fenced, busy, busy, fenced, fenced],
    ABORT: [fenced, fenced, busy, busy, fenced, fenced],
  },
  [-1]: {
    COMMIT: [fenced, fenced, busy, busy, 'NONE', invalid],
    ABORT: [fenced, fenced, busy, busy, invalid, 'NONE'],
  },
  0: {
    COMMIT: [invalid, 'PrepareCommit', busy, busy, invalid, invalid],
    ABORT: ['PrepareAbort', 'PrepareAbort', busy, busy, 'PrepareAbort', 'PrepareAbort'],
  },
  1: {
    COMMIT: [fenced, fenced, busy, busy, fenced, fenced],
    ABORT: [fenced, fenced, busy, busy, fenced, fenced],
  },
}

test('version 2: what the request does depends on whether it has the present epoch, or the one before', () => {
  for (const [difference, byResult] of Object.entries(withNewEpochs))
    for (const [result, expected] of Object.entries(byResult))
      assert.deepEqual(
        states.map((state) =>
          outcome(transaction({ state }), {
            result: result as TransactionResult,
            producerEpoch: 5 + Number(difference),
          }),
        ),
        expected,
        `${result} with epoch ${difference}`,
      )
})

test('before version 2: only the present epoch will do, and nothing is ended that was not begun', () => {
  const expected = {
    COMMIT: [invalid, 'PrepareCommit', busy, busy, 'NONE', invalid],
    ABORT: [invalid, 'PrepareAbort', busy, busy, invalid, 'NONE'],
  }
  for (const result of ['COMMIT', 'ABORT'] as const) {
    assert.deepEqual(
      states.map((state) => outcome(transaction({ state }), { result, clientVersion: 0 })),
      expected[result],
    )
    for (const producerEpoch of [3, 4, 6])
      assert.deepEqual(
        states.map((state) => outcome(transaction({ state }), { result, producerEpoch, clientVersion: 0 })),
        Array(6).fill(fenced),
      )
  }
})

test('another producer id, or an unknown transactional id, is not mapped', () => {
  for (const clientVersion of [0, 2]) {
    assert.equal(outcome(transaction(), { producerId: 8n, clientVersion }), 'INVALID_PRODUCER_ID_MAPPING')
    const verdict = end(null, { clientVersion })
    assert.ok(verdict !== NEEDS_PRODUCER_ID && errorName(verdict.errorCode) === 'INVALID_PRODUCER_ID_MAPPING')
  }
})

test('the last epoch of an id is only for the marker: a new id takes over with the completion', () => {
  const current = transaction({ producerEpoch: 0x7ffe })
  assert.equal(end(current, { producerEpoch: 0x7ffe }), NEEDS_PRODUCER_ID)
  const verdict = end(current, { producerEpoch: 0x7ffe }, { freshProducerId: 9n })
  assert.ok(verdict !== NEEDS_PRODUCER_ID)
  const prepared = verdict.next!
  assert.deepEqual([prepared.producerId, prepared.producerEpoch, prepared.nextProducerId], [7n, 0x7fff, 9n])
  // The client has the new id already, and has to wait for it.
  assert.equal(outcome(prepared, { producerId: 9n, producerEpoch: 0 }), busy)
  const done = completed(prepared, 6000)
  assert.deepEqual(
    [done.producerId, done.producerEpoch, done.previousProducerId, done.nextProducerId],
    [9n, 0, 7n, -1n],
  )
  // The client missed the answer and asks again with what it has.
  assert.equal(outcome(done, { producerEpoch: 0x7ffe }), 'NONE')
  assert.equal(outcome(done, { producerEpoch: 0x7ffe, result: 'ABORT' }), invalid)
  assert.equal(outcome(done, { producerEpoch: 0x7ffd }), 'INVALID_PRODUCER_ID_MAPPING')
  assert.equal(outcome(done, { producerId: 9n, producerEpoch: 0, result: 'ABORT' }), 'PrepareAbort')
})

test('an abort of nothing begins and ends now', () => {
  const verdict = end(transaction({ state: 'Empty', startMs: -1, partitions: PartitionSet.empty }), { result: 'ABORT' })
  assert.ok(verdict !== NEEDS_PRODUCER_ID)
  assert.deepEqual([verdict.next?.startMs, verdict.next?.partitions.size, verdict.next?.producerEpoch], [5000, 0, 6])
})

test('fencing raises the epoch, at the last one too, and never above', () => {
  for (const transactionVersion of [0, 1, 2])
    for (const [before, after] of [
      [5, 6],
      [0x7ffe, 0x7fff],
      [0x7fff, 0x7fff],
    ] as const) {
      const next = fence(transaction({ producerEpoch: before }), {
        ...context,
        transactionVersion,
        freshProducerId: 9n,
      })
      assert.ok(next !== NEEDS_PRODUCER_ID)
      assert.deepEqual([next.state, next.producerEpoch], ['PrepareAbort', after])
      assert.equal(next.nextProducerId, transactionVersion === 2 && before >= 0x7ffe ? 9n : -1n)
    }
})

test('the end of an older client that came after it is not what a fenced producer asks for', () => {
  for (const result of ['COMMIT', 'ABORT'] as const)
    for (const state of ['CompleteCommit', 'CompleteAbort'] as const)
      assert.equal(outcome(transaction({ state, clientVersion: 0 }), { result, producerEpoch: 4 }), fenced)
})
