/** What ShareFetch and ShareAcknowledge have in common: checking acknowledgements, before any state is looked at. */
import { ErrorCode, defaultErrorMessage } from '@millrace/protocol'
import type { RequestContext } from '../server/request-context.ts'
import type { AcknowledgementBatch } from '../sharing/acknowledge.ts'
import { AcknowledgeType } from '../sharing/record-state.ts'
import type { AcknowledgeOutcome, PartitionAcknowledgement } from '../sharing/sharing.ts'

/** Members have ids of their own making; this many characters has a readable UUID. */
const longestMemberId = 36

export function isMemberId(memberId: string | null): memberId is string {
  return memberId !== null && memberId.length > 0 && memberId.length <= longestMemberId
}

interface AcknowledgeRequest {
  readonly isRenewAck: boolean
  readonly topics: readonly {
    readonly topicId: string
    readonly partitions: readonly {
      readonly partitionIndex: number
      readonly acknowledgementBatches: readonly AcknowledgementBatch[]
    }[]
  }[]
}

/** Acknowledges what the request says; what is wrong with it is said for each partition. */
export async function acknowledgeAll(
  request: AcknowledgeRequest,
  member: { groupId: string; memberId: string },
  { broker, version }: RequestContext,
): Promise<AcknowledgeOutcome[]> {
  const { image } = broker.metadata
  const refused: AcknowledgeOutcome[] = []
  const accepted: PartitionAcknowledgement[] = []
  for (const { topicId, partitions } of request.topics) {
    const topic = image.topicById(topicId)
    for (const { partitionIndex, acknowledgementBatches } of partitions) {
      const partition = { topicId, index: partitionIndex, batches: acknowledgementBatches }
      if (topic === undefined) refused.push(outcome(partition, ErrorCode.UNKNOWN_TOPIC_ID))
      else if (!areValid(acknowledgementBatches, version >= 2, request.isRenewAck))
        refused.push(outcome(partition, ErrorCode.INVALID_REQUEST))
      else if (topic.partitions[partitionIndex] === undefined)
        refused.push(outcome(partition, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
      else if (acknowledgementBatches.length === 0) refused.push(outcome(partition, ErrorCode.NONE))
      else accepted.push(partition)
    }
  }
  return [...(await broker.sharing.acknowledge(member.groupId, member.memberId, accepted)), ...refused]
}

function outcome({ topicId, index }: PartitionAcknowledgement, errorCode: number): AcknowledgeOutcome {
  const errorMessage = errorCode === ErrorCode.NONE ? null : defaultErrorMessage(errorCode)
  return { topicId, index, errorCode, errorMessage }
}

/** In the order of offsets, with one type for all or one for each; renewals only from version 2, and where the request says so. */
function areValid(batches: readonly AcknowledgementBatch[], knowsRenew: boolean, isRenew: boolean): boolean {
  const highest = knowsRenew ? AcknowledgeType.RENEW : AcknowledgeType.REJECT
  let end = -1n
  for (const { firstOffset, lastOffset, acknowledgeTypes } of batches) {
    if (firstOffset > lastOffset || firstOffset < end || acknowledgeTypes.length === 0) return false
    if (acknowledgeTypes.length > 1 && lastOffset - firstOffset !== BigInt(acknowledgeTypes.length - 1)) return false
    if (acknowledgeTypes.some((type) => type < AcknowledgeType.GAP || type > highest)) return false
    if (!isRenew && acknowledgeTypes.includes(AcknowledgeType.RENEW)) return false
    end = lastOffset
  }
  return true
}

/** Parts of an answer, by topic id, in the order in which topics appear. */
export function byTopic<P>(
  parts: readonly (P & { readonly topicId: string })[],
): { topicId: string; partitions: P[] }[] {
  const topics = new Map<string, P[]>()
  for (const part of parts) {
    const partitions = topics.get(part.topicId)
    if (partitions === undefined) topics.set(part.topicId, [part])
    else partitions.push(part)
  }
  return [...topics].map(([topicId, partitions]) => ({ topicId, partitions }))
}

/** Clients that hear one of these are told who leads the partition. */
export function namesLeader(errorCode: number): boolean {
  return errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER || errorCode === ErrorCode.FENCED_LEADER_EPOCH
}
