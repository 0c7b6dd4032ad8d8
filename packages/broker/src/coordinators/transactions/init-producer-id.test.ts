import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '@millrace/protocol'
import type { ProducerIdentity } from '../runtime/decision.ts'
import { initProducerId } from './init-producer-id.ts'
import { PartitionSet } from './partition-set.ts'
import type { Transaction } from './transaction.ts'
import { NEEDS_PRODUCER_ID } from './verdict.ts'

function transaction(change: Partial<Transaction> = {}): Transaction {
  return {
    transactionalId: 'x',
    producerId: 7n,
    previousProducerId: 7n,
    nextProducerId: -1n,
    producerEpoch: 5,
    lastProducerEpoch: -1,
    timeoutMs: 60_000,
    state: 'CompleteCommit',
    partitions: PartitionSet.empty,
    startMs: 1000,
    lastUpdateMs: 1000,
    clientVersion: 0,
    ...change,
  }
}

/** The identity given and its last epoch, or the error. */
function init(
  current: Transaction | null,
  expected: ProducerIdentity | null = null,
  freshProducerId: bigint | null = 9n,
) {
  const verdict = initProducerId(
    current,
    { transactionalId: 'x', timeoutMs: 1234, expected },
    { nowMs: 2000, transactionVersion: 2, freshProducerId },
  )
  if (verdict === NEEDS_PRODUCER_ID) return verdict
  if (errorName(verdict.errorCode) !== 'NONE') return errorName(verdict.errorCode)
  const { producerId, producerEpoch, lastProducerEpoch, state, timeoutMs, startMs } = verdict.next!
  assert.deepEqual([state, timeoutMs, startMs], ['Empty', 1234, -1])
  return [producerId, producerEpoch, lastProducerEpoch]
}

const identity = (producerId: bigint, producerEpoch: number): ProducerIdentity => ({ producerId, producerEpoch })

test('a new transactional id gets a new producer id, whatever its producer had', () => {
  assert.equal(init(null, null, null), NEEDS_PRODUCER_ID)
  assert.deepEqual(init(null), [9n, 0, -1])
  assert.deepEqual(init(null, identity(3n, 3)), [9n, 0, -1])
})

test('a producer that begins gets the next epoch, which nobody else may ask for again', () => {
  for (const state of ['Empty', 'CompleteCommit', 'CompleteAbort'] as const)
    assert.deepEqual(init(transaction({ state })), [7n, 6, -1])
})

test('a producer that goes on gets the next epoch, and may ask again with the one before', () => {
  assert.deepEqual(init(transaction(), identity(7n, 5)), [7n, 6, 5])
  assert.deepEqual(init(transaction({ producerEpoch: 6, lastProducerEpoch: 5 }), identity(7n, 5)), [7n, 6, 5])
})

test('a producer whose epoch is neither, or whose id is another, is fenced', () => {
  for (const expected of [identity(7n, 4), identity(7n, 6), identity(8n, 5)])
    assert.equal(init(transaction(), expected), 'PRODUCER_FENCED')
  // Another producer was given the epoch since.
  assert.equal(init(transaction({ producerEpoch: 6 }), identity(7n, 5)), 'PRODUCER_FENCED')
})

test('with its epochs used up an id is replaced, and its producer may ask again with the old one', () => {
  const usedUp = transaction({ producerEpoch: 0x7ffe })
  assert.equal(init(usedUp, null, null), NEEDS_PRODUCER_ID)
  assert.deepEqual(init(usedUp), [9n, 0, -1])
  assert.deepEqual(init(usedUp, identity(7n, 0x7ffe)), [9n, 0, 0x7ffe])
  const replaced = transaction({
    producerId: 9n,
    previousProducerId: 7n,
    producerEpoch: 0,
    lastProducerEpoch: 0x7ffe,
    state: 'Empty',
  })
  assert.deepEqual(init(replaced, identity(7n, 0x7ffe)), [9n, 0, 0x7ffe])
  assert.equal(init({ ...replaced, lastProducerEpoch: -1 }, identity(7n, 0x7ffe)), 'PRODUCER_FENCED')
  // Kafka answers this with UNKNOWN_SERVER_ERROR.
  assert.equal(init(usedUp, identity(7n, 3)), 'PRODUCER_FENCED')
  assert.deepEqual(init(transaction({ producerEpoch: 0x7ffe, lastProducerEpoch: 0x7ffd }), identity(7n, 0x7ffd)), [
    7n,
    0x7ffe,
    0x7ffd,
  ])
})

test('what is decided is waited for, what is open is aborted with an epoch that nobody gets', () => {
  for (const state of ['PrepareCommit', 'PrepareAbort'] as const)
    assert.equal(init(transaction({ state })), 'CONCURRENT_TRANSACTIONS')
  const verdict = initProducerId(
    transaction({ state: 'Ongoing' }),
    { transactionalId: 'x', timeoutMs: 1, expected: null },
    { nowMs: 2000, transactionVersion: 1, freshProducerId: null },
  )
  assert.ok(verdict !== NEEDS_PRODUCER_ID)
  assert.deepEqual(
    [errorName(verdict.errorCode), verdict.next?.state, verdict.next?.producerEpoch],
    ['CONCURRENT_TRANSACTIONS', 'PrepareAbort', 6],
  )
})
