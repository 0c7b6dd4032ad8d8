/** ConsumerGroupHeartbeat: members join, follow their assignment and leave with it. Source: Kafka's GroupMetadataManager.consumerGroupHeartbeat. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { randomUuid } from '../../../controller/random-uuid.ts'
import type { Decision } from '../../runtime/decision.ts'
import type { GroupClient } from '../group-part.ts'
import type { ConsumerContext } from './consumer-context.ts'
import type { ConsumerLeaves } from './consumer-leaves.ts'
import { leavingEpoch, leavingForAWhileEpoch, type ConsumerMember } from './consumer-member.ts'
import { checkReleased, GroupUpdate, staticMember } from './group-update.ts'
import type { HeartbeatAnswer, HeartbeatRequest } from './heartbeat-request.ts'
import { ascending, isSameOwnership, type OwnedPartitions } from './owned-partitions.ts'
import type { ReportedPartitions } from './reconcile.ts'
import type { RegexEngine } from './regex-engine.ts'

export class ConsumerHeartbeats {
  readonly #context: ConsumerContext
  readonly #leaves: ConsumerLeaves

  constructor(context: ConsumerContext, leaves: ConsumerLeaves) {
    this.#context = context
    this.#leaves = leaves
  }

  /**
   * `engine` may be null when the request has no regular expression.
   * @throws KafkaError with the code of the answer.
   */
  heartbeat(request: HeartbeatRequest, client: GroupClient, engine: RegexEngine | null): Decision<HeartbeatAnswer> {
    const { memberEpoch } = request
    if (memberEpoch === leavingEpoch || memberEpoch === leavingForAWhileEpoch) return this.#leaves.leave(request)
    const { migration, shard, settings, timers } = this.#context
    const isJoining = memberEpoch === 0
    const entry = migration.consumerGroup(request.groupId, { createIfMissing: isJoining })
    const update = new GroupUpdate(this.#context, entry.group, [...entry.records])
    update.checkSize(request.memberId)
    const memberId = request.memberId === '' ? randomUuid(shard.random) : request.memberId
    const before = this.#memberOf(update, memberId, request)
    const changed = changedBy(request, client, before)
    const hasTopicsChanged = update.changeMetadata(before, changed)
    const regexChange = update.changeRegex(before, changed, { client, engine })
    // While a new expression is not resolved the epoch stays: it will rise when that is done. With an upgrade it always rises; in Kafka it
    // does not for a static member that follows one of the classic protocol, and what is not assigned stays so.
    const bumpsEpoch = hasTopicsChanged || regexChange === 'resolved' || entry.isUpgraded === true
    update.refreshMetadata(before, changed, { bumpsEpoch })
    const target = update.updateTarget(before, changed)
    const after = update.reconcile(changed, target, {
      hasSubscriptionChanged: hasTopicsChanged || regexChange !== 'none',
      reported: request.topicPartitions,
    })
    timers.sessionGoesOn(request.groupId, memberId, settings.sessionTimeoutMs(request.groupId))
    const tellsAssignment = isJoining || isFull(request) || !isSameOwnership(before.assigned, after.assigned)
    return {
      records: update.records,
      applied: () => {
        entry.applied?.()
        update.applied()
      },
      response: {
        throttleTimeMs: 0,
        errorCode: ErrorCode.NONE,
        memberId,
        memberEpoch: after.epoch,
        heartbeatIntervalMs: settings.heartbeatIntervalMs(request.groupId),
        assignment: tellsAssignment ? toldAssignment(after.assigned) : null,
      },
    }
  }

  #memberOf(update: GroupUpdate, memberId: string, request: HeartbeatRequest): ConsumerMember {
    const { memberEpoch, instanceId, topicPartitions } = request
    const { group } = update
    const isJoining = memberEpoch === 0
    if (instanceId !== null && isJoining)
      return update.joinStatically(memberId, instanceId, (current) => {
        // Who takes over from a member of the classic protocol need not wait for it: that cannot say that it goes for a while.
        if (current.classic === null) checkReleased(current, memberId)
      })
    const member =
      instanceId !== null
        ? staticMember(group, instanceId, memberId)
        : isJoining
          ? group.memberOrNew(memberId)
          : group.member(memberId)
    checkEpoch(member, memberEpoch, topicPartitions)
    return member
  }
}

/**
 * 0 is always fine: a member that was fenced begins anew with it.
 * @throws KafkaError FENCED_MEMBER_EPOCH.
 */
function checkEpoch(member: ConsumerMember, received: number, reported: ReportedPartitions | null): void {
  if (received === 0 || received === member.epoch) return
  // The answer with the newer epoch may have been lost: then the member owns nothing beyond what it had before.
  const lostAnswer = received === member.previousEpoch && ownsNoMoreThan(member.assigned, reported)
  if (received < member.epoch && lostAnswer) return
  const size = received > member.epoch ? 'greater' : 'smaller'
  throw new KafkaError(
    ErrorCode.FENCED_MEMBER_EPOCH,
    `The consumer group member has a ${size} member epoch (${received}) than the one known by the group coordinator (${member.epoch}). The member must abandon all its partitions and rejoin.`,
  )
}

function ownsNoMoreThan(assigned: OwnedPartitions, reported: ReportedPartitions | null): boolean {
  if (reported === null) return false
  return reported.every(({ topicId, partitions }) => {
    const epochs = assigned.get(topicId)
    return epochs !== undefined && partitions.every((partition) => epochs.has(partition))
  })
}

/** What a heartbeat leaves out has not changed. */
function changedBy(request: HeartbeatRequest, client: GroupClient, member: ConsumerMember): ConsumerMember {
  const { rebalanceTimeoutMs, subscribedTopicNames } = request
  return {
    ...member,
    instanceId: request.instanceId ?? member.instanceId,
    rackId: request.rackId ?? member.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    assignor: request.serverAssignor ?? member.assignor,
    subscribedTopics: subscribedTopicNames === null ? member.subscribedTopics : new Set(subscribedTopicNames),
    subscribedRegex: request.subscribedTopicRegex ?? member.subscribedRegex,
    clientId: client.clientId,
    clientHost: client.clientHost,
    classic: null,
  }
}

/** Says everything, as members do when something went wrong: then they are told everything, too. */
function isFull({
  rebalanceTimeoutMs,
  subscribedTopicNames,
  subscribedTopicRegex,
  topicPartitions,
}: HeartbeatRequest): boolean {
  return (
    rebalanceTimeoutMs !== -1 &&
    (subscribedTopicNames !== null || subscribedTopicRegex !== null) &&
    topicPartitions !== null
  )
}

function toldAssignment(assigned: OwnedPartitions): NonNullable<HeartbeatAnswer['assignment']> {
  return {
    topicPartitions: Array.from(assigned, ([topicId, epochs]) => ({ topicId, partitions: ascending(epochs.keys()) })),
  }
}
