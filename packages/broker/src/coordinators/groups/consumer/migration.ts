/**
 * Groups that change between the classic and the consumer protocol while they live: the first member of the consumer protocol turns a classic
 * group into a consumer group, whose other members go on with their protocol; when the last of its kind goes, it turns back.
 * Source: Kafka's GroupMetadataManager.convertToConsumerGroup and convertToClassicGroup.
 */
import { ErrorCode, KafkaError, MalformedMessageError } from '@millrace/protocol'
import type { MetadataImage } from '../../../metadata/image.ts'
import type { ShardContext } from '../../runtime/coordinator-shard.ts'
import type { CoordinatorRecord, Decision } from '../../runtime/decision.ts'
import { refusedJoin, refusedSync } from '../classic/classic-answers.ts'
import { ClassicGroup } from '../classic/classic-group.ts'
import type { ClassicGroups } from '../classic/classic-groups.ts'
import { ClassicMember } from '../classic/classic-member.ts'
import { groupMetadata } from '../classic/group-metadata.ts'
import type { Groups } from '../groups.ts'
import type { TopicHashes } from '../topic-hashes.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { newMember, type ConsumerMember } from './consumer-member.ts'
import {
  currentAssignmentRecord,
  groupEpochRecord,
  memberMetadataRecord,
  targetEpochRecord,
  targetRecord,
} from './consumer-records.ts'
import type { ConsumerSettings } from './consumer-settings.ts'
import {
  decodeSubscription,
  decodeTopicsAssigned,
  encodeTopicsAssigned,
  withTopicIds,
  type Subscription,
} from './embedded-protocol.ts'
import type { MemberTimers } from './member-timers.ts'
import { assignedAt } from './owned-partitions.ts'
import type { Assignment } from '../assignors/assignor.ts'

export interface MigrationOptions {
  readonly shard: ShardContext
  readonly groups: Groups
  readonly settings: ConsumerSettings
  readonly hashes: TopicHashes
  readonly timers: MemberTimers
  readonly classic: ClassicGroups
}

/** A consumer group as it is when `records` are written, which may be none. */
export interface ConsumerGroupEntry {
  readonly group: ConsumerGroup
  readonly records: readonly CoordinatorRecord[]
  /** It was a classic group: its assignment may be of before its last rebalance, or of before its topics have changed. */
  readonly isUpgraded?: boolean
  readonly applied?: () => void
}

export class Migration {
  readonly #options: MigrationOptions

  constructor(options: MigrationOptions) {
    this.#options = options
  }

