/**
 * One request's way through a group: the member changes, the group epoch rises if that concerns others, a new target assignment is made if it
 * is time to, and the member goes on towards its target. Gathers the records of it all. Source: Kafka's GroupMetadataManager.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { CoordinatorRecord } from '../../runtime/decision.ts'
import type { Assignment, Assignor, SubscriptionType } from '../assignors/assignor.ts'
import type { GroupClient } from '../group-part.ts'
import type { ConsumerContext } from './consumer-context.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import {
  hasSameAssignment,
  hasSameMetadata,
  isReconciledTo,
  isSameSet,
  leavingForAWhileEpoch,
  type ConsumerMember,
} from './consumer-member.ts'
import {
  currentAssignmentRecord,
  groupEpochRecord,
  memberMetadataRecord,
  memberRemoval,
  partitionMetadataTombstone,
  targetRecord,
} from './consumer-records.ts'
import { reconcile, type ReportedPartitions } from './reconcile.ts'
import type { RegexEngine } from './regex-engine.ts'
import type { RegexChange } from './regular-expressions.ts'
import type { Subscriptions } from './subscriptions.ts'
import { newTarget, topicIdsOf } from './target-assignment.ts'

export interface Target {
  readonly epoch: number
  /** Of the member. */
  readonly assignment: Assignment
}

export class GroupUpdate {
  readonly group: ConsumerGroup
  readonly records: CoordinatorRecord[]
  readonly #context: ConsumerContext
  #epoch: number
  #afterwards: (() => void) | null = null

  /** `group` may be one that comes to be by `records`. */
  constructor(context: ConsumerContext, group: ConsumerGroup, records: CoordinatorRecord[]) {
    this.#context = context
    this.group = group
    this.records = records
    this.#epoch = group.epoch
  }

  /** When the records are applied. */
  applied(): void {
    this.#afterwards?.()
  }

  /** The group epoch after the update. */
  get epoch(): number {
    return this.#epoch
  }

  /** @throws KafkaError GROUP_MAX_SIZE_REACHED for who is not a member yet. */
  checkSize(memberId: string): void {
    const { maxSize } = this.#context.settings
    if (this.group.memberCount >= maxSize && !this.group.members.has(memberId))
      throw new KafkaError(
        ErrorCode.GROUP_MAX_SIZE_REACHED,
        `The consumer group has reached its maximum capacity of ${maxSize} members.`,
      )
  }

  /** The static member that joins; takes the place of the one that has its instance id. */
  joinStatically(
    memberId: string,
    instanceId: string,
    checkReleased: (current: ConsumerMember) => void,
  ): ConsumerMember {
    const current = this.group.staticMember(instanceId)
    if (current === undefined) return this.group.memberOrNew(memberId)
    // The same process again: the answer to its join was lost, or it was fenced. Kafka refuses it until its session is over.
    if (current.id === memberId && current.epoch !== leavingForAWhileEpoch) return current
    checkReleased(current)
    const { id: groupId } = this.group
    const member: ConsumerMember = { ...current, id: memberId, epoch: 0, previousEpoch: 0 }
    this.records.push(
      ...memberRemoval(groupId, current.id),
      memberMetadataRecord(groupId, member),
      targetRecord(groupId, memberId, this.group.target.of(current.id)),
      currentAssignmentRecord(groupId, member),
    )
    return member
  }

  /** Whether the topics it names have changed. */
  changeMetadata(before: ConsumerMember, after: ConsumerMember): boolean {
    if (!hasSameMetadata(before, after)) this.records.push(memberMetadataRecord(this.group.id, after))
    return !isSameSet(before.subscribedTopics, after.subscribedTopics)
  }

  /** @throws KafkaError INVALID_REGULAR_EXPRESSION. */
  changeRegex(
    before: ConsumerMember,
    after: ConsumerMember,
    { client, engine }: { client: GroupClient; engine: RegexEngine | null },
  ): RegexChange {
    return this.#context.regexes.update(this.group, before, after, { client, engine, records: this.records })
  }

