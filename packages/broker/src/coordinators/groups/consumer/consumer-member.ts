/** A member of a consumer group: immutable, a change makes a new one. Source: Kafka's ConsumerGroupMember. */
import type {
  ConsumerGroupCurrentMemberAssignmentRecord,
  ConsumerGroupMemberMetadataRecord,
  RecordValue,
} from '@millrace/protocol'
import { isSameOwnership, ownedPartitionsOf, ownsNothing, type OwnedPartitions } from './owned-partitions.ts'

/**
 * Stable: owns its target assignment, up to the epoch it is at. UnrevokedPartitions: has to give up partitions before it may go on.
 * UnreleasedPartitions: waits for partitions that others have not given up yet. Unknown: written by a newer broker.
 */
export type MemberState = 'Stable' | 'UnrevokedPartitions' | 'UnreleasedPartitions' | 'Unknown'

const stateNumbers: Readonly<Record<MemberState, number>> = {
  Stable: 0,
  UnrevokedPartitions: 1,
  UnreleasedPartitions: 2,
  Unknown: 127,
}

/** Epochs in heartbeats that are none. */
export const leavingEpoch = -1
/** A static member goes, and will be back: its place is kept for it. */
export const leavingForAWhileEpoch = -2

export interface ClassicProtocol {
  readonly name: string
  /** A ConsumerProtocolSubscription with its version. */
  readonly metadata: Uint8Array
}

/** Of a member that speaks the classic protocol, in a group that is of the consumer protocol all the same. */
export interface ClassicMembership {
  readonly sessionTimeoutMs: number
  readonly supportedProtocols: readonly ClassicProtocol[]
}

export interface ConsumerMember {
  readonly id: string
  readonly epoch: number
  /** A heartbeat may still come with it when the answer that told the newer one was lost. */
  readonly previousEpoch: number
  readonly state: MemberState
  /** null for a dynamic member. */
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly rebalanceTimeoutMs: number
  readonly clientId: string
  readonly clientHost: string
  readonly subscribedTopics: ReadonlySet<string>
  /** '' when it has none. */
  readonly subscribedRegex: string
  /** The assignor it would like, null when it has no opinion. */
  readonly assignor: string | null
  readonly assigned: OwnedPartitions
  readonly pendingRevocation: OwnedPartitions
  /** null when it speaks the consumer protocol. */
  readonly classic: ClassicMembership | null
}

export function newMember(id: string): ConsumerMember {
  return {
    id,
    epoch: 0,
    previousEpoch: -1,
    state: 'Stable',
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: -1,
    clientId: '',
    clientHost: '',
    subscribedTopics: new Set(),
    subscribedRegex: '',
    assignor: null,
    assigned: ownsNothing,
    pendingRevocation: ownsNothing,
    classic: null,
  }
}

/** `subscribedTopics`: those of the record. */
export function memberWithMetadata(
  member: ConsumerMember,
  stored: RecordValue<typeof ConsumerGroupMemberMetadataRecord>,
  subscribedTopics: ReadonlySet<string>,
): ConsumerMember {
  return {
    ...member,
    instanceId: stored.instanceId,
    rackId: stored.rackId,
    rebalanceTimeoutMs: stored.rebalanceTimeoutMs,
    clientId: stored.clientId,
    clientHost: stored.clientHost,
    subscribedTopics,
    subscribedRegex: stored.subscribedTopicRegex ?? '',
    assignor: stored.serverAssignor,
    classic: stored.classicMemberMetadata,
  }
}

export function memberWithAssignment(
  member: ConsumerMember,
  stored: RecordValue<typeof ConsumerGroupCurrentMemberAssignmentRecord>,
): ConsumerMember {
  const { memberEpoch, previousMemberEpoch, state, assignedPartitions, partitionsPendingRevocation } = stored
  return {
    ...member,
    epoch: memberEpoch,
    previousEpoch: previousMemberEpoch,
    state: stateOf(state),
    assigned: ownedPartitionsOf(assignedPartitions, memberEpoch),
    pendingRevocation: ownedPartitionsOf(partitionsPendingRevocation, memberEpoch),
  }
}

export function stateNumber(state: MemberState): number {
  return stateNumbers[state]
}

function stateOf(stored: number): MemberState {
  const states = Object.keys(stateNumbers) as MemberState[]
  return states.find((state) => stateNumbers[state] === stored) ?? 'Unknown'
}

export function isReconciledTo(epoch: number, member: ConsumerMember): boolean {
  return member.state === 'Stable' && member.epoch === epoch
}

/** Whether the records of what a member told about itself would be the same. */
export function hasSameMetadata(one: ConsumerMember, other: ConsumerMember): boolean {
  return (
    one.id === other.id &&
    one.instanceId === other.instanceId &&
    one.rackId === other.rackId &&
    one.rebalanceTimeoutMs === other.rebalanceTimeoutMs &&
    one.clientId === other.clientId &&
    one.clientHost === other.clientHost &&
    one.subscribedRegex === other.subscribedRegex &&
    one.assignor === other.assignor &&
    isSameSet(one.subscribedTopics, other.subscribedTopics) &&
    isSameClassic(one.classic, other.classic)
  )
}

export function hasSameAssignment(one: ConsumerMember, other: ConsumerMember): boolean {
  return (
    one.epoch === other.epoch &&
    one.previousEpoch === other.previousEpoch &&
    one.state === other.state &&
    isSameOwnership(one.assigned, other.assigned) &&
    isSameOwnership(one.pendingRevocation, other.pendingRevocation)
  )
}

export function isSameSet<T>(one: ReadonlySet<T>, other: ReadonlySet<T>): boolean {
  if (one === other) return true
  if (one.size !== other.size) return false
  for (const element of one) if (!other.has(element)) return false
  return true
}

function isSameClassic(one: ClassicMembership | null, other: ClassicMembership | null): boolean {
  if (one === null || other === null) return one === other
  return (
    one.sessionTimeoutMs === other.sessionTimeoutMs &&
    one.supportedProtocols.length === other.supportedProtocols.length &&
    one.supportedProtocols.every(({ name, metadata }, index) => {
      const theirs = other.supportedProtocols[index]!
      return name === theirs.name && Buffer.compare(metadata, theirs.metadata) === 0
    })
  )
}
