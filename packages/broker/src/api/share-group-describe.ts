/** Share groups and their members (KIP-932). */
import { ErrorCode, KafkaError, ShareGroupDescribe } from '@millrace/protocol'
import type { DescribedShareGroup } from '../coordinators/groups/share/share-groups.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { askForEach, itself } from '../server/ask-in-turns.ts'
import { GROUP_OPERATIONS } from './authorized-operations.ts'
import { refusalCode } from './coordinator-refusal.ts'
import { servesShareGroups } from './share-group-protocol.ts'

export const shareGroupDescribe = handler(ShareGroupDescribe, async (request, context) => {
  const { groupIds, includeAuthorizedOperations } = request
  const groups = servesShareGroups(context.broker)
    ? await askForEach(groupIds, itself, context.broker.clock, (groupId) => describe(groupId, context))
    : groupIds.map((groupId) => undescribed(groupId, ErrorCode.UNSUPPORTED_VERSION))
  return {
    throttleTimeMs: 0,
    groups: groups.map((group) =>
      includeAuthorizedOperations && group.errorCode === ErrorCode.NONE
        ? { ...group, authorizedOperations: GROUP_OPERATIONS }
        : group,
    ),
  }
})

async function describe(groupId: string, context: RequestContext): Promise<DescribedShareGroup> {
  if (groupId === '') return undescribed(groupId, ErrorCode.INVALID_GROUP_ID)
  try {
    const { groups } = context.broker.coordinators
    return await groups.read(groupId, (shard) => shard.share.describe(groupId))
  } catch (error) {
    return undescribed(groupId, refusalCode(error, context), error instanceof KafkaError ? error.message : null)
  }
}

function undescribed(groupId: string, errorCode: number, errorMessage: string | null = null): DescribedShareGroup {
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
