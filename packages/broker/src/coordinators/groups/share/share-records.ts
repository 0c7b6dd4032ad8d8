/** The records that `__consumer_offsets` keeps of a share group. Source: Kafka's GroupCoordinatorRecordHelpers. */
import {
  ShareGroupCurrentMemberAssignmentRecord,
  ShareGroupMemberMetadataRecord,
  ShareGroupMetadataRecord,
  ShareGroupStatePartitionMetadataRecord,
  ShareGroupTargetAssignmentMemberRecord,
  ShareGroupTargetAssignmentMetadataRecord,
} from '@millrace/protocol'
import { record, tombstone, type CoordinatorRecord } from '../../runtime/decision.ts'
import type { Assignment } from '../assignors/assignor.ts'
import { storedAssignment, type ShareMember } from './share-member.ts'
import type { StatePartitions, TopicState } from './state-partitions.ts'

/** Kafka's MemberState.STABLE: share groups know no other. */
const stable = 0

export function groupEpochRecord(groupId: string, epoch: number, metadataHash: bigint): CoordinatorRecord {
  return record(ShareGroupMetadataRecord, { groupId }, { epoch, metadataHash })
}

export function memberMetadataRecord(groupId: string, member: ShareMember): CoordinatorRecord {
  return record(
    ShareGroupMemberMetadataRecord,
    { groupId, memberId: member.id },
    {
      rackId: member.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.subscribedTopics].sort(),
    },
  )
}

export function targetRecord(groupId: string, memberId: string, target: Assignment): CoordinatorRecord {
  return record(
    ShareGroupTargetAssignmentMemberRecord,
    { groupId, memberId },
    { topicPartitions: storedAssignment(target) },
  )
}

export function targetEpochRecord(groupId: string, assignmentEpoch: number, nowMs: number): CoordinatorRecord {
  return record(
    ShareGroupTargetAssignmentMetadataRecord,
    { groupId },
    { assignmentEpoch, assignmentTimestamp: BigInt(nowMs) },
  )
}

export function currentAssignmentRecord(groupId: string, member: ShareMember): CoordinatorRecord {
  return record(
    ShareGroupCurrentMemberAssignmentRecord,
    { groupId, memberId: member.id },
    {
      memberEpoch: member.epoch,
      previousMemberEpoch: member.previousEpoch,
      state: stable,
      assignedPartitions: storedAssignment(member.assigned),
    },
  )
}

/** In the order in which their tombstones may follow each other. */
export function memberRemoval(groupId: string, memberId: string): CoordinatorRecord[] {
  return [
    tombstone(ShareGroupCurrentMemberAssignmentRecord, { groupId, memberId }),
    tombstone(ShareGroupTargetAssignmentMemberRecord, { groupId, memberId }),
    tombstone(ShareGroupMemberMetadataRecord, { groupId, memberId }),
  ]
}

export function groupRemoval(groupId: string, memberIds: Iterable<string>): CoordinatorRecord[] {
  const members = [...memberIds]
  return [
    ...members.map((memberId) => tombstone(ShareGroupCurrentMemberAssignmentRecord, { groupId, memberId })),
    ...members.map((memberId) => tombstone(ShareGroupTargetAssignmentMemberRecord, { groupId, memberId })),
    tombstone(ShareGroupTargetAssignmentMetadataRecord, { groupId }),
    ...members.map((memberId) => tombstone(ShareGroupMemberMetadataRecord, { groupId, memberId })),
    tombstone(ShareGroupStatePartitionMetadataRecord, { groupId }),
    tombstone(ShareGroupMetadataRecord, { groupId }),
  ]
}

export function statePartitionsRecord(
  groupId: string,
  { initializing, initialized, deleting }: StatePartitions,
): CoordinatorRecord {
  return record(
    ShareGroupStatePartitionMetadataRecord,
    { groupId },
    {
      initializingTopics: stored(initializing),
      initializedTopics: stored(initialized),
      deletingTopics: Array.from(deleting, ([topicId, topicName]) => ({ topicId, topicName })),
    },
  )
}

function stored(
  topics: ReadonlyMap<string, TopicState>,
): { topicId: string; topicName: string; partitions: number[] }[] {
  return Array.from(topics, ([topicId, { name, partitions }]) => ({
    topicId,
    topicName: name,
    partitions: [...partitions],
  }))
}
