/** The records that `__consumer_offsets` keeps of a consumer group. Source: Kafka's GroupCoordinatorRecordHelpers. */
import {
  ConsumerGroupCurrentMemberAssignmentRecord,
  ConsumerGroupMemberMetadataRecord,
  ConsumerGroupMetadataRecord,
  ConsumerGroupPartitionMetadataRecord,
  ConsumerGroupRegularExpressionRecord,
  ConsumerGroupTargetAssignmentMemberRecord,
  ConsumerGroupTargetAssignmentMetadataRecord,
} from '@millrace/protocol'
import { record, tombstone, type CoordinatorRecord } from '../../runtime/decision.ts'
import type { Assignment } from '../assignors/assignor.ts'
import { stateNumber, type ConsumerMember } from './consumer-member.ts'
import { ascending, storedOwnedPartitions } from './owned-partitions.ts'
import type { ResolvedRegex } from './subscriptions.ts'

export function groupEpochRecord(groupId: string, epoch: number, metadataHash: bigint): CoordinatorRecord {
  return record(ConsumerGroupMetadataRecord, { groupId }, { epoch, metadataHash })
}

export function groupTombstone(groupId: string): CoordinatorRecord {
  return tombstone(ConsumerGroupMetadataRecord, { groupId })
}

/** What brokers before 4.1 kept of the subscribed topics. */
export function partitionMetadataTombstone(groupId: string): CoordinatorRecord {
  return tombstone(ConsumerGroupPartitionMetadataRecord, { groupId })
}

export function memberMetadataRecord(groupId: string, member: ConsumerMember): CoordinatorRecord {
  return record(
    ConsumerGroupMemberMetadataRecord,
    { groupId, memberId: member.id },
    {
      instanceId: member.instanceId,
      rackId: member.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.subscribedTopics].sort(),
      subscribedTopicRegex: member.subscribedRegex,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      serverAssignor: member.assignor,
      classicMemberMetadata: member.classic,
    },
  )
}

export function memberTombstone(groupId: string, memberId: string): CoordinatorRecord {
  return tombstone(ConsumerGroupMemberMetadataRecord, { groupId, memberId })
}

export function targetRecord(groupId: string, memberId: string, target: Assignment): CoordinatorRecord {
  return record(
    ConsumerGroupTargetAssignmentMemberRecord,
    { groupId, memberId },
    {
      topicPartitions: Array.from(target, ([topicId, partitions]) => ({ topicId, partitions: ascending(partitions) })),
    },
  )
}

export function targetTombstone(groupId: string, memberId: string): CoordinatorRecord {
  return tombstone(ConsumerGroupTargetAssignmentMemberRecord, { groupId, memberId })
}

export function targetEpochRecord(groupId: string, epoch: number, timestampMs: number): CoordinatorRecord {
  return record(
    ConsumerGroupTargetAssignmentMetadataRecord,
    { groupId },
    { assignmentEpoch: epoch, assignmentTimestamp: BigInt(timestampMs) },
  )
}

export function targetEpochTombstone(groupId: string): CoordinatorRecord {
  return tombstone(ConsumerGroupTargetAssignmentMetadataRecord, { groupId })
}

export function currentAssignmentRecord(groupId: string, member: ConsumerMember): CoordinatorRecord {
  return record(
    ConsumerGroupCurrentMemberAssignmentRecord,
    { groupId, memberId: member.id },
    {
      memberEpoch: member.epoch,
      previousMemberEpoch: member.previousEpoch,
      state: stateNumber(member.state),
      assignedPartitions: storedOwnedPartitions(member.assigned),
      partitionsPendingRevocation: storedOwnedPartitions(member.pendingRevocation),
    },
  )
}

export function currentAssignmentTombstone(groupId: string, memberId: string): CoordinatorRecord {
  return tombstone(ConsumerGroupCurrentMemberAssignmentRecord, { groupId, memberId })
}

export function regexRecord(groupId: string, regex: string, resolved: ResolvedRegex): CoordinatorRecord {
  return record(
    ConsumerGroupRegularExpressionRecord,
    { groupId, regularExpression: regex },
    {
      topics: [...resolved.topics].sort(),
      version: resolved.version,
      timestamp: BigInt(resolved.timestampMs),
    },
  )
}

export function regexTombstone(groupId: string, regex: string): CoordinatorRecord {
  return tombstone(ConsumerGroupRegularExpressionRecord, { groupId, regularExpression: regex })
}

/** What takes a member out of its group. */
export function memberRemoval(groupId: string, memberId: string): CoordinatorRecord[] {
  return [
    currentAssignmentTombstone(groupId, memberId),
    targetTombstone(groupId, memberId),
    memberTombstone(groupId, memberId),
  ]
}
