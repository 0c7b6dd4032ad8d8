/** A member of a share group. Members follow the target assignment at once: a partition that goes to another need not be given up first. */
import type {
  ShareGroupCurrentMemberAssignmentRecord,
  ShareGroupMemberMetadataRecord,
  RecordValue,
} from '@millrace/protocol'
import { noPartitions, type Assignment } from '../assignors/assignor.ts'
import { isSameSet } from '../consumer/consumer-member.ts'

/** In place of an epoch in a heartbeat: the member goes. */
export const leavingEpoch = -1

export interface ShareMember {
  readonly id: string
  /** 0 until it has followed a target. */
  readonly epoch: number
  readonly previousEpoch: number
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly subscribedTopics: ReadonlySet<string>
  readonly assigned: Assignment
}

export function newMember(id: string): ShareMember {
  return {
    id,
    epoch: 0,
    previousEpoch: 0,
    rackId: null,
    clientId: '',
    clientHost: '',
    subscribedTopics: new Set(),
    assigned: noPartitions,
  }
}

export function memberWithMetadata(
  member: ShareMember,
  { rackId, clientId, clientHost, subscribedTopicNames }: RecordValue<typeof ShareGroupMemberMetadataRecord>,
): ShareMember {
  return { ...member, rackId, clientId, clientHost, subscribedTopics: new Set(subscribedTopicNames) }
}

export function memberWithAssignment(
  member: ShareMember,
  value: RecordValue<typeof ShareGroupCurrentMemberAssignmentRecord>,
): ShareMember {
  const { memberEpoch, previousMemberEpoch, assignedPartitions } = value
  return {
    ...member,
    epoch: memberEpoch,
    previousEpoch: previousMemberEpoch,
    assigned: assignmentOf(assignedPartitions),
  }
}

/** Its assignment is gone from the log, and it goes next. */
export function memberThatLeaves(member: ShareMember): ShareMember {
  return { ...member, epoch: leavingEpoch, previousEpoch: leavingEpoch, assigned: noPartitions }
}

export function hasSameMetadata(one: ShareMember, other: ShareMember): boolean {
  return (
    one.rackId === other.rackId &&
    one.clientId === other.clientId &&
    one.clientHost === other.clientHost &&
    isSameSet(one.subscribedTopics, other.subscribedTopics)
  )
}

/** As records and requests have assignments. */
export interface TopicPartitions {
  readonly topicId: string
  readonly partitions: readonly number[]
}

export function assignmentOf(stored: readonly TopicPartitions[]): Assignment {
  return new Map(stored.map(({ topicId, partitions }) => [topicId, new Set(partitions)]))
}

export function storedAssignment(assignment: Assignment): { topicId: string; partitions: number[] }[] {
  return Array.from(assignment, ([topicId, partitions]) => ({ topicId, partitions: [...partitions] }))
}
