/** Gives a producer its id and epoch. Without a transactional id that is an idempotent producer (KIP-98). */
import { ErrorCode, InitProducerId, KafkaError } from '@millrace/protocol'
import { handler } from '../server/handler.ts'

export const initProducerId = handler(InitProducerId, async (request, context) => {
  const refused = (errorCode: number) => ({ throttleTimeMs: 0, errorCode, producerId: -1n, producerEpoch: -1 })
  // An epoch is told with its id, or neither.
  if ((request.producerId === -1n) !== (request.producerEpoch === -1)) return refused(ErrorCode.INVALID_REQUEST)
  if (request.transactionalId === '') return refused(ErrorCode.INVALID_REQUEST)
  // Transactional ids have a coordinator, and this broker has none yet.
  if (request.transactionalId !== null) return refused(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  try {
    const producerId = await context.broker.producerIds.next()
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, producerId, producerEpoch: 0 }
  } catch (error) {
    if (error instanceof KafkaError) return refused(error.code)
    throw error
  }
})
