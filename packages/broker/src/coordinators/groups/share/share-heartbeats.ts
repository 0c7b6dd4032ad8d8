/** ShareGroupHeartbeat: members join, follow their assignment and leave with it. Source: Kafka's GroupMetadataManager.shareGroupHeartbeat. */
import { ErrorCode, KafkaError, type Request, type ResponseInput, type ShareGroupHeartbeat } from '@millrace/protocol'
import { checkIdLength, checkTopicCount } from '../../client-bounds.ts'
import type { CoordinatorRecord, Decision } from '../../runtime/decision.ts'
import { isSameAssignment, noPartitions, type Assignment } from '../assignors/assignor.ts'
import { simpleAssignor } from '../assignors/simple-assignor.ts'
import { isSameSet } from '../consumer/consumer-member.ts'
import { topicIdsOf } from '../consumer/target-assignment.ts'
import type { GroupClient } from '../group-part.ts'
import type { ShareContext } from './share-context.ts'
import { ShareGroup, subscriptionType } from './share-group.ts'
import { hasSameMetadata, leavingEpoch, storedAssignment, type ShareMember } from './share-member.ts'
import {
  currentAssignmentRecord,
  groupEpochRecord,
  memberMetadataRecord,
  memberRemoval,
  statePartitionsRecord,
  targetEpochRecord,
  targetRecord,
} from './share-records.ts'
import { hasInitialized, initializing, type Partitions, type TopicState } from './state-partitions.ts'

export type ShareHeartbeatRequest = Request<typeof ShareGroupHeartbeat>
export type ShareHeartbeatAnswer = ResponseInput<typeof ShareGroupHeartbeat>

/** Partitions whose state is to be initialized at the share coordinator. */
export interface Initialization {
  readonly groupId: string
  readonly stateEpoch: number
  readonly partitions: Partitions
}

export interface HeartbeatOutcome {
  /** null: the initialisation is to be done first, then the heartbeat is to be tried again. */
  readonly answer: ShareHeartbeatAnswer | null
  readonly initialization: Initialization | null
}

/** @throws KafkaError INVALID_REQUEST for what no group need be known for. */
export function checkShareHeartbeat(request: ShareHeartbeatRequest): void {
  const { groupId, memberId, memberEpoch, rackId, subscribedTopicNames } = request
  if (memberId.trim() === '') throw invalid("MemberId can't be empty.")
  if (groupId.trim() === '') throw invalid("GroupId can't be empty.")
  if (rackId !== null && rackId.trim() === '') throw invalid("RackId can't be empty.")
  for (const id of [memberId, groupId, rackId]) checkIdLength(id)
  checkTopicCount(subscribedTopicNames)
  if (memberEpoch === 0 && (subscribedTopicNames === null || subscribedTopicNames.length === 0))
    throw invalid('SubscribedTopicNames must be set in first request.')
  if (memberEpoch < leavingEpoch) throw invalid('MemberEpoch is invalid.')
}

export class ShareHeartbeats {
  readonly #context: ShareContext

  constructor(context: ShareContext) {
    this.#context = context
  }

