/** Share groups and their members (KIP-932). */
import { ShareGroupDescribe } from '@millrace/protocol'
import type { DescribedShareGroup } from '../coordinators/groups/share/share-groups.ts'
import { handler } from '../server/handler.ts'
import { describeEachGroup } from './describe-each-group.ts'
import { servesShareGroups } from './share-group-protocol.ts'

export const shareGroupDescribe = handler(ShareGroupDescribe, async (request, context) => ({
  throttleTimeMs: 0,
  groups: await describeEachGroup(request, context, {
    areServed: servesShareGroups(context.broker),
    describe: ({ share }, groupId) => share.describe(groupId),
    undescribed,
  }),
}))

function undescribed(groupId: string, errorCode: number, errorMessage: string | null): DescribedShareGroup {
  return {
    errorCode,
    errorMessage,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
  }
}
