/**
 * Members of the classic protocol in a consumer group: their requests are answered as if the group were a classic one whose leader is the
 * coordinator. Each goes on at its own pace: a heartbeat tells it to join again, JoinGroup reports what it owns, SyncGroup tells what it is
 * assigned. Source: Kafka's GroupMetadataManager.classicGroupJoinToConsumerGroup and its siblings.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { randomUuid } from '../../../controller/random-uuid.ts'
import type { Decision } from '../../runtime/decision.ts'
import type { Assignment } from '../assignors/assignor.ts'
import {
  refusedJoin,
  type HeartbeatAnswer,
  type HeartbeatRequest,
  type JoinAnswer,
  type JoinRequest,
  type LeaveAnswer,
  type LeaveRequest,
  type SyncAnswer,
  type SyncRequest,
} from '../classic/classic-answers.ts'
import type { ClassicProtocolServer } from '../classic/classic-groups.ts'
import { firstVersionWithIdRequired } from '../classic/classic-joins.ts'
import type { Group } from '../group.ts'
import type { GroupClient } from '../group-part.ts'
import type { ConsumerContext } from './consumer-context.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerLeaves } from './consumer-leaves.ts'
import { isReconciledTo, type ClassicMembership, type ConsumerMember } from './consumer-member.ts'
import {
  asServerError,
  decodeSubscription,
  encodeTopicsAssigned,
  withTopicIds,
  type Subscription,
} from './embedded-protocol.ts'
import { GroupUpdate, staticMember } from './group-update.ts'
import type { OwnedPartitions } from './owned-partitions.ts'

export class ClassicMembers implements ClassicProtocolServer {
  readonly #context: ConsumerContext
  readonly #leaves: ConsumerLeaves

  constructor(context: ConsumerContext, leaves: ConsumerLeaves) {
    this.#context = context
    this.#leaves = leaves
  }

  join(group: Group, request: JoinRequest, client: GroupClient): Decision<JoinAnswer> {
    const { shard, settings } = this.#context
    const { groupInstanceId, protocols } = request
    const { upgrades, downgrades } = settings.migration
    if (!upgrades && !downgrades)
      throw new KafkaError(
        ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
        `Cannot join the consumer group ${group.id} with the classic protocol because the group migration is disabled.`,
      )
    const update = new GroupUpdate(this.#context, group as ConsumerGroup, [])
    const isUnknown = request.memberId === ''
    const memberId = isUnknown ? randomUuid(shard.random) : request.memberId
    update.checkSize(memberId)
    const names = protocols.map(({ name }) => name)
    if (!update.group.supportsClassicProtocols(request.protocolType, names))
      throw new KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, `Member ${memberId}'s protocols are not supported.`)
    if (isUnknown && groupInstanceId === null && client.apiVersion >= firstVersionWithIdRequired)
      return { records: [], response: refusedJoin(ErrorCode.MEMBER_ID_REQUIRED, memberId) }
    return this.#join(update, memberId, request, client)
  }

  #join(update: GroupUpdate, memberId: string, request: JoinRequest, client: GroupClient): Decision<JoinAnswer> {
    const { group } = update
    const { migration, image } = this.#context
    const { groupInstanceId } = request
    const replaced = group.staticMember(groupInstanceId)
    const downgrades = replaced !== undefined && migration.shouldDowngradeReplacing(group, replaced)
    const before = memberOf(update, memberId, request)
    const subscription = asServerError(() => decodeSubscription(request.protocols[0]!.metadata))
    const changed = changedBy(request, subscription, client, before)
    const hasTopicsChanged = update.changeMetadata(before, changed)
    const hasRegexChanged = update.changeRegex(before, changed, { client, engine: null }) !== 'none'
    const hasSubscriptionChanged = hasTopicsChanged || hasRegexChanged
    update.refreshMetadata(before, changed, { bumpsEpoch: hasSubscriptionChanged })
    const reconciling = { hasSubscriptionChanged, reported: withTopicIds(subscription.ownedPartitions, image) }
    if (downgrades) return this.#downgrade(update, replaced, changed, reconciling)
    const after = update.reconcile(changed, update.updateTarget(before, changed), reconciling)
    return {
      records: update.records,
      response: joined(after),
      settled: (error) => {
        if (error === null) this.#hasJoined(group.id, after.id, request)
      },
    }
  }

  /** The last member of the consumer protocol gives its place to one of the classic protocol. */
  #downgrade(
    update: GroupUpdate,
    replaced: ConsumerMember,
    changed: ConsumerMember,
    reconciling: Parameters<GroupUpdate['reconcile']>[2],
  ): Decision<JoinAnswer> {
    const { group } = update
    // With a subscription of its own a rebalance follows in any case.
    const isStale = group.target.epoch < update.epoch
    const target = { epoch: group.target.epoch, assignment: group.targetOf(changed) }
    const joining = isStale ? changed : update.reconcile(changed, target, reconciling)
    const others = [...group.members.values()].filter(({ id }) => id !== replaced.id && id !== joining.id)
    const isSettled = !isStale && [joining, ...others].every((member) => isReconciledTo(target.epoch, member))
    const { records, applied } = this.#context.migration.downgradeReplacing(group, {
      replaced,
      joining,
      reason: isSettled ? null : 'the consumer group had not come to its assignment',
    })
    return { records: [...update.records, ...records], response: joined(joining), ...(applied && { applied }) }
  }

  #hasJoined(groupId: string, memberId: string, request: JoinRequest): void {
    const { timers } = this.#context
    timers.hasJoined(groupId, memberId)
    timers.sessionGoesOn(groupId, memberId, request.sessionTimeoutMs)
    timers.syncIsDue(groupId, memberId, request.rebalanceTimeoutMs)
  }

  sync(group: Group, request: SyncRequest): Decision<SyncAnswer> {
    const { timers, image } = this.#context
    const consumerGroup = group as ConsumerGroup
    const { member, classic } = classicMember(consumerGroup, request)
    checkProtocol(member, classic, request)
    this.#checkNoRebalance(consumerGroup, member)
    const { metadata } = classic.supportedProtocols[0]!
    return {
      records: [],
      response: {
        throttleTimeMs: 0,
        errorCode: ErrorCode.NONE,
        protocolType: request.protocolType,
        protocolName: request.protocolName,
        assignment: asServerError(() => encodeTopicsAssigned(withoutEpochs(member.assigned), metadata, image)),
      },
      settled: (error) => {
        if (error !== null) return
        timers.hasSynced(group.id, member.id)
        timers.sessionGoesOn(group.id, member.id, classic.sessionTimeoutMs)
      },
    }
  }

  heartbeat(group: Group, request: HeartbeatRequest): Decision<HeartbeatAnswer> {
    const { timers } = this.#context
    const consumerGroup = group as ConsumerGroup
    const { member, classic } = classicMember(consumerGroup, request)
    timers.sessionGoesOn(group.id, member.id, classic.sessionTimeoutMs)
    const isDue =
      this.#isStuck(consumerGroup) ||
      member.epoch < consumerGroup.target.epoch ||
      member.state === 'UnrevokedPartitions' ||
      (member.state === 'UnreleasedPartitions' && !consumerGroup.waitsForPartitions(member))
    if (isDue) timers.joinIsDue(group.id, member)
    return {
      records: [],
      response: { throttleTimeMs: 0, errorCode: isDue ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE },
    }
  }

  /**
   * Targets are made when members of the consumer protocol send heartbeats, or others join. When only members of the classic protocol are left,
   * in a group that may not become a classic one, they have to join for it; in Kafka they are not told to, and partitions stay without owner.
   */
  #isStuck({ classicMemberCount, memberCount, epoch, target, needsMetadataRefresh }: ConsumerGroup): boolean {
    return classicMemberCount === memberCount && (epoch > target.epoch || needsMetadataRefresh)
  }

  leave(group: Group, { members }: LeaveRequest): Decision<LeaveAnswer> {
    const consumerGroup = group as ConsumerGroup
    const leaving = new Set<ConsumerMember>()
    const answers = members.map(({ memberId, groupInstanceId }) => {
      try {
        leaving.add(leavingMember(consumerGroup, memberId, groupInstanceId))
        return { memberId, groupInstanceId, errorCode: ErrorCode.NONE }
      } catch (error) {
        if (error instanceof KafkaError) return { memberId, groupInstanceId, errorCode: error.code }
        throw error
      }
    })
    return this.#leaves.remove(consumerGroup, [...leaving], {
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      members: answers,
    })
  }

  /** Who has partitions to give up has joined already: it first finishes that. */
  #checkNoRebalance(group: ConsumerGroup, member: ConsumerMember): void {
    if (group.target.epoch <= member.epoch || member.state === 'UnrevokedPartitions') return
    this.#context.timers.joinIsDue(group.id, member)
    throw new KafkaError(
      ErrorCode.REBALANCE_IN_PROGRESS,
      `A new rebalance is triggered in group ${group.id} and member ${member.id} should rejoin to catch up.`,
    )
  }
}