  get #image(): MetadataImage {
    return this.#options.shard.image
  }

  /**
   * The consumer group a member speaks to. When it may be made: a new one, one in place of an empty classic group, or one that a classic group
   * turns into.
   * @throws KafkaError GROUP_ID_NOT_FOUND.
   */
  consumerGroup(groupId: string, { createIfMissing }: { createIfMissing: boolean }): ConsumerGroupEntry {
    const group = this.#options.groups.get(groupId)
    if (group?.type === 'consumer') return { group: group as ConsumerGroup, records: [] }
    if (!createIfMissing)
      throw notFound(
        group === undefined ? `Consumer group ${groupId} not found.` : `Group ${groupId} is not a consumer group.`,
      )
    if (group === undefined) return { group: new ConsumerGroup(groupId), records: [] }
    if (group.type !== 'classic') throw notFound(`Group ${groupId} is not a consumer group.`)
    const classic = group as ClassicGroup
    if (classic.isEmpty) return { group: new ConsumerGroup(groupId), records: classic.tombstones() }
    this.#checkUpgrade(classic)
    return this.#upgrade(classic)
  }

  #checkUpgrade(group: ClassicGroup): void {
    const { settings } = this.#options
    const refuse = (why: string): KafkaError =>
      notFound(`Cannot upgrade classic group ${group.id} to consumer group because ${why}.`)
    if (!settings.migration.upgrades) throw refuse('online upgrade is disabled')
    if (!group.usesConsumerProtocol) throw refuse('the group does not use the consumer embedded protocol')
    if (group.memberCount > settings.maxSize) throw refuse('the group size exceeds the consumer group maximum size')
  }

  /** All members are where they were: stable, with what they were assigned last. The member that comes starts a rebalance. */
  #upgrade(classic: ClassicGroup): ConsumerGroupEntry {
    const group = this.#upgraded(classic)
    const { id: groupId } = group
    const members = [...group.members.values()]
    const { shard, timers } = this.#options
    return {
      group,
      isUpgraded: true,
      records: [
        ...classic.tombstones(),
        ...members.map((member) => memberMetadataRecord(groupId, member)),
        groupEpochRecord(groupId, group.epoch, group.metadataHash),
        ...members.map(({ id }) => targetRecord(groupId, id, group.target.of(id))),
        targetEpochRecord(groupId, group.target.epoch, group.target.timestampMs),
        ...members.map((member) => currentAssignmentRecord(groupId, member)),
      ],
      applied: () => {
        shard.logger.info('a classic group has become a consumer group', { group: groupId })
        for (const member of classic.members.values()) {
          classic.answerJoin(member, refusedJoin(ErrorCode.REBALANCE_IN_PROGRESS, member.id))
          classic.answerSync(member, refusedSync(ErrorCode.REBALANCE_IN_PROGRESS))
          timers.sessionGoesOn(groupId, member.id, member.sessionTimeoutMs)
        }
      },
    }
  }

  #upgraded(classic: ClassicGroup): ConsumerGroup {
    try {
      const group = new ConsumerGroup(classic.id)
      group.epoch = classic.generation
      group.target.epoch = classic.generation
      const subscriptions = new Map(
        Array.from(classic.members.values(), (member) => [member, subscriptionOf(member, classic)]),
      )
      for (const [classicMember, assignment] of this.#assignments(subscriptions)) {
        const member = consumerMember(classicMember, classic, {
          subscription: subscriptions.get(classicMember)!,
          assignment,
        })
        group.target.set(member.id, assignment)
        group.updateMember(member)
      }
      group.metadataHash = this.#options.hashes.ofTopics(group.subscriptions.topics, this.#image)
      return group
    } catch (error) {
      if (error instanceof MalformedMessageError)
        throw notFound(
          `Cannot upgrade classic group ${classic.id} to consumer group because the embedded consumer protocol is malformed.`,
        )
      throw error
    }
  }

  /**
   * What members were assigned last. Who has no assignment, since it could not be written, may still consume what it said it owns when it joined: Kafka
   * forgets that, and gives it to others meanwhile. Of several that say so, who said it in the latest generation has it.
   */
  #assignments(subscriptions: ReadonlyMap<ClassicMember, Subscription>): Map<ClassicMember, Assignment> {
    const members = [...subscriptions.keys()]
    const assignments = new Map(members.map((member) => [member, this.#assignmentOf(member)]))
    const taken = new Set([...assignments.values()].flatMap(partitionKeys))
    const claiming = members
      .filter(({ assignment }) => assignment.length === 0)
      .sort((one, other) => subscriptions.get(other)!.generationId - subscriptions.get(one)!.generationId)
    for (const member of claiming) {
      const claimed = new Map<string, Set<number>>()
      for (const { topicId, partitions } of withTopicIds(subscriptions.get(member)!.ownedPartitions, this.#image)) {
        const free = partitions.filter((partition) => !taken.has(`${topicId}-${partition}`))
        if (free.length > 0) claimed.set(topicId, new Set([...(claimed.get(topicId) ?? []), ...free]))
      }
      for (const key of partitionKeys(claimed)) taken.add(key)
      assignments.set(member, claimed)
    }
    return assignments
  }

  #assignmentOf({ assignment }: ClassicMember): Assignment {
    if (assignment.length === 0) return new Map()
    const { assignedPartitions, userData } = decodeTopicsAssigned(assignment)
    if (userData !== null && userData.length > 0)
      throw notFound(
        'Cannot upgrade classic group to consumer group because an unsupported custom assignor is in use. ' +
          'Please refer to the documentation or switch to a default assignor before re-attempting the upgrade.',
      )
    return new Map(
      withTopicIds(assignedPartitions, this.#image).map(({ topicId, partitions }) => [topicId, new Set(partitions)]),
    )
  }

  /** Whether only members of the classic protocol, at least one, are left without these, and they may be a classic group. */
  shouldDowngradeWithout(group: ConsumerGroup, leaving: readonly ConsumerMember[]): boolean {
    const left = group.memberCount - leaving.length
    return group.isClassicWithout(leaving) && left > 0 && this.#mayDowngrade(group, left)
  }

  /** The same, when a member of the classic protocol takes the place of `replaced`. */
  shouldDowngradeReplacing(group: ConsumerGroup, replaced: ConsumerMember): boolean {
    return (
      replaced.classic === null && group.isClassicWithout([replaced]) && this.#mayDowngrade(group, group.memberCount)
    )
  }

  #mayDowngrade(group: ConsumerGroup, size: number): boolean {
    const { settings, shard } = this.#options
    if (!settings.migration.downgrades)
      shard.logger.info('a group stays a consumer group: downgrade is disabled', { group: group.id })
    else if (size > settings.classicMaxSize)
      shard.logger.info('a group stays a consumer group: it is too large', { group: group.id })
    else return true
    return false
  }

  /** The group without `leaving`, whose members have to rebalance. */
  downgradeWithout(
    group: ConsumerGroup,
    leaving: readonly ConsumerMember[],
  ): Pick<Decision<void>, 'records' | 'applied'> {
    const staying = [...group.members.values()].filter((member) => !leaving.includes(member))
    const classic = this.#downgraded(group, staying, { owesRebalance: true })
    return {
      records: [...group.tombstones(), groupMetadata(classic)],
      applied: () => this.#downgradeApplied(group, classic, 'members of the consumer protocol have left'),
    }
  }

  /** The group with `joining` for `replaced`, which the records before these have replaced already. */
  downgradeReplacing(
    group: ConsumerGroup,
    { replaced, joining, reason }: { replaced: ConsumerMember; joining: ConsumerMember; reason: string | null },
  ): Pick<Decision<void>, 'records' | 'applied'> {
    const ids = Array.from(group.members.keys(), (id) => (id === replaced.id ? joining.id : id))
    const staying = [...group.members.values()].filter(({ id }) => id !== replaced.id && id !== joining.id)
    const classic = this.#downgraded(group, [...staying, joining], { owesRebalance: reason !== null })
    return {
      records: [...group.tombstonesOf(ids), groupMetadata(classic)],
      applied: () => this.#downgradeApplied(group, classic, reason),
    }
  }

  #downgraded(
    group: ConsumerGroup,
    members: readonly ConsumerMember[],
    { owesRebalance }: { owesRebalance: boolean },
  ): ClassicGroup {
    const { shard } = this.#options
    const classic = new ClassicGroup({
      id: group.id,
      state: 'Stable',
      generation: group.epoch,
      protocolType: group.protocolType,
      stateSinceMs: shard.clock.now(),
      owesRebalance,
    })
    for (const member of members) classic.add(classicMember(member), group.protocolType)
    classic.chooseProtocol()
    try {
      for (const member of members) {
        const converted = classic.members.get(member.id)!
        const subscription = converted.metadata(classic.protocol!)
        converted.assignment = encodeTopicsAssigned(stillOwned(member), subscription, this.#image)
      }
    } catch (error) {
      if (!(error instanceof MalformedMessageError)) throw error
      throw notFound(`Cannot downgrade the classic group ${group.id}: ${error.message}.`)
    }
    return classic
  }

  /** The log has the group with one protocol of each member; here it goes on with all of them. */
  #downgradeApplied(group: ConsumerGroup, classic: ClassicGroup, rebalanceReason: string | null): void {
    const { shard, groups, classic: classicGroups, timers } = this.#options
    for (const id of group.members.keys()) timers.cancelAll(group.id, id)
    groups.put(classic)
    for (const member of classic.members.values()) {
      timers.cancelAll(group.id, member.id)
      classicGroups.sessions.restart(classic, member)
    }
    shard.logger.info('a consumer group has become a classic group', { group: group.id })
    // The members have joined no rebalance yet, so there is nothing to write.
    if (rebalanceReason !== null) classicGroups.rebalances.prepare(classic, rebalanceReason)
  }
}

