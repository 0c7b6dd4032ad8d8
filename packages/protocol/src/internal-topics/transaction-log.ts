/** Transactions by their id, in `__transaction_state`. */
import { array, int16, int32, int64, int8, string } from '../schema/field.ts'
import { recordType } from './record-type.ts'

/**
 * Kafka writes version 1 from `transaction.version` 1 on (KIP-890), and version 0 below. It sets the next producer id and not its
 * epoch, which is in the schema only. Partitions are null in the state Empty.
 */
export const TransactionLogRecord = recordType({
  name: 'TransactionLog',
  id: 0,
  key: { transactionalId: string },
  value: {
    versions: [0, 1],
    flexible: 1,
    writes: 1,
    fields: {
      producerId: int64,
      previousProducerId: int64.since(1).tag(0).default(-1n),
      nextProducerId: int64.since(1).tag(1).default(-1n),
      producerEpoch: int16,
      nextProducerEpoch: int16.since(1).tag(3).default(-1),
      transactionTimeoutMs: int32,
      transactionStatus: int8,
      transactionPartitions: array({ topic: string, partitionIds: array(int32) }).nullable(),
      transactionLastUpdateTimestampMs: int64,
      transactionStartTimestampMs: int64,
      /** The transaction version of the client's protocol. */
      clientTransactionVersion: int16.since(1).tag(2).default(0),
    },
  },
})
