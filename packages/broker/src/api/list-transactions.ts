/**
 * Lists the transactions that this broker coordinates (KIP-664). Filtered by duration from version 1 (KIP-994), and by a pattern for the whole
 * transactional id from version 2 (KIP-1152).
 */
import { ErrorCode, KafkaError, ListTransactions, type Request, type ResponseInput } from '@millrace/protocol'
import type { Clock } from '@millrace/runtime'
import { TimeSlice } from '@millrace/runtime'
import { loadRegexEngine, type TopicPattern } from '../coordinators/groups/consumer/regex-engine.ts'
import type { Transaction } from '../coordinators/transactions/transaction.ts'
import { isStateName } from '../coordinators/transactions/transaction-state.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'

type Answer = ResponseInput<typeof ListTransactions>

export const listTransactions = handler(ListTransactions, async (request, context): Promise<Answer> => {
  try {
    return await list(request, context)
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return { throttleTimeMs: 0, errorCode: error.code, unknownStateFilters: [], transactionStates: [] }
  }
})

async function list(request: Request<typeof ListTransactions>, { broker }: RequestContext): Promise<Answer> {
  const { stateFilters, producerIdFilters, durationFilter, transactionalIdPattern } = request
  const pattern =
    transactionalIdPattern === null || transactionalIdPattern === ''
      ? null
      : (await loadRegexEngine()).compile(transactionalIdPattern)
  const states = new Set(stateFilters)
  const producerIds = new Set(producerIdFilters)
  const nowMs = broker.clock.now()
  // One without a transaction has no start and so counts as having taken for ever, as in Kafka.
  const matches = ({ state, producerId, startMs }: Transaction): boolean =>
    (producerIds.size === 0 || producerIds.has(producerId)) &&
    (states.size === 0 || states.has(state)) &&
    (durationFilter < 0n || BigInt(nowMs - startMs) > durationFilter)
  const listed = await broker.coordinators.transactions.list(matches)
  const found = pattern === null ? listed : await named(listed, pattern, broker.clock)
  return {
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    unknownStateFilters: [...states].filter((name) => !isStateName(name)),
    transactionStates: found.map(({ transactionalId, producerId, state: transactionState }) => ({
      transactionalId,
      producerId,
      transactionState,
    })),
  }
}

/** In slices: the expression may be a dear one, and the ids long. */
async function named(listed: readonly Transaction[], pattern: TopicPattern, clock: Clock): Promise<Transaction[]> {
  const slice = new TimeSlice(clock)
  const found: Transaction[] = []
  for (const transaction of listed) {
    if (pattern.matches(transaction.transactionalId)) found.push(transaction)
    if (slice.isOver) await slice.nextTurn()
  }
  return found
}
