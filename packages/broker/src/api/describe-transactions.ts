/** Where transactions stand, at their coordinator (KIP-664). */
import { DescribeTransactions, ErrorCode, type ResponseInput } from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { askForEach, itself } from '../server/ask-in-turns.ts'
import { orRefused } from './producer-errors.ts'

type TransactionAnswer = ResponseInput<typeof DescribeTransactions>['transactionStates'][number]

export const describeTransactions = handler(DescribeTransactions, async (request, context) => ({
  throttleTimeMs: 0,
  transactionStates: await askForEach(request.transactionalIds, itself, context.broker.clock, (transactionalId) =>
    orRefused(describe(transactionalId, context), (errorCode) => unknown(transactionalId, errorCode)),
  ),
}))

async function describe(transactionalId: string, { broker }: RequestContext): Promise<TransactionAnswer> {
  if (transactionalId === '') return unknown(transactionalId, ErrorCode.INVALID_REQUEST)
  const transaction = await broker.coordinators.transactions.describe(transactionalId)
  if (transaction === null) return unknown(transactionalId, ErrorCode.TRANSACTIONAL_ID_NOT_FOUND)
  const { state, timeoutMs, startMs, producerId, producerEpoch, partitions } = transaction
  return {
    errorCode: ErrorCode.NONE,
    transactionalId,
    transactionState: state,
    transactionTimeoutMs: timeoutMs,
    transactionStartTimeMs: BigInt(startMs),
    producerId,
    producerEpoch,
    topics: Array.from(partitions.topics(), ([topic, indexes]) => ({ topic, partitions: indexes })),
  }
}

function unknown(transactionalId: string, errorCode: number): TransactionAnswer {
  return {
    errorCode,
    transactionalId,
    transactionState: '',
    transactionTimeoutMs: 0,
    transactionStartTimeMs: 0n,
    producerId: 0n,
    producerEpoch: 0,
    topics: [],
  }
}
