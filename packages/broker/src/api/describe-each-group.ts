/** What describing groups of the consumer protocol and share groups has in common: each group is told, or why it is not. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { GroupShard } from '../coordinators/groups/group-shard.ts'
import { askForEach, itself } from '../server/ask-in-turns.ts'
import type { RequestContext } from '../server/request-context.ts'
import { GROUP_OPERATIONS } from './authorized-operations.ts'
import { refusalCode } from './coordinator-refusal.ts'

interface DescribeRequest {
  readonly groupIds: readonly string[]
  readonly includeAuthorizedOperations: boolean
}

interface GroupDescriptions<D> {
  /** Whether the feature and the settings let groups of this type be. */
  readonly areServed: boolean
  /** @throws KafkaError with the code and the message of the group's answer. */
  readonly describe: (shard: GroupShard, groupId: string) => D
  readonly undescribed: (groupId: string, errorCode: number, errorMessage: string | null) => D
}

export async function describeEachGroup<D extends { readonly errorCode: number }>(
  { groupIds, includeAuthorizedOperations }: DescribeRequest,
  context: RequestContext,
  { areServed, describe, undescribed }: GroupDescriptions<D>,
): Promise<D[]> {
  if (!areServed) return groupIds.map((groupId) => undescribed(groupId, ErrorCode.UNSUPPORTED_VERSION, null))
  const { coordinators, clock } = context.broker
  return askForEach(groupIds, itself, clock, async (groupId): Promise<D> => {
    if (groupId === '') return undescribed(groupId, ErrorCode.INVALID_GROUP_ID, null)
    try {
      const group = await coordinators.groups.read(groupId, (shard) => describe(shard, groupId))
      return includeAuthorizedOperations ? withOperations(group) : group
    } catch (error) {
      return undescribed(groupId, refusalCode(error, context), error instanceof KafkaError ? error.message : null)
    }
  })
}

/** Of a group that was told. Everybody may do everything while there is no authorizer. */
export function withOperations<D extends { readonly errorCode: number }>(group: D): D {
  return group.errorCode === ErrorCode.NONE ? { ...group, authorizedOperations: GROUP_OPERATIONS } : group
}