  /** Raises the group epoch when the member's change asks for it, or the subscribed topics have changed since the last look at them. */
  refreshMetadata(before: ConsumerMember, after: ConsumerMember, { bumpsEpoch }: { bumpsEpoch: boolean }): void {
    const { group } = this
    if (!bumpsEpoch && !group.needsMetadataRefresh) return
    const { hashes, image, shard } = this.#context
    const metadataHash = hashes.ofTopics(this.#subscriptionsAfter(before, after).topics, image)
    if (bumpsEpoch || metadataHash !== group.metadataHash) {
      this.#epoch++
      this.records.push(groupEpochRecord(group.id, this.#epoch, metadataHash))
      shard.logger.debug('a group has a new epoch', { group: group.id, epoch: this.#epoch })
    }
    group.metadataRefreshed(this.#epoch)
    if (group.hasPartitionMetadataRecord) this.records.push(partitionMetadataTombstone(group.id))
  }

  /**
   * The target of the member; a new one when the group epoch has risen and the last one is old enough.
   * @throws KafkaError UNKNOWN_SERVER_ERROR when the assignor fails.
   */
  updateTarget(before: ConsumerMember, after: ConsumerMember): Target {
    const { group } = this
    if (group.target.epoch >= this.#epoch || !this.#mayAssignNow())
      return { epoch: group.target.epoch, assignment: group.targetOf(after) }
    const { shard, image } = this.#context
    const assignor = this.#preferredAssignor(before, after)
    const startMs = shard.clock.monotonicMs()
    const { records, ofMember } = newTarget({
      group,
      epoch: this.#epoch,
      assignor,
      subscriptionType: this.#subscriptionTypeAfter(before, after),
      member: after,
      image,
      nowMs: shard.clock.now(),
    })
    for (const record of records) this.records.push(record)
    shard.logger.debug('a group has a new target assignment', {
      group: group.id,
      epoch: this.#epoch,
      assignor: assignor.name,
      tookMs: shard.clock.monotonicMs() - startMs,
    })
    return { epoch: this.#epoch, assignment: ofMember }
  }

  /**
   * With the member that asks, even when it does not change the epoch: a new one that subscribes to nothing, or to an expression that is not
   * resolved yet, makes a group heterogeneous. Kafka looks at the group without it, and may give it partitions it does not subscribe to.
   */
  #subscriptionTypeAfter(before: ConsumerMember, after: ConsumerMember): SubscriptionType {
    const { group } = this
    const isNew = !group.members.has(after.id) && group.staticMemberId(after.instanceId) === undefined
    return this.#subscriptionsAfter(before, after).type(group.memberCount + Number(isNew))
  }

  #subscriptionsAfter(before: ConsumerMember, after: ConsumerMember): Subscriptions {
    const subscriptions = this.group.subscriptions.copy()
    subscriptions.replace(before, after)
    for (const regex of subscriptions.unusedRegexes()) subscriptions.resolve(regex, null)
    return subscriptions
  }

  /** Without a time of the last one, or an interval, at once: a clock that was set back must not hold it up for ever. */
  #mayAssignNow(): boolean {
    const { shard, settings } = this.#context
    const { timestampMs } = this.group.target
    const intervalMs = settings.assignmentIntervalMs(this.group.id)
    return timestampMs === 0 || intervalMs === 0 || shard.clock.now() >= timestampMs + intervalMs
  }

  #preferredAssignor(before: ConsumerMember, after: ConsumerMember): Assignor {
    const { settings } = this.#context
    const name = preferredAssignor(this.group, settings.assignors, { before, after })
    return name === null ? settings.defaultAssignor : settings.assignors.get(name)!
  }

  /**
   * Takes the member on towards its target.
   * @throws KafkaError FENCED_MEMBER_EPOCH
   */
  reconcile(
    member: ConsumerMember,
    target: Target,
    { hasSubscriptionChanged, reported }: { hasSubscriptionChanged: boolean; reported: ReportedPartitions | null },
  ): ConsumerMember {
    const { group } = this
    const { timers, image } = this.#context
    if (!hasSubscriptionChanged && isReconciledTo(target.epoch, member)) return member
    const next = reconcile({
      member,
      targetEpoch: target.epoch,
      target: target.assignment,
      subscribedTopicIds: () => topicIdsOf(group.subscriptions.topicsOf(member), image),
      hasSubscriptionChanged,
      isOwned: (topicId, partition) => group.partitionEpochs.isOwned(topicId, partition),
      reported,
    })
    if (next === member || hasSameAssignment(next, member)) return next
    this.records.push(currentAssignmentRecord(group.id, next))
    // Members of the classic protocol have deadlines to join and to sync instead.
    if (next.classic === null)
      this.#afterwards = () => {
        if (next.state === 'UnrevokedPartitions') timers.rebalanceBegins(group.id, next)
        else timers.rebalanceEnds(group.id, next.id)
      }
    return next
  }
}

/** Static members may be followed by another process once they have said that they go. @throws KafkaError UNRELEASED_INSTANCE_ID. */
export function checkReleased(current: ConsumerMember, memberId: string): void {
  if (current.epoch !== leavingForAWhileEpoch)
    throw new KafkaError(
      ErrorCode.UNRELEASED_INSTANCE_ID,
      `Static member ${memberId} with instance id ${current.instanceId} cannot join the group because the instance id is owned by ${current.id} member.`,
    )
}

/** @throws KafkaError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID when the instance id belongs to another member by now. */
export function staticMember(group: ConsumerGroup, instanceId: string, memberId: string): ConsumerMember {
  const member = group.staticMember(instanceId)
  if (member === undefined) throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, `Instance id ${instanceId} is unknown.`)
  if (member.id !== memberId)
    throw new KafkaError(
      ErrorCode.FENCED_INSTANCE_ID,
      `Static member ${memberId} with instance id ${instanceId} was fenced by member ${member.id}.`,
    )
  return member
}

/**
 * The assignor that most members would like, null when none has an opinion. Of several the first of `assignors`' order in Kafka's table.
 * `change`: the member before and after the request.
 */
export function preferredAssignor(
  group: ConsumerGroup,
  assignors: ReadonlyMap<string, Assignor>,
  change?: { readonly before: ConsumerMember; readonly after: ConsumerMember },
): string | null {
  const votes = new Map<string, number>()
  const count = (name: string | null, difference: number): void => {
    if (name !== null && assignors.has(name)) votes.set(name, (votes.get(name) ?? 0) + difference)
  }
  for (const member of group.members.values()) count(member.assignor, 1)
  if (change !== undefined) {
    count(change.before.assignor, -1)
    count(change.after.assignor, 1)
  }
  let preferred: string | null = null
  for (const name of ['uniform', 'range'])
    if ((votes.get(name) ?? 0) > (preferred === null ? 0 : votes.get(preferred)!)) preferred = name
  return preferred
}