function memberOf(update: GroupUpdate, memberId: string, request: JoinRequest): ConsumerMember {
  const { groupInstanceId } = request
  if (groupInstanceId === null) return update.group.memberOrNew(memberId)
  // Under a new id it takes the place of the one before, whatever that is doing: it is the same instance.
  if (request.memberId === '') return update.joinStatically(memberId, groupInstanceId, () => {})
  return staticMember(update.group, groupInstanceId, memberId)
}

function changedBy(
  request: JoinRequest,
  subscription: Subscription,
  client: GroupClient,
  member: ConsumerMember,
): ConsumerMember {
  const { groupInstanceId, rebalanceTimeoutMs, sessionTimeoutMs, protocols } = request
  const rackId = subscription.rackId === '' ? null : subscription.rackId
  return {
    ...member,
    instanceId: groupInstanceId ?? member.instanceId,
    rackId: rackId ?? member.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    subscribedTopics: new Set(subscription.topics),
    subscribedRegex: '',
    clientId: client.clientId,
    clientHost: client.clientHost,
    classic: {
      sessionTimeoutMs,
      supportedProtocols: protocols.map(({ name, metadata }) => ({ name, metadata: Uint8Array.from(metadata) })),
    },
  }
}

function joined(member: ConsumerMember): JoinAnswer {
  return {
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    generationId: member.epoch,
    protocolType: 'consumer',
    protocolName: member.classic!.supportedProtocols[0]!.name,
    leader: '',
    memberId: member.id,
    members: [],
  }
}

