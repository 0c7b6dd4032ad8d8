/** Says what became of records that a member of a share group has acquired (KIP-932). Renewal of locks since version 2 (KIP-1222). */
import { ErrorCode, KafkaError, ShareAcknowledge, type Request, type ResponseInput } from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { finalShareEpoch } from '../sharing/share-sessions.ts'
import { acknowledgeAll, byTopic, isMemberId, namesLeader } from './acknowledgements.ts'
import { CurrentLeaders } from './current-leaders.ts'
import { servesShareGroups } from './share-group-protocol.ts'

type Answer = ResponseInput<typeof ShareAcknowledge>

export const shareAcknowledge = handler(ShareAcknowledge, async (request, context) => {
  const { sharing } = context.broker
  const { groupId, memberId, shareSessionEpoch } = request
  if (!servesShareGroups(context.broker)) return refused(ErrorCode.UNSUPPORTED_VERSION, null)
  if (groupId === null) return refused(ErrorCode.INVALID_REQUEST, 'Invalid group id in the request.')
  if (!isMemberId(memberId)) return refused(ErrorCode.INVALID_REQUEST, 'Invalid member id in the request.')
  try {
    sharing.sessions.acknowledge(groupId, memberId, shareSessionEpoch)
  } catch (error) {
    if (error instanceof KafkaError) return refused(error.code, error.message)
    throw error
  }
  const answer = await acknowledge(request, { groupId, memberId }, context)
  if (shareSessionEpoch === finalShareEpoch) sharing.endSession(groupId, memberId)
  return answer
})

function refused(errorCode: number, errorMessage: string | null): Answer {
  return { throttleTimeMs: 0, errorCode, errorMessage, acquisitionLockTimeoutMs: 0, responses: [], nodeEndpoints: [] }
}

async function acknowledge(
  request: Request<typeof ShareAcknowledge>,
  member: { groupId: string; memberId: string },
  context: RequestContext,
): Promise<Answer> {
  const outcomes = await acknowledgeAll(request, member, context)
  const leaders = new CurrentLeaders(context)
  const { sharing, metadata } = context.broker
  const partitions = outcomes.map(({ topicId, index, errorCode, errorMessage }) => ({
    topicId,
    partitionIndex: index,
    errorCode,
    errorMessage,
    currentLeader: (namesLeader(errorCode) ? leaders.of(metadata.image.topicNameById(topicId), index) : null) ?? {
      leaderId: 0,
      leaderEpoch: 0,
    },
  }))
  return {
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    acquisitionLockTimeoutMs: sharing.lockDurationMs(member.groupId),
    responses: byTopic(partitions),
    nodeEndpoints: leaders.endpoints(),
  }
}
