/**
 * Adds partitions to a transaction, before records are sent to them (KIP-98). From version 4 for brokers: several transactions, or only whether
 * the partitions are in them (KIP-890).
 */
import { AddPartitionsToTxn, ErrorCode, type Request, type ResponseInput } from '@millrace/protocol'
import { isInternalTopic } from '../controller/topic-names.ts'
import type { TopicPartition } from '../coordinators/transactions/partition-set.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { askInTurns } from '../server/ask-in-turns.ts'
import { fencedFor, orRefused } from './producer-errors.ts'

const firstBatchedVersion = 4
const fencesSince = 2

type OneTransaction = Request<typeof AddPartitionsToTxn>['transactions'][number]
type TopicResults = ResponseInput<typeof AddPartitionsToTxn>['resultsByTopicV3AndBelow']

export const addPartitionsToTxn = handler(AddPartitionsToTxn, async (request, context) => {
  if (context.version < firstBatchedVersion) {
    const resultsByTopicV3AndBelow = await addOne(
      {
        transactionalId: request.v3AndBelowTransactionalId,
        producerId: request.v3AndBelowProducerId,
        producerEpoch: request.v3AndBelowProducerEpoch,
        verifyOnly: false,
        topics: request.v3AndBelowTopics,
      },
      context,
    )
    return { throttleTimeMs: 0, resultsByTransaction: [], resultsByTopicV3AndBelow }
  }
  const resultsByTransaction = await askInTurns(request.transactions, context.broker.clock, async (one) => ({
    transactionalId: one.transactionalId,
    topicResults: (await addOne(one, context))!,
  }))
  return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, resultsByTransaction, resultsByTopicV3AndBelow: [] }
})

async function addOne(transaction: OneTransaction, context: RequestContext): Promise<TopicResults> {
  const partitions = transaction.topics.flatMap(({ name, partitions: indexes }) =>
    indexes.map((partition) => ({ topic: name, partition })),
  )
  const errorCodes = await answerFor(transaction, partitions, context)
  let at = 0
  return transaction.topics.map(({ name, partitions: indexes }) => ({
    name,
    resultsByPartition: indexes.map((partitionIndex) => ({ partitionIndex, partitionErrorCode: errorCodes[at++]! })),
  }))
}

/** An error code for each partition. One that does not exist, or is not for clients, keeps all from being added. */
async function answerFor(
  transaction: OneTransaction,
  partitions: readonly TopicPartition[],
  { version, broker }: RequestContext,
): Promise<readonly number[]> {
  const { image } = broker.metadata
  const problems = partitions.map(({ topic, partition }) => {
    if (version < firstBatchedVersion && isInternalTopic(topic)) return ErrorCode.TOPIC_AUTHORIZATION_FAILED
    return image.partition(topic, partition) === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.NONE
  })
  if (problems.some((problem) => problem !== ErrorCode.NONE))
    return problems.map((problem) => (problem === ErrorCode.NONE ? ErrorCode.OPERATION_NOT_ATTEMPTED : problem))
  const { transactionalId, producerId, producerEpoch, verifyOnly } = transaction
  const { transactions } = broker.coordinators
  const forAll = (errorCode: number) => partitions.map(() => fencedFor(errorCode, version, fencesSince))
  if (verifyOnly)
    return orRefused(transactions.verifyPartitions(transactionalId, { producerId, producerEpoch, partitions }), forAll)
  const clientVersion = version >= firstBatchedVersion ? 2 : 0
  const added = transactions.addPartitions(transactionalId, { producerId, producerEpoch, partitions, clientVersion })
  return forAll(await orRefused(added, (errorCode) => errorCode))
}
