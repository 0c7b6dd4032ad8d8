import { api } from '../schema/api.ts'
import { array, bool, int16, int32, int64, string } from '../schema/field.ts'

const addPartitionsToTxnTopic = {
  name: string,
  partitions: array(int32),
}
const addPartitionsToTxnTopicResult = {
  name: string,
  resultsByPartition: array({ partitionIndex: int32, partitionErrorCode: int16 }),
}

/**
 * Adds partitions to a transaction. Version 4 is for brokers: it takes several transactions and can verify only (KIP-890).
 */
export const AddPartitionsToTxn = api({
  key: 24,
  name: 'AddPartitionsToTxn',
  versions: [0, 5],
  flexible: 3,
  request: {
    transactions: array({
      transactionalId: string,
      producerId: int64,
      producerEpoch: int16,
      verifyOnly: bool.default(false),
      topics: array(addPartitionsToTxnTopic),
    }).since(4),
    v3AndBelowTransactionalId: string.upTo(3),
    v3AndBelowProducerId: int64.upTo(3),
    v3AndBelowProducerEpoch: int16.upTo(3),
    v3AndBelowTopics: array(addPartitionsToTxnTopic).upTo(3),
  },
  response: {
    throttleTimeMs: int32,
    errorCode: int16.since(4).ignorable(),
    resultsByTransaction: array({ transactionalId: string, topicResults: array(addPartitionsToTxnTopicResult) }).since(
      4,
    ),
    resultsByTopicV3AndBelow: array(addPartitionsToTxnTopicResult).upTo(3),
  },
})
