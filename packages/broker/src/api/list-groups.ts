/** The groups that this broker coordinates. */
import { ErrorCode, ListGroups } from '@millrace/protocol'
import { listGroups as listGroupsOf } from '../coordinators/groups/list-groups.ts'
import { handler } from '../server/handler.ts'
import { refusalCode } from './coordinator-refusal.ts'

export const listGroups = handler(ListGroups, async (request, context) => {
  try {
    const listed = await context.broker.coordinators.groups.readAll(({ groups }) => listGroupsOf(groups, request))
    return { errorCode: ErrorCode.NONE, groups: listed.flat() }
  } catch (error) {
    return { errorCode: refusalCode(error, context), groups: [] }
  }
})
