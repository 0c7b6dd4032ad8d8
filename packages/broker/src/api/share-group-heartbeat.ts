/** Membership, subscription and assignment in a share group in one call (KIP-932). */
import { ErrorCode, KafkaError, ShareGroupHeartbeat } from '@millrace/protocol'
import { checkShareHeartbeat, type ShareHeartbeatAnswer } from '../coordinators/groups/share/share-heartbeats.ts'
import { handler } from '../server/handler.ts'
import { isMemberId } from './acknowledgements.ts'
import { refusalCode } from './coordinator-refusal.ts'
import { groupClient } from './group-client.ts'
import { servesShareGroups } from './share-group-protocol.ts'

export const shareGroupHeartbeat = handler(ShareGroupHeartbeat, async (request, context) => {
  if (!servesShareGroups(context.broker)) return refused(ErrorCode.UNSUPPORTED_VERSION, null)
  if (!isMemberId(request.memberId)) return refused(ErrorCode.INVALID_REQUEST, 'Invalid member id in the request.')
  try {
    checkShareHeartbeat(request)
    return await context.broker.shareGroups.heartbeat(request, groupClient(context))
  } catch (error) {
    return refused(refusalCode(error, context), error instanceof KafkaError ? error.message : null)
  }
})

function refused(errorCode: number, errorMessage: string | null): ShareHeartbeatAnswer {
  return { throttleTimeMs: 0, errorCode, errorMessage, memberEpoch: 0, heartbeatIntervalMs: 0 }
}
