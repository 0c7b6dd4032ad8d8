/** Classic groups and their members. */
import { DescribeGroups } from '@millrace/protocol'
import { describeGroup, undescribed } from '../coordinators/groups/describe-groups.ts'
import type { DescribedGroup } from '../coordinators/groups/classic/describe-classic.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { askForEach, itself } from '../server/ask-in-turns.ts'
import { refusalCode } from './coordinator-refusal.ts'
import { withOperations } from './describe-each-group.ts'

export const describeGroups = handler(DescribeGroups, async (request, context) => {
  const groups = await askForEach(request.groups, itself, context.broker.clock, (groupId) => describe(groupId, context))
  return { groups: request.includeAuthorizedOperations ? groups.map(withOperations) : groups }
})

async function describe(groupId: string, context: RequestContext): Promise<DescribedGroup> {
  try {
    const { groups } = context.broker.coordinators
    return await groups.read(groupId, (shard) => describeGroup(shard.groups, groupId, context.version))
  } catch (error) {
    return undescribed(groupId, refusalCode(error, context))
  }
}
