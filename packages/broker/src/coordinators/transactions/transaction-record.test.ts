import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransactionLogRecord } from '@millrace/protocol'
import fc from 'fast-check'
import { PartitionSet } from './partition-set.ts'
import { transactionOf, transactionRecord } from './transaction-record.ts'
import type { Transaction } from './transaction.ts'

const anyTransaction: fc.Arbitrary<Transaction> = fc.record({
  transactionalId: fc.string({ minLength: 1 }),
  producerId: fc.bigInt(0n, 1n << 62n),
  previousProducerId: fc.bigInt(-1n, 1n << 62n),
  nextProducerId: fc.bigInt(-1n, 1n << 62n),
  producerEpoch: fc.integer({ min: 0, max: 0x7fff }),
  lastProducerEpoch: fc.constant(-1),
  timeoutMs: fc.integer({ min: 1, max: 0x7fffffff }),
  state: fc.constantFrom('Ongoing', 'PrepareCommit', 'PrepareAbort', 'CompleteCommit', 'CompleteAbort'),
  partitions: fc
    .array(fc.record({ topic: fc.constantFrom('a', 'b'), partition: fc.integer({ min: 0, max: 99 }) }))
    .map((partitions) => PartitionSet.of(partitions)),
  startMs: fc.integer({ min: -1 }),
  lastUpdateMs: fc.nat(),
  clientVersion: fc.constantFrom(0, 2),
})

function reloaded(transaction: Transaction, transactionVersion: number) {
  const { key, value, valueVersion } = transactionRecord(transaction, transactionVersion)
  assert.equal(valueVersion, transactionVersion >= 1 ? 1 : 0)
  const { partitions, ...rest } = transactionOf(
    TransactionLogRecord.decodeKey(TransactionLogRecord.encodeKey(key as never)),
    TransactionLogRecord.decodeValue(TransactionLogRecord.encodeValue(value as never, valueVersion!)),
  )
  return { ...rest, partitions: [...partitions] }
}

test('a transaction is read back as it was written', () => {
  fc.assert(
    fc.property(anyTransaction, (transaction) => {
      const expected = { ...transaction, partitions: [...transaction.partitions] }
      assert.deepEqual(reloaded(transaction, 2), expected)
      assert.deepEqual(reloaded(transaction, 1), expected)
      // The first version has no room for these.
      assert.deepEqual(reloaded(transaction, 0), {
        ...expected,
        previousProducerId: -1n,
        nextProducerId: -1n,
        clientVersion: 0,
      })
    }),
  )
})

test('an empty transaction has no partitions, not an empty list of them', () => {
  const [empty] = fc.sample(anyTransaction, { numRuns: 1, seed: 1 })
  const { value } = transactionRecord({ ...empty!, state: 'Empty', partitions: PartitionSet.empty }, 2)
  assert.equal((value as { transactionPartitions: unknown }).transactionPartitions, null)
})
