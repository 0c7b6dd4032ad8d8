/** Takes members out of a classic group. */
import { ErrorCode, LeaveGroup } from '@millrace/protocol'
import type { LeaveAnswer, LeaveRequest } from '../coordinators/groups/classic/classic-answers.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { refusalCode } from './coordinator-refusal.ts'
import { groupClient } from './group-client.ts'

/** From this version on several members leave at once, each with a result of its own (KIP-345). */
const firstVersionWithMembers = 3

export const leaveGroup = handler(LeaveGroup, async (request, context) => {
  const isBatched = context.version >= firstVersionWithMembers
  const { memberId } = request
  const members = isBatched ? request.members : [{ memberId, groupInstanceId: null, reason: null }]
  const answer = await leave({ ...request, members }, context)
  if (isBatched) return answer
  return { errorCode: answer.errorCode || answer.members?.[0]?.errorCode || ErrorCode.NONE }
})

async function leave(request: LeaveRequest, context: RequestContext): Promise<LeaveAnswer> {
  const { groupId, members } = request
  if (groupId === '') return { errorCode: ErrorCode.INVALID_GROUP_ID, members: [] }
  try {
    const { groups } = context.broker.coordinators
    return await groups.write(groupId, (shard) => shard.classic.leave(request, groupClient(context)))
  } catch (error) {
    const errorCode = refusalCode(error, context)
    if (errorCode !== ErrorCode.UNKNOWN_MEMBER_ID) return { errorCode, members: [] }
    // There is no such group: none of them is a member.
    return {
      errorCode: ErrorCode.NONE,
      members: members.map(({ memberId, groupInstanceId }) => ({ memberId, groupInstanceId, errorCode })),
    }
  }
}