/** While the first generation has not begun no protocol is chosen: then what the member prefers. */
function subscriptionOf(member: ClassicMember, group: ClassicGroup): Subscription {
  return decodeSubscription(member.metadata(group.protocol ?? member.protocols[0]!.name))
}

function consumerMember(
  member: ClassicMember,
  group: ClassicGroup,
  { subscription, assignment }: { subscription: Subscription; assignment: Assignment },
): ConsumerMember {
  return {
    ...newMember(member.id),
    epoch: group.generation,
    previousEpoch: group.generation,
    instanceId: member.groupInstanceId,
    rackId: subscription.rackId === '' ? null : subscription.rackId,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopics: new Set(subscription.topics),
    assigned: assignedAt(group.generation, assignment),
    classic: { sessionTimeoutMs: member.sessionTimeoutMs, supportedProtocols: member.protocols },
  }
}

function classicMember(member: ConsumerMember): ClassicMember {
  const { id, instanceId, clientId, clientHost, rebalanceTimeoutMs, classic } = member
  return new ClassicMember({
    id,
    groupInstanceId: instanceId,
    clientId,
    clientHost,
    rebalanceTimeoutMs,
    sessionTimeoutMs: classic!.sessionTimeoutMs,
    protocols: classic!.supportedProtocols,
  })
}

/**
 * Also what it has yet to give up. Kafka takes the target, which others may own still: if the group is upgraded again before all have joined, it
 * gives partitions away that are being consumed.
 */
function stillOwned({ assigned, pendingRevocation }: ConsumerMember): Assignment {
  const owned = new Map<string, Set<number>>()
  for (const [topicId, epochs] of [...assigned, ...pendingRevocation])
    owned.set(topicId, new Set([...(owned.get(topicId) ?? []), ...epochs.keys()]))
  return owned
}

function partitionKeys(assignment: Assignment): string[] {
  return Array.from(assignment).flatMap(([topicId, partitions]) =>
    Array.from(partitions, (partition) => `${topicId}-${partition}`),
  )
}

function notFound(message: string): KafkaError {
  return new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, message)
}
