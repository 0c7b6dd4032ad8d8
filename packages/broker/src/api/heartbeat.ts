/** Keeps a member of a classic group alive, and tells it when to join again. */
import { ErrorCode, Heartbeat } from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import { refusalCode } from './coordinator-refusal.ts'
import { groupClient } from './group-client.ts'

export const heartbeat = handler(Heartbeat, async (request, context) => {
  const { groupId } = request
  if (groupId === '') return { errorCode: ErrorCode.INVALID_GROUP_ID }
  try {
    const { groups } = context.broker.coordinators
    return await groups.write(groupId, (shard) => shard.classic.heartbeat(request, groupClient(context)))
  } catch (error) {
    const errorCode = refusalCode(error, context)
    // Nothing of the group is known yet; sessions begin anew when it is.
    return { errorCode: errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS ? ErrorCode.NONE : errorCode }
  }
})
