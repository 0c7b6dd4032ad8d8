/**
 * A group of the consumer protocol (KIP-848). The group epoch rises when what its members subscribe to changes; the target assignment is made
 * for an epoch; members follow it one by one, each at its own epoch. Source: Kafka's ConsumerGroup.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { CoordinatorRecord } from '../../runtime/decision.ts'
import type { Assignment } from '../assignors/assignor.ts'
import type { Group, OffsetCommitter, PartitionCommitCheck, RetentionStart } from '../group.ts'
import { isReconciledTo, newMember, type ConsumerMember } from './consumer-member.ts'
import {
  currentAssignmentTombstone,
  groupTombstone,
  memberTombstone,
  partitionMetadataTombstone,
  regexTombstone,
  targetEpochTombstone,
  targetTombstone,
} from './consumer-records.ts'
import { PartitionEpochs } from './partition-epochs.ts'
import { Subscriptions, type TopicListener } from './subscriptions.ts'
import { TargetAssignments } from './target-assignments.ts'

export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable'

export class ConsumerGroup implements Group {
  readonly id: string
  readonly type = 'consumer'
  readonly protocolType = 'consumer'
  readonly expires = true
  epoch = 1
  /** Over the subscribed topics. */
  metadataHash = 0n
  /** A record of a broker before 4.1, which is to be taken away. */
  hasPartitionMetadataRecord = false
  readonly target = new TargetAssignments()
  readonly subscriptions: Subscriptions
  readonly partitionEpochs = new PartitionEpochs()
  readonly #members = new Map<string, ConsumerMember>()
  /** Member ids by group instance id. */
  readonly #staticMembers = new Map<string, string>()
  readonly #classicProtocols = new Map<string, number>()
  #classicMembers = 0
  #sharedTopics: ReadonlySet<string> = new Set()

  /** Not in the log: the group epoch after the subscribed topics were looked at last; null when they have to be looked at again. */
  #refreshedAtEpoch: number | null = null
  /** Not in the log: the version of the metadata image that the regular expressions were resolved with, −1 when that was before this load. */
  regexesResolvedAt = -1

  constructor(id: string, listener: TopicListener | null = null) {
    this.id = id
    this.subscriptions = new Subscriptions(listener)
  }

  get members(): ReadonlyMap<string, ConsumerMember> {
    return this.#members
  }

  get memberCount(): number {
    return this.#members.size
  }

  get classicMemberCount(): number {
    return this.#classicMembers
  }

  get isEmpty(): boolean {
    return this.#members.size === 0
  }

  get state(): ConsumerGroupState {
    if (this.isEmpty) return 'Empty'
    if (this.epoch > this.target.epoch) return 'Assigning'
    for (const member of this.#members.values()) if (!isReconciledTo(this.target.epoch, member)) return 'Reconciling'
    return 'Stable'
  }

  get stateName(): string {
    return this.state
  }

  /** @throws KafkaError UNKNOWN_MEMBER_ID. */
  member(id: string): ConsumerMember {
    const member = this.#members.get(id)
    if (member === undefined)
      throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, `Member ${id} is not a member of group ${this.id}.`)
    return member
  }

  memberOrNew(id: string): ConsumerMember {
    return this.#members.get(id) ?? newMember(id)
  }

  staticMember(instanceId: string | null): ConsumerMember | undefined {
    const id = this.staticMemberId(instanceId)
    return id === undefined ? undefined : this.#members.get(id)
  }

  staticMemberId(instanceId: string | null): string | undefined {
    return instanceId === null ? undefined : this.#staticMembers.get(instanceId)
  }

  /** A static member that comes under a new id has the target of the one before. */
  targetOf({ id, instanceId }: ConsumerMember): Assignment {
    return this.target.of(instanceId === null ? id : (this.staticMemberId(instanceId) ?? ''))
  }

  /** One set for members that subscribe to the same topics, which most do: for memory, and to look their ids up once. */
  shareTopics(topics: readonly string[]): ReadonlySet<string> {
    const shared = this.#sharedTopics
    if (shared.size === topics.length && topics.every((topic) => shared.has(topic))) return shared
    return (this.#sharedTopics = new Set(topics))
  }

  updateMember(member: ConsumerMember): void {
    const before = this.#members.get(member.id) ?? null
    this.#members.set(member.id, member)
    this.#replace(before, member)
    if (member.instanceId !== null) this.#staticMembers.set(member.instanceId, member.id)
  }

  removeMember(id: string): void {
    const before = this.#members.get(id)
    if (before === undefined) return
    this.#members.delete(id)
    this.#replace(before, null)
    if (before.instanceId !== null) this.#staticMembers.delete(before.instanceId)
  }

  #replace(before: ConsumerMember | null, after: ConsumerMember | null): void {
    this.subscriptions.replace(before, after)
    this.partitionEpochs.replace(before, after)
    this.#classicMembers += Number(after !== null && after.classic !== null)
    this.#classicMembers -= Number(before !== null && before.classic !== null)
    for (const { name } of before?.classic?.supportedProtocols ?? []) this.#countClassicProtocol(name, -1)
    for (const { name } of after?.classic?.supportedProtocols ?? []) this.#countClassicProtocol(name, 1)
  }

  #countClassicProtocol(name: string, change: number): void {
    const count = (this.#classicProtocols.get(name) ?? 0) + change
    if (count > 0) this.#classicProtocols.set(name, count)
    else this.#classicProtocols.delete(name)
  }

  /** Whether a member of the classic protocol could be one of the group: it shares a protocol with all others of its kind. */
  supportsClassicProtocols(protocolType: string, names: readonly string[]): boolean {
    if (protocolType !== this.protocolType) return false
    if (this.isEmpty) return names.length > 0
    return names.some((name) => (this.#classicProtocols.get(name) ?? 0) === this.#classicMembers)
  }

  /** Whether only members of the classic protocol are left without these. */
  isClassicWithout(members: Iterable<ConsumerMember>): boolean {
    let count = 0
    let classic = 0
    for (const member of members) {
      count++
      if (member.classic !== null) classic++
    }
    return this.#classicMembers - classic === this.memberCount - count
  }

  /** Members of the consumer protocol that wait for partitions that somebody still has to give up. */
  waitsForPartitions(member: ConsumerMember): boolean {
    if (member.state !== 'UnreleasedPartitions') return false
    for (const [topicId, partitions] of this.target.of(member.id))
      for (const partition of partitions)
        if (!member.assigned.get(topicId)?.has(partition) && this.partitionEpochs.isOwned(topicId, partition))
          return true
    return false
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

  checkOffsetCommit(committer: OffsetCommitter): PartitionCommitCheck | null {
    const { memberId, groupInstanceId, generationOrEpoch: epoch, isTransactional, apiVersion } = committer
    // An administrator, or a consumer that assigns partitions to itself.
    if (epoch < 0 && this.isEmpty) return null
    // TxnOffsetCommit need not say who the member is.
    if (isTransactional && epoch === -1 && memberId === '' && groupInstanceId === null) return null
    const member = this.member(memberId)
    if (!isTransactional && member.classic === null && apiVersion < 9)
      throw new KafkaError(
        ErrorCode.UNSUPPORTED_VERSION,
        'OffsetCommit version 9 or above must be used by members using the consumer group protocol',
      )
    if (epoch === member.epoch) return null
    if (epoch > member.epoch) throw staleEpoch(member, `is newer than current member epoch ${member.epoch}.`, epoch)
    return (topic, topicId, partition) => checkAssignmentEpoch(member, epoch, { topic, topicId, partition })
  }

  checkOffsetFetch(memberId: string | null, epoch: number): void {
    if (memberId === null && epoch < 0) return
    const member = this.member(memberId ?? '')
    if (epoch !== member.epoch)
      throw staleEpoch(member, `does not match the expected member epoch ${member.epoch}.`, epoch)
  }

  checkOffsetDelete(): void {}

  checkDelete(): void {
    if (!this.isEmpty) throw new KafkaError(ErrorCode.NON_EMPTY_GROUP)
  }

  isSubscribedTo(topic: string): boolean {
    return this.subscriptions.has(topic)
  }

  retentionStart(): RetentionStart {
    return ({ commitTimestampMs }) => commitTimestampMs
  }

  tombstones(): CoordinatorRecord[] {
    return this.tombstonesOf([...this.#members.keys()])
  }

  /** Where `memberIds` are those whose records are in the log, or will be before these. */
  tombstonesOf(memberIds: readonly string[]): CoordinatorRecord[] {
    return [
      ...memberIds.map((memberId) => currentAssignmentTombstone(this.id, memberId)),
      ...memberIds.map((memberId) => targetTombstone(this.id, memberId)),
      targetEpochTombstone(this.id),
      ...memberIds.map((memberId) => memberTombstone(this.id, memberId)),
      ...Array.from(this.subscriptions.resolved.keys(), (regex) => regexTombstone(this.id, regex)),
      partitionMetadataTombstone(this.id),
      groupTombstone(this.id),
    ]
  }
}

interface CommittedPartition {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
}

/** A member may commit with an older epoch for what it has owned since then: it has not been told of the newer one yet (KIP-1251). */
function checkAssignmentEpoch(
  member: ConsumerMember,
  epoch: number,
  { topic, topicId, partition }: CommittedPartition,
): void {
  const assignedAt =
    member.assigned.get(topicId)?.get(partition) ?? member.pendingRevocation.get(topicId)?.get(partition)
  if (assignedAt === undefined)
    throw new KafkaError(
      staleCode(member),
      `Partition ${topic}-${partition} is not assigned or pending revocation for member.`,
    )
  if (epoch < assignedAt)
    throw staleEpoch(member, `is older than assignment epoch ${assignedAt} for partition ${topic}-${partition}.`, epoch)
}

function staleEpoch(member: ConsumerMember, why: string, received: number): KafkaError {
  const what = member.classic === null ? 'member epoch' : 'generation id'
  return new KafkaError(staleCode(member), `Received ${what} ${received} ${why}`)
}

/** In the words of the protocol that the member speaks. */
function staleCode(member: ConsumerMember): number {
  return member.classic === null ? ErrorCode.STALE_MEMBER_EPOCH : ErrorCode.ILLEGAL_GENERATION
}