  /**
   * With `initializesFirst` a member that joins is not answered before the partitions it subscribes to can be assigned: so it need not wait for
   * its next heartbeat, as with Kafka.
   * @throws KafkaError with the code of the answer.
   */
  heartbeat(
    request: ShareHeartbeatRequest,
    client: GroupClient,
    initializesFirst: boolean,
  ): Decision<HeartbeatOutcome> {
    const { groupId, memberId, memberEpoch, rackId, subscribedTopicNames } = request
    if (memberEpoch === leavingEpoch) return this.#leave(groupId, memberId)
    const { settings } = this.#context
    const isJoining = memberEpoch === 0
    const group = this.#groupOf(groupId, isJoining)
    this.#checkSize(group, memberId)
    const before = isJoining ? group.memberOrNew(memberId) : group.member(memberId)
    checkEpoch(before, memberEpoch)
    const changed: ShareMember = {
      ...before,
      rackId: rackId ?? before.rackId,
      subscribedTopics: subscribedTopicNames === null ? before.subscribedTopics : new Set(subscribedTopicNames),
      clientId: client.clientId,
      clientHost: client.clientHost,
    }
    const subscribers = group.subscribersWith(memberId, changed)
    const records: CoordinatorRecord[] = []
    if (isJoining && initializesFirst) {
      const initialization = this.#initialize(group, group.epoch, subscribers.keys(), records)
      if (initialization !== null) return { records, response: { answer: null, initialization } }
    }
    const epoch = this.#updateEpoch(group, before, changed, subscribers, records)
    const target = this.#updateTarget(group, epoch, changed, subscribers, records)
    const after = this.#follow(group, changed, target, epoch !== group.epoch, records)
    this.#context.sessions.goesOn(groupId, memberId)
    const tellsAssignment =
      isJoining || subscribedTopicNames !== null || !isSameAssignment(before.assigned, after.assigned)
    const answer: ShareHeartbeatAnswer = {
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      memberId,
      memberEpoch: after.epoch,
      heartbeatIntervalMs: settings.heartbeatIntervalMs(groupId),
      assignment: tellsAssignment ? { topicPartitions: storedAssignment(after.assigned) } : null,
    }
    return {
      records,
      response: { answer, initialization: this.#initialize(group, epoch, subscribers.keys(), records) },
    }
  }

  /** Takes a member out of its group. */
  remove(group: ShareGroup, { id }: ShareMember): CoordinatorRecord[] {
    const { hashes, image } = this.#context
    const hash = hashes.ofTopics(group.subscribersWith(id, null).keys(), image)
    return [...memberRemoval(group.id, id), groupEpochRecord(group.id, group.epoch + 1, hash)]
  }

  #leave(groupId: string, memberId: string): Decision<HeartbeatOutcome> {
    const group = this.#context.groups.findOfType<ShareGroup>(groupId, 'share')
    const answer: ShareHeartbeatAnswer = {
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      memberId,
      memberEpoch: leavingEpoch,
      heartbeatIntervalMs: 0,
    }
    return {
      records: this.remove(group, group.member(memberId)),
      // When they are refused the member is still there, and has to end by its session.
      applied: () => this.#context.sessions.ends(groupId, memberId),
      response: { answer, initialization: null },
    }
  }

