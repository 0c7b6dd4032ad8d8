/** Applies the records of consumer groups. Source: Kafka's GroupMetadataManager. */
import {
  ConsumerGroupCurrentMemberAssignmentRecord,
  ConsumerGroupMemberMetadataRecord,
  ConsumerGroupMetadataRecord,
  ConsumerGroupPartitionMetadataRecord,
  ConsumerGroupRegularExpressionRecord,
  ConsumerGroupTargetAssignmentMemberRecord,
  ConsumerGroupTargetAssignmentMetadataRecord,
} from '@millrace/protocol'
import type { Replayers } from '../../runtime/replayers.ts'
import type { ClassicGroup } from '../classic/classic-group.ts'
import type { Groups } from '../groups.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { leavingEpoch, memberWithAssignment, memberWithMetadata } from './consumer-member.ts'
import { ownsNothing } from './owned-partitions.ts'

export interface ConsumerReplayOptions {
  readonly groups: Groups
  readonly newGroup: (id: string) => ConsumerGroup
}

/** Tombstones for what is not there are fine: what they removed is gone from the log already. */
export function registerConsumerReplay(replayers: Replayers, { groups, newGroup }: ConsumerReplayOptions): void {
  const existing = (id: string): ConsumerGroup | undefined => {
    const group = groups.get(id)
    return group instanceof ConsumerGroup ? group : undefined
  }
  const groupOf = (id: string): ConsumerGroup => {
    const group = groups.get(id)
    if (group instanceof ConsumerGroup) return group
    // A simple group is made by offsets alone, and gives way.
    if (group !== undefined && !(group.type === 'classic' && (group as ClassicGroup).isSimple))
      throw new Error(`${id} is a ${group.type} group, but there is a record of a consumer group`)
    const made = newGroup(id)
    groups.put(made)
    return made
  }

  replayers
    .on(ConsumerGroupMetadataRecord, ({ groupId }, value) => {
      if (value !== null) {
        const group = groupOf(groupId)
        group.epoch = value.epoch
        group.metadataHash = value.metadataHash
        return
      }
      const group = existing(groupId)
      if (group === undefined) return
      if (!group.isEmpty || group.target.size > 0 || group.target.epoch !== -1)
        throw new Error(`group ${groupId} is deleted before its members and their targets are`)
      groups.remove(groupId)
    })
    .on(ConsumerGroupPartitionMetadataRecord, ({ groupId }, value) => {
      const group = value === null ? existing(groupId) : groupOf(groupId)
      if (group !== undefined) group.hasPartitionMetadataRecord = value !== null
    })
    .on(ConsumerGroupMemberMetadataRecord, ({ groupId, memberId }, value) => {
      if (value !== null) {
        const group = groupOf(groupId)
        const topics = group.shareTopics(value.subscribedTopicNames)
        return group.updateMember(memberWithMetadata(group.memberOrNew(memberId), value, topics))
      }
      const group = existing(groupId)
      const member = group?.members.get(memberId)
      if (group === undefined || member === undefined) return
      if (member.epoch !== leavingEpoch || group.target.has(memberId))
        throw new Error(`member ${memberId} of group ${groupId} is deleted before its assignment and target are`)
      group.removeMember(memberId)
    })
    .on(ConsumerGroupTargetAssignmentMetadataRecord, ({ groupId }, value) => {
      if (value !== null) {
        const { target } = groupOf(groupId)
        target.epoch = value.assignmentEpoch
        target.timestampMs = Number(value.assignmentTimestamp)
        return
      }
      const group = existing(groupId)
      if (group === undefined) return
      if (group.target.size > 0)
        throw new Error(`the target of group ${groupId} is deleted before those of its members`)
      group.target.epoch = -1
      group.target.timestampMs = 0
    })
    .on(ConsumerGroupTargetAssignmentMemberRecord, ({ groupId, memberId }, value) => {
      if (value === null) existing(groupId)?.target.delete(memberId)
      else
        groupOf(groupId).target.set(
          memberId,
          new Map(value.topicPartitions.map(({ topicId, partitions }) => [topicId, new Set(partitions)])),
        )
    })
    .on(ConsumerGroupCurrentMemberAssignmentRecord, ({ groupId, memberId }, value) => {
      if (value !== null) {
        const group = groupOf(groupId)
        return group.updateMember(memberWithAssignment(group.memberOrNew(memberId), value))
      }
      const group = existing(groupId)
      const member = group?.members.get(memberId)
      if (member === undefined) return
      group!.updateMember({
        ...member,
        epoch: leavingEpoch,
        previousEpoch: leavingEpoch,
        assigned: ownsNothing,
        pendingRevocation: ownsNothing,
      })
    })
    .on(ConsumerGroupRegularExpressionRecord, ({ groupId, regularExpression }, value) => {
      if (value === null) existing(groupId)?.subscriptions.resolve(regularExpression, null)
      else
        groupOf(groupId).subscriptions.resolve(regularExpression, {
          topics: new Set(value.topics),
          version: value.version,
          timestampMs: Number(value.timestamp),
        })
    })
}
