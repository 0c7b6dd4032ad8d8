/**
 * Gives a producer its id and epoch. Without a transactional id that is an idempotent producer (KIP-98); with one, producers that had it before
 * are fenced, and what they left open is aborted.
 */
import { ErrorCode, InitProducerId, type Request } from '@millrace/protocol'
import type { IdentityAnswer } from '../coordinators/transactions/transaction-coordinator.ts'
import { checkIdLength } from '../coordinators/client-bounds.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { fencedFor, orRefused } from './producer-errors.ts'

const fencesSince = 4

export const initProducerId = handler(InitProducerId, async (request, context) => {
  const answer = await orRefused(identify(request, context), refused)
  return { throttleTimeMs: 0, ...answer, errorCode: fencedFor(answer.errorCode, context.version, fencesSince) }
})

async function identify(request: Request<typeof InitProducerId>, { broker }: RequestContext): Promise<IdentityAnswer> {
  const { transactionalId, producerId, producerEpoch, transactionTimeoutMs: timeoutMs } = request
  // An epoch is told with its id, or neither.
  if ((producerId === -1n) !== (producerEpoch === -1)) return refused(ErrorCode.INVALID_REQUEST)
  if (transactionalId === null)
    return { errorCode: ErrorCode.NONE, producerId: await broker.producerIds.next(), producerEpoch: 0 }
  if (transactionalId === '') return refused(ErrorCode.INVALID_REQUEST)
  checkIdLength(transactionalId)
  return broker.coordinators.transactions.initProducerId({
    transactionalId,
    timeoutMs,
    expected: producerId === -1n ? null : { producerId, producerEpoch },
  })
}

function refused(errorCode: number): IdentityAnswer {
  return { errorCode, producerId: -1n, producerEpoch: -1 }
}
