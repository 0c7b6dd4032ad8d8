/** A transaction as it is in the log. Source: Kafka's TransactionLog. */
import { TransactionLogRecord, type RecordKey, type RecordValue } from '@millrace/protocol'
import { record, tombstone, type CoordinatorRecord } from '../runtime/decision.ts'
import { PartitionSet } from './partition-set.ts'
import type { Transaction } from './transaction.ts'
import { stateNumber, stateOf } from './transaction-state.ts'

export function transactionRecord(transaction: Transaction, transactionVersion: number): CoordinatorRecord {
  const isFlexible = transactionVersion >= 1
  const { previousProducerId, nextProducerId, clientVersion: clientTransactionVersion } = transaction
  return record(
    TransactionLogRecord,
    { transactionalId: transaction.transactionalId },
    {
      producerId: transaction.producerId,
      producerEpoch: transaction.producerEpoch,
      transactionTimeoutMs: transaction.timeoutMs,
      transactionStatus: stateNumber(transaction.state),
      transactionPartitions:
        transaction.state === 'Empty'
          ? null
          : Array.from(transaction.partitions.topics(), ([topic, partitionIds]) => ({ topic, partitionIds })),
      transactionLastUpdateTimestampMs: BigInt(transaction.lastUpdateMs),
      transactionStartTimestampMs: BigInt(transaction.startMs),
      ...(isFlexible ? { previousProducerId, nextProducerId, clientTransactionVersion } : {}),
    },
    isFlexible ? 1 : 0,
  )
}

export function transactionTombstone(transactionalId: string): CoordinatorRecord {
  return tombstone(TransactionLogRecord, { transactionalId })
}

export function transactionOf(
  { transactionalId }: RecordKey<typeof TransactionLogRecord>,
  value: RecordValue<typeof TransactionLogRecord>,
): Transaction {
  return {
    transactionalId,
    producerId: value.producerId,
    previousProducerId: value.previousProducerId,
    nextProducerId: value.nextProducerId,
    producerEpoch: value.producerEpoch,
    lastProducerEpoch: -1,
    timeoutMs: value.transactionTimeoutMs,
    state: stateOf(value.transactionStatus),
    partitions: PartitionSet.of(
      (value.transactionPartitions ?? []).flatMap(({ topic, partitionIds }) =>
        partitionIds.map((partition) => ({ topic, partition })),
      ),
    ),
    startMs: Number(value.transactionStartTimestampMs),
    lastUpdateMs: Number(value.transactionLastUpdateTimestampMs),
    clientVersion: value.clientTransactionVersion,
  }
}
