/** Makes the next target assignment of a group. Source: Kafka's TargetAssignmentBuilder. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { MetadataImage } from '../../../metadata/image.ts'
import type { CoordinatorRecord } from '../../runtime/decision.ts'
import {
  isSameAssignment,
  noPartitions,
  type Assignment,
  type Assignor,
  type MemberToAssign,
  type SubscriptionType,
} from '../assignors/assignor.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerMember } from './consumer-member.ts'
import { targetEpochRecord, targetRecord } from './consumer-records.ts'

export interface TargetRequest {
  readonly group: ConsumerGroup
  /** The group epoch it is made for. */
  readonly epoch: number
  readonly assignor: Assignor
  readonly subscriptionType: SubscriptionType
  /** The member as it is with the heartbeat that asks; in place of the one it has in the group, or of the static member it follows. */
  readonly member: ConsumerMember
  readonly image: MetadataImage
  readonly nowMs: number
}

export interface NewTarget {
  /** Those that change the targets of members, then the epoch. */
  readonly records: readonly CoordinatorRecord[]
  /** The target of the member that asks. */
  readonly ofMember: Assignment
}

/** @throws KafkaError UNKNOWN_SERVER_ERROR when the assignor cannot make one. */
export function newTarget({
  group,
  epoch,
  assignor,
  subscriptionType,
  member,
  image,
  nowMs,
}: TargetRequest): NewTarget {
  const members = membersToAssign(group, member, image)
  const assigned = assignor.assign({
    members,
    subscriptionType,
    isAssigned: (topicId, partition) => group.target.isAssigned(topicId, partition),
    partitionCount: (topicId) => {
      const topic = image.topicById(topicId)
      if (topic === undefined)
        throw new KafkaError(
          ErrorCode.UNKNOWN_SERVER_ERROR,
          `Failed to compute a new target assignment for epoch ${epoch}: Members are subscribed to topic ${topicId} which doesn't exist in the topic metadata.`,
        )
      return topic.partitions.length
    },
  })
  const records: CoordinatorRecord[] = []
  for (const memberId of members.keys()) {
    const target = assigned.get(memberId) ?? noPartitions
    if (!group.target.has(memberId) || !isSameAssignment(group.target.of(memberId), target))
      records.push(targetRecord(group.id, memberId, target))
  }
  records.push(targetEpochRecord(group.id, epoch, nowMs))
  return { records, ofMember: assigned.get(member.id) ?? noPartitions }
}

function membersToAssign(
  group: ConsumerGroup,
  asking: ConsumerMember,
  image: MetadataImage,
): ReadonlyMap<string, MemberToAssign> {
  const topicIds = new Map<ReadonlySet<string>, ReadonlySet<string>>()
  const describe = (member: ConsumerMember, assignment: Assignment): MemberToAssign => {
    const topics = group.subscriptions.topicsOf(member)
    let ids = topicIds.get(topics)
    if (ids === undefined) topicIds.set(topics, (ids = topicIdsOf(topics, image)))
    return { instanceId: member.instanceId, subscribedTopicIds: ids, assignment }
  }
  const previousId = group.staticMemberId(asking.instanceId)
  const members = new Map<string, MemberToAssign>()
  for (const [id, member] of group.members)
    if (id !== previousId || id === asking.id)
      members.set(id, describe(id === asking.id ? asking : member, group.target.of(id)))
  if (!members.has(asking.id)) members.set(asking.id, describe(asking, group.target.of(previousId ?? asking.id)))
  return members
}

/** Of the topics that exist. */
export function topicIdsOf(topics: Iterable<string>, image: MetadataImage): ReadonlySet<string> {
  const ids = new Set<string>()
  for (const name of topics) {
    const topic = image.topics.get(name)
    if (topic !== undefined) ids.add(topic.id)
  }
  return ids
}