/** @throws KafkaError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION. */
function classicMember(
  group: ConsumerGroup,
  request: { readonly memberId: string; readonly groupInstanceId: string | null; readonly generationId: number },
): { readonly member: ConsumerMember; readonly classic: ClassicMembership } {
  const { memberId, groupInstanceId, generationId } = request
  const member = groupInstanceId === null ? group.member(memberId) : staticMember(group, groupInstanceId, memberId)
  if (member.classic === null)
    throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, `Member ${member.id} does not use the classic protocol.`)
  if (member.epoch !== generationId)
    throw new KafkaError(
      ErrorCode.ILLEGAL_GENERATION,
      `The request generation id ${generationId} is not equal to the member epoch ${member.epoch} of member ${member.id}.`,
    )
  return { member, classic: member.classic }
}

/** Older requests do not say. @throws KafkaError INCONSISTENT_GROUP_PROTOCOL. */
function checkProtocol(
  member: ConsumerMember,
  classic: ClassicMembership,
  { protocolType, protocolName }: SyncRequest,
): void {
  if (protocolType !== null && protocolType !== 'consumer')
    throw new KafkaError(
      ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
      `The protocol type ${protocolType} from member ${member.id} request is not equal to the group protocol type consumer.`,
    )
  const { name } = classic.supportedProtocols[0]!
  if (protocolName !== null && protocolName !== name)
    throw new KafkaError(
      ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
      `The protocol name ${protocolName} from member ${member.id} request is not equal to the protocol name ${name} returned in the join response.`,
    )
}

/** An administrator may name a static member by its instance alone. @throws KafkaError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID. */
function leavingMember(group: ConsumerGroup, memberId: string, groupInstanceId: string | null): ConsumerMember {
  if (groupInstanceId === null) return group.member(memberId)
  const current = group.staticMember(groupInstanceId)
  return staticMember(group, groupInstanceId, memberId === '' && current !== undefined ? current.id : memberId)
}

function withoutEpochs(owned: OwnedPartitions): Assignment {
  return new Map(Array.from(owned, ([topicId, epochs]) => [topicId, new Set(epochs.keys())]))
}
