/** Applies the records of share groups. Source: Kafka's GroupMetadataManager. */
import {
  ShareGroupCurrentMemberAssignmentRecord,
  ShareGroupMemberMetadataRecord,
  ShareGroupMetadataRecord,
  ShareGroupStatePartitionMetadataRecord,
  ShareGroupTargetAssignmentMemberRecord,
  ShareGroupTargetAssignmentMetadataRecord,
} from '@millrace/protocol'
import type { Replayers } from '../../runtime/replayers.ts'
import type { Groups } from '../groups.ts'
import { ShareGroup } from './share-group.ts'
import {
  assignmentOf,
  leavingEpoch,
  memberThatLeaves,
  memberWithAssignment,
  memberWithMetadata,
} from './share-member.ts'
import { noStatePartitions, type TopicStates } from './state-partitions.ts'

export interface ShareReplayOptions {
  readonly groups: Groups
  /** On the monotonic clock; -Infinity while the partition is loaded. */
  readonly nowMs: () => number
}

/** Tombstones for what is not there are fine: what they removed is gone from the log already. */
export function registerShareReplay(replayers: Replayers, { groups, nowMs }: ShareReplayOptions): void {
  const existing = (id: string): ShareGroup | undefined => {
    const group = groups.get(id)
    return group instanceof ShareGroup ? group : undefined
  }
  const groupOf = (id: string): ShareGroup => {
    const group = groups.get(id)
    if (group instanceof ShareGroup) return group
    if (group !== undefined) throw new Error(`${id} is a ${group.type} group, but there is a record of a share group`)
    const made = new ShareGroup(id)
    groups.put(made)
    return made
  }
  const topicStates = (
    topics: readonly { topicId: string; topicName: string; partitions: readonly number[] }[],
  ): TopicStates =>
    new Map(
      topics.map(({ topicId, topicName, partitions }) => [
        topicId,
        { name: topicName, partitions: new Set(partitions), sinceMs: nowMs() },
      ]),
    )

  replayers
    .on(ShareGroupMetadataRecord, ({ groupId }, value) => {
      if (value !== null) {
        const group = groupOf(groupId)
        group.epoch = value.epoch
        group.metadataHash = value.metadataHash
        return
      }
      const group = existing(groupId)
      if (group === undefined) return
      if (!group.isEmpty || group.targetCount > 0 || group.targetEpoch !== -1)
        throw new Error(`share group ${groupId} is deleted before its members and their targets are`)
      groups.remove(groupId)
    })
    .on(ShareGroupMemberMetadataRecord, ({ groupId, memberId }, value) => {
      if (value !== null) {
        const group = groupOf(groupId)
        group.updateMember(memberWithMetadata(group.memberOrNew(memberId), value))
        return
      }
      const group = existing(groupId)
      const member = group?.members.get(memberId)
      if (group === undefined || member === undefined) return
      if (member.epoch !== leavingEpoch || group.hasTarget(memberId))
        throw new Error(`member ${memberId} of share group ${groupId} is deleted before its assignment is`)
      group.removeMember(memberId)
    })
    .on(ShareGroupTargetAssignmentMetadataRecord, ({ groupId }, value) => {
      const group = value === null ? existing(groupId) : groupOf(groupId)
      if (group === undefined) return
      if (value === null && group.targetCount > 0)
        throw new Error(`the target of share group ${groupId} is deleted before those of its members are`)
      group.targetEpoch = value?.assignmentEpoch ?? -1
      group.targetTimestampMs = Number(value?.assignmentTimestamp ?? 0n)
    })
    .on(ShareGroupTargetAssignmentMemberRecord, ({ groupId, memberId }, value) => {
      if (value === null) existing(groupId)?.deleteTarget(memberId)
      else groupOf(groupId).setTarget(memberId, assignmentOf(value.topicPartitions))
    })
    .on(ShareGroupCurrentMemberAssignmentRecord, ({ groupId, memberId }, value) => {
      if (value !== null) {
        const group = groupOf(groupId)
        group.updateMember(memberWithAssignment(group.memberOrNew(memberId), value))
        return
      }
      const group = existing(groupId)
      const member = group?.members.get(memberId)
      if (member !== undefined) group!.updateMember(memberThatLeaves(member))
    })
    .on(ShareGroupStatePartitionMetadataRecord, ({ groupId }, value) => {
      const group = value === null ? existing(groupId) : groupOf(groupId)
      if (group === undefined) return
      group.statePartitions =
        value === null
          ? noStatePartitions
          : {
              initializing: topicStates(value.initializingTopics),
              initialized: topicStates(value.initializedTopics),
              deleting: new Map(value.deletingTopics.map(({ topicId, topicName }) => [topicId, topicName])),
            }
    })
}
