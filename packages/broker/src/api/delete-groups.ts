/** Deletes groups without members, and their offsets. */
import { DeleteGroups } from '@millrace/protocol'
import { deleteGroup as deleteGroupOf } from '../coordinators/groups/delete-groups.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { askForEach, itself } from '../server/ask-in-turns.ts'
import { refusalCode } from './coordinator-refusal.ts'

export const deleteGroups = handler(DeleteGroups, async (request, context) => {
  const results = await askForEach(request.groupsNames, itself, context.broker.clock, async (groupId) => ({
    groupId,
    errorCode: await deleteGroup(groupId, context),
  }))
  return { throttleTimeMs: 0, results }
})

async function deleteGroup(groupId: string, context: RequestContext): Promise<number> {
  try {
    const { groups } = context.broker.coordinators
    // A share group also has state at the share coordinator, which goes first: when that fails the group is there to try again.
    await context.broker.shareGroups.deleteStateOf(groupId)
    return await groups.write(groupId, (shard) => deleteGroupOf(shard.groups, shard.offsets, groupId))
  } catch (error) {
    return refusalCode(error, context)
  }
}
