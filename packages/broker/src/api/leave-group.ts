/** Takes members out of a classic group. */
import { ErrorCode, LeaveGroup } from '@millrace/protocol'
import type { LeaveAnswer, LeaveRequest } from '../coordinators/groups/classic/classic-answers.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { askInTurns } from '../server/ask-in-turns.ts'
import { refusalCode } from './coordinator-refusal.ts'
import { groupClient } from './group-client.ts'

/** From this version on several members leave at once, each with a result of its own (KIP-345). */
const firstVersionWithMembers = 3

export const leaveGroup = handler(LeaveGroup, async (request, context) => {
  const isBatched = context.version >= firstVersionWithMembers
  const { memberId } = request
  const members = isBatched ? request.members : [{ memberId, groupInstanceId: null, reason: null }]
  const answer = await leaveInTurns({ ...request, members }, context)
  if (isBatched) return answer
  return { errorCode: answer.errorCode || answer.members?.[0]?.errorCode || ErrorCode.NONE }
})

/** More members than that leave in several steps, so that others get their turn between them. */
const mostAtOnce = 1000

async function leaveInTurns(request: LeaveRequest, context: RequestContext): Promise<LeaveAnswer> {
  const { members } = request
  if (members.length <= mostAtOnce) return leave(request, context)
  const steps = Array.from({ length: Math.ceil(members.length / mostAtOnce) }, (_, at) =>
    members.slice(at * mostAtOnce, (at + 1) * mostAtOnce),
  )
  const answers = await askInTurns(steps, context.broker.clock, (some) => leave({ ...request, members: some }, context))
  const refusal = answers.find(({ errorCode }) => errorCode !== ErrorCode.NONE)
  return refusal ?? { errorCode: ErrorCode.NONE, members: answers.flatMap((answer) => answer.members ?? []) }
}

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
