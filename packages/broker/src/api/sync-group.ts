/** Brings the assignment of the leader of a classic group to its members. */
import { ErrorCode, SyncGroup } from '@millrace/protocol'
import { refusedSync } from '../coordinators/groups/classic/classic-answers.ts'
import { handler } from '../server/handler.ts'
import { refusalCode } from './coordinator-refusal.ts'
import { groupClient } from './group-client.ts'

/** From this version on the member says which protocol it takes the group to use (KIP-559). */
const firstVersionWithProtocol = 5

export const syncGroup = handler(SyncGroup, async (request, context) => {
  const { groupId, protocolType, protocolName } = request
  const lacksProtocol = protocolType === null || protocolName === null
  if (context.version >= firstVersionWithProtocol && lacksProtocol)
    return refusedSync(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  if (groupId === '') return refusedSync(ErrorCode.INVALID_GROUP_ID)
  try {
    const { groups } = context.broker.coordinators
    return await groups.write(groupId, (shard) => shard.classic.sync(request, groupClient(context)))
  } catch (error) {
    return refusedSync(refusalCode(error, context))
  }
})
