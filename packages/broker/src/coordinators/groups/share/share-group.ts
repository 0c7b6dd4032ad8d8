/**
 * A share group (KIP-932). The group epoch rises when what its members subscribe to changes, or what may be assigned; the target assignment is
 * made for an epoch; members follow it with their next heartbeat. Source: Kafka's ShareGroup.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { CoordinatorRecord } from '../../runtime/decision.ts'
import { noPartitions, type Assignment, type SubscriptionType } from '../assignors/assignor.ts'
import type { Group } from '../group.ts'
import { newMember, type ShareMember } from './share-member.ts'
import { groupRemoval } from './share-records.ts'
import { noStatePartitions, type StatePartitions } from './state-partitions.ts'

export class ShareGroup implements Group {
  readonly id: string
  readonly type = 'share'
  readonly protocolType = 'share'
  readonly expires = false
  epoch = 1
  /** Over the subscribed topics. */
  metadataHash = 0n
  /** The group epoch that the targets were made for. */
  targetEpoch = 1
  /** When they were made, in milliseconds since 1970; 0 when that is not known. */
  targetTimestampMs = 0
  statePartitions: StatePartitions = noStatePartitions
  readonly #members = new Map<string, ShareMember>()
  readonly #targets = new Map<string, Assignment>()
  /** How many members subscribe to each topic. */
  #subscribers: ReadonlyMap<string, number> = new Map()
  /** Not in the log: the group epoch after the subscribed topics were looked at last; null when they have to be looked at again. */
  #refreshedAtEpoch: number | null = null

  constructor(id: string) {
    this.id = id
  }

  get members(): ReadonlyMap<string, ShareMember> {
    return this.#members
  }

  get memberCount(): number {
    return this.#members.size
  }

  get isEmpty(): boolean {
    return this.#members.size === 0
  }

  get stateName(): string {
    return this.isEmpty ? 'Empty' : 'Stable'
  }

  get subscribers(): ReadonlyMap<string, number> {
    return this.#subscribers
  }

  get targetCount(): number {
    return this.#targets.size
  }

  /** @throws KafkaError UNKNOWN_MEMBER_ID. */
  member(id: string): ShareMember {
    const member = this.#members.get(id)
    if (member === undefined)
      throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, `Member ${id} is not a member of group ${this.id}.`)
    return member
  }

  memberOrNew(id: string): ShareMember {
    return this.#members.get(id) ?? newMember(id)
  }

  updateMember(member: ShareMember): void {
    this.#subscribers = this.subscribersWith(member.id, member)
    this.#members.set(member.id, member)
  }

  removeMember(id: string): void {
    this.#subscribers = this.subscribersWith(id, null)
    this.#members.delete(id)
  }

  /** The subscriptions as they will be when the member has changed (null: gone). */
  subscribersWith(memberId: string, member: Pick<ShareMember, 'subscribedTopics'> | null): ReadonlyMap<string, number> {
    const before = this.#members.get(memberId)
    if (before?.subscribedTopics === member?.subscribedTopics) return this.#subscribers
    const subscribers = new Map(this.#subscribers)
    for (const topic of before?.subscribedTopics ?? []) {
      const count = subscribers.get(topic)! - 1
      if (count === 0) subscribers.delete(topic)
      else subscribers.set(topic, count)
    }
    for (const topic of member?.subscribedTopics ?? []) subscribers.set(topic, (subscribers.get(topic) ?? 0) + 1)
    return subscribers
  }

  hasTarget(memberId: string): boolean {
    return this.#targets.has(memberId)
  }

  targetOf(memberId: string): Assignment {
    return this.#targets.get(memberId) ?? noPartitions
  }

  get targets(): IterableIterator<Assignment> {
    return this.#targets.values()
  }

  setTarget(memberId: string, assignment: Assignment): void {
    this.#targets.set(memberId, assignment)
  }

  deleteTarget(memberId: string): void {
    this.#targets.delete(memberId)
  }

  /** The subscribed topics have changed, or may have. */
  requestMetadataRefresh(): void {
    this.#refreshedAtEpoch = null
  }

  /** Also when the epoch that came of the last look has not been reached, because it could not be written. */
  get needsMetadataRefresh(): boolean {
    return this.#refreshedAtEpoch === null || this.epoch < this.#refreshedAtEpoch
  }

  metadataRefreshed(epoch: number): void {
    this.#refreshedAtEpoch = epoch
  }

  checkOffsetCommit(): never {
    throw this.#hasNoOffsets()
  }

  checkOffsetFetch(): never {
    throw this.#hasNoOffsets()
  }

  checkOffsetDelete(): never {
    throw this.#hasNoOffsets()
  }

  #hasNoOffsets(): KafkaError {
    return new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${this.id} is not a consumer group.`)
  }

  checkDelete(): void {
    if (!this.isEmpty) throw new KafkaError(ErrorCode.NON_EMPTY_GROUP)
  }

  isSubscribedTo(topic: string): boolean {
    return this.#subscribers.has(topic)
  }

  retentionStart(): null {
    return null
  }

  tombstones(): CoordinatorRecord[] {
    return groupRemoval(this.id, this.#members.keys())
  }
}

/** Homogeneous when every topic has all members for subscribers. */
export function subscriptionType(subscribers: ReadonlyMap<string, number>, memberCount: number): SubscriptionType {
  for (const count of subscribers.values()) if (count !== memberCount) return 'heterogeneous'
  return 'homogeneous'
}