  /** A new group is not in the registry: its records make it. */
  #groupOf(groupId: string, createIfMissing: boolean): ShareGroup {
    const { groups } = this.#context
    if (createIfMissing && !groups.has(groupId)) return new ShareGroup(groupId)
    if (!groups.has(groupId)) throw new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, `Share group ${groupId} not found.`)
    return groups.findOfType<ShareGroup>(groupId, 'share')
  }

  #checkSize(group: ShareGroup, memberId: string): void {
    const { maxSize } = this.#context.settings
    if (group.memberCount >= maxSize && !group.members.has(memberId))
      throw new KafkaError(
        ErrorCode.GROUP_MAX_SIZE_REACHED,
        `The share group has reached its maximum capacity of ${maxSize} members.`,
      )
  }

  /** The group epoch: it rises when the member, the topics, or what may be assigned have changed. */
  #updateEpoch(
    group: ShareGroup,
    before: ShareMember,
    changed: ShareMember,
    subscribers: ReadonlyMap<string, number>,
    records: CoordinatorRecord[],
  ): number {
    const { hashes, image } = this.#context
    const isKnown = group.members.has(changed.id)
    if (!isKnown || !hasSameMetadata(before, changed)) records.push(memberMetadataRecord(group.id, changed))
    const hasSubscriptionChanged = !isSameSet(before.subscribedTopics, changed.subscribedTopics)
    const isPending = group.targetEpoch >= group.epoch && this.#hasUnassigned(group)
    if (!hasSubscriptionChanged && !isPending && !group.needsMetadataRefresh) return group.epoch
    const hash = hashes.ofTopics(subscribers.keys(), image)
    const rises = hasSubscriptionChanged || isPending || hash !== group.metadataHash
    const epoch = rises ? group.epoch + 1 : group.epoch
    if (rises) records.push(groupEpochRecord(group.id, epoch, hash))
    group.metadataRefreshed(epoch)
    return epoch
  }

  /** Whether subscribed partitions are initialized that no target has, or no longer are that one has. */
  #hasUnassigned(group: ShareGroup): boolean {
    if (group.isEmpty) return false
    for (const [topicId, { name, partitions }] of group.statePartitions.initialized) {
      // The name may be another topic's by now.
      if (!group.isSubscribedTo(name) || this.#context.image.topicNameById(topicId) !== name) continue
      const assigned = new Set<number>()
      for (const target of group.targets) for (const partition of target.get(topicId) ?? []) assigned.add(partition)
      if (!isSameSet(assigned, partitions)) return true
    }
    return false
  }

  /** A new target if one is due. */
  #updateTarget(
    group: ShareGroup,
    epoch: number,
    changed: ShareMember,
    subscribers: ReadonlyMap<string, number>,
    records: CoordinatorRecord[],
  ): { epoch: number; assignment: Assignment } {
    const { settings, shard, image } = this.#context
    const nowMs = shard.clock.now()
    const intervalMs = settings.assignmentIntervalMs(group.id)
    const isDue = group.targetTimestampMs === 0 || intervalMs === 0 || nowMs >= group.targetTimestampMs + intervalMs
    if (group.targetEpoch >= epoch || !isDue)
      return { epoch: group.targetEpoch, assignment: group.targetOf(changed.id) }
    const members = new Map([...group.members, [changed.id, changed]])
    const assigned = simpleAssignor.assign({
      members: new Map(
        Array.from(members, ([id, { subscribedTopics }]) => [
          id,
          { instanceId: null, subscribedTopicIds: topicIdsOf(subscribedTopics, image), assignment: group.targetOf(id) },
        ]),
      ),
      subscriptionType: subscriptionType(subscribers, members.size),
      partitionCount: (topicId) => image.topicById(topicId)?.partitions.length ?? 0,
      isAssignable: (topicId, partition) => hasInitialized(group.statePartitions, topicId, partition),
    })
    for (const id of members.keys()) {
      const target = assigned.get(id) ?? noPartitions
      if (!group.hasTarget(id) || !isSameAssignment(group.targetOf(id), target))
        records.push(targetRecord(group.id, id, target))
    }
    records.push(targetEpochRecord(group.id, epoch, nowMs))
    return { epoch, assignment: assigned.get(changed.id) ?? noPartitions }
  }

  /** The member as it is when it has gone on to the target. */
  #follow(
    group: ShareGroup,
    member: ShareMember,
    target: { epoch: number; assignment: Assignment },
    hasGroupChanged: boolean,
    records: CoordinatorRecord[],
  ): ShareMember {
    if (!hasGroupChanged && member.epoch === target.epoch) return member
    // The target may be older than the subscription.
    const ids = topicIdsOf(member.subscribedTopics, this.#context.image)
    const assigned = new Map([...target.assignment].filter(([topicId]) => ids.has(topicId)))
    const isNewEpoch = target.epoch !== member.epoch
    const after = {
      ...member,
      assigned,
      epoch: target.epoch,
      previousEpoch: isNewEpoch ? member.epoch : member.previousEpoch,
    }
    if (isNewEpoch || !isSameAssignment(member.assigned, assigned))
      records.push(currentAssignmentRecord(group.id, after))
    return after
  }

  /** Subscribed partitions without state, and those whose initialisation has taken too long; null when there are none. */
  #initialize(
    group: ShareGroup,
    stateEpoch: number,
    topics: Iterable<string>,
    records: CoordinatorRecord[],
  ): Initialization | null {
    const { image, shard, settings } = this.#context
    const nowMs = shard.clock.monotonicMs()
    const { initialized, initializing: begun } = group.statePartitions
    const added = new Map<string, TopicState>()
    for (const name of topics) {
      const topic = image.topics.get(name)
      if (topic === undefined) continue
      const under = begun.get(topic.id)
      const isFresh = under !== undefined && nowMs - under.sinceMs < settings.initializeRetryIntervalMs
      const partitions = new Set<number>()
      for (let partition = 0; partition < topic.partitions.length; partition++) {
        const isUnderWay = isFresh && under.partitions.has(partition)
        if (!isUnderWay && !initialized.get(topic.id)?.partitions.has(partition)) partitions.add(partition)
      }
      if (partitions.size > 0) added.set(topic.id, { name, partitions, sinceMs: nowMs })
    }
    if (added.size === 0) return null
    records.push(statePartitionsRecord(group.id, initializing(group.statePartitions, added)))
    const partitions = new Map(Array.from(added, ([topicId, topic]) => [topicId, topic.partitions]))
    return { groupId: group.id, stateEpoch, partitions }
  }
}

/** 0 is always fine: a member that was fenced begins anew with it; so is the epoch before, as the answer may have been lost. */
function checkEpoch({ epoch, previousEpoch }: ShareMember, received: number): void {
  if (received === 0 || received === epoch || received === previousEpoch) return
  const known = `than the one known by the group coordinator (${epoch})`
  throw new KafkaError(
    ErrorCode.FENCED_MEMBER_EPOCH,
    received > epoch
      ? `The share group member has a greater member epoch (${received}) ${known}. The member must abandon all its partitions and rejoin.`
      : `The share group member has a smaller member epoch (${received}) ${known}, and it does not match the previous member epoch (${previousEpoch}). The member must abandon all its partitions and rejoin.`,
  )
}

function invalid(message: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_REQUEST, message)
}
