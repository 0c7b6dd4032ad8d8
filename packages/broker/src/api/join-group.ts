/** Joins a classic group; answered when all its members have. */
import { ErrorCode, JoinGroup, type Request } from '@millrace/protocol'
import { refusedJoin, type JoinAnswer } from '../coordinators/groups/classic/classic-answers.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { refusalCode } from './coordinator-refusal.ts'
import { groupClient } from './group-client.ts'

/** Up to this version the name of the protocol is never null. */
const lastVersionWithEmptyProtocol = 6

export const joinGroup = handler(JoinGroup, async (request, context) => {
  const answer = await join(request, context)
  const protocolName = answer.protocolName || null
  return {
    ...answer,
    protocolName: context.version <= lastVersionWithEmptyProtocol ? (protocolName ?? '') : protocolName,
  }
})

async function join(request: Request<typeof JoinGroup>, context: RequestContext): Promise<JoinAnswer> {
  const { groupId, memberId, sessionTimeoutMs } = request
  const { config, coordinators } = context.broker
  if (groupId === '') return refusedJoin(ErrorCode.INVALID_GROUP_ID, memberId)
  const isInBounds =
    sessionTimeoutMs >= config.get('group.min.session.timeout.ms') &&
    sessionTimeoutMs <= config.get('group.max.session.timeout.ms')
  if (!isInBounds) return refusedJoin(ErrorCode.INVALID_SESSION_TIMEOUT, memberId)
  // Version 0 has no rebalance timeout.
  const whole = context.version === 0 ? { ...request, rebalanceTimeoutMs: sessionTimeoutMs } : request
  try {
    return await coordinators.groups.write(groupId, (shard) => shard.classic.join(whole, groupClient(context)))
  } catch (error) {
    return refusedJoin(refusalCode(error, context))
  }
}
