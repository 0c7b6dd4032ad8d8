/**
 * Commits or aborts a transaction (KIP-98). Answered when the outcome is certain; the markers are written after that. From version 5 the answer
 * carries the epoch to go on with (KIP-890).
 */
import { EndTxn } from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import { fencedFor, orRefused } from './producer-errors.ts'

const fencesSince = 2
const firstVersionWithNewEpochs = 5

export const endTxn = handler(EndTxn, async (request, { version, broker }) => {
  const { transactionalId, producerId, producerEpoch, committed } = request
  const ended = broker.coordinators.transactions.endTransaction(transactionalId, {
    producerId,
    producerEpoch,
    result: committed ? 'COMMIT' : 'ABORT',
    clientVersion: version >= firstVersionWithNewEpochs ? 2 : 0,
  })
  const answer = await orRefused(ended, (errorCode) => ({ errorCode, producerId: -1n, producerEpoch: -1 }))
  return { throttleTimeMs: 0, ...answer, errorCode: fencedFor(answer.errorCode, version, fencesSince) }
})
