/** JoinGroup to classic groups. Source: Kafka's GroupMetadataManager.classicGroupJoinToClassicGroup. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { checkIdLength, longestIdLength } from '../../client-bounds.ts'
import { answer, type Decision } from '../../runtime/decision.ts'
import type { Group } from '../group.ts'
import type { GroupClient, GroupShardContext } from '../group-part.ts'
import { joined, refusedJoin, type JoinAnswer, type JoinRequest } from './classic-answers.ts'
import type { ClassicGroup } from './classic-group.ts'
import { ClassicMember } from './classic-member.ts'
import type { ClassicRebalances } from './classic-rebalances.ts'
import type { ClassicSessions } from './classic-sessions.ts'
import { withResponse, type Consequence } from './consequence.ts'
import { emptyGroupMetadata } from './group-metadata.ts'
import { newMemberId } from './member-ids.ts'
import { replaceStaticMember } from './static-members.ts'

/** From this version on a member without an id is given one, and has to come again with it (KIP-394). */
export const firstVersionWithIdRequired = 4
/** A new member that waits cannot be seen to be gone. After so long it is taken to be, and has to come again. */
const newMemberTimeoutMs = 5 * 60 * 1000
/** Of a group: ids cost who asks for them nothing, and are kept for a session's time, up to half an hour. */
const mostPendingJoins = 10_000

export class ClassicJoins {
  readonly #context: GroupShardContext
  readonly #sessions: ClassicSessions
  readonly #rebalances: ClassicRebalances

  constructor(context: GroupShardContext, sessions: ClassicSessions, rebalances: ClassicRebalances) {
    this.#context = context
    this.#sessions = sessions
    this.#rebalances = rebalances
  }

  /** `group` is classic, or there is none, or it is an empty one of another type that gives way. */
  join(group: Group | undefined, request: JoinRequest, client: GroupClient): Decision<JoinAnswer> {
    if (group?.type !== 'classic') {
      if (request.memberId !== '') return refused(ErrorCode.UNKNOWN_MEMBER_ID, request.memberId)
      return this.#create(group, request, client)
    }
    return this.#joinClassic(group as ClassicGroup, request, client)
  }

  /** The group is in the log before anybody joins it. */
  #create(replaced: Group | undefined, request: JoinRequest, client: GroupClient): Decision<JoinAnswer> {
    checkIdLength(request.groupId, ErrorCode.INVALID_GROUP_ID)
    const { shard } = this.#context
    const { promise, resolve } = Promise.withResolvers<JoinAnswer>()
    return {
      records: [...(replaced?.tombstones() ?? []), emptyGroupMetadata(request.groupId, shard.clock.now())],
      response: promise,
      settled: (error) => {
        if (error !== null) return
        // What became of the group meanwhile decides.
        resolve(shard.write(() => this.#joinCreated(request, client)))
      },
    }
  }

  #joinCreated(request: JoinRequest, client: GroupClient): Decision<JoinAnswer> {
    const group = this.#context.groups.get(request.groupId)
    if (group?.type !== 'classic') return refused(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    return this.#joinClassic(group as ClassicGroup, request, client)
  }

  #joinClassic(group: ClassicGroup, request: JoinRequest, client: GroupClient): Decision<JoinAnswer> {
    const { memberId, protocolType, protocols } = request
    if (!this.#hasRoomFor(group, memberId)) {
      group.remove(memberId)
      return refused(ErrorCode.GROUP_MAX_SIZE_REACHED)
    }
    if (!group.supports(protocolType, protocols)) return refused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, memberId)
    return memberId === '' ? this.#joinNew(group, request, client) : this.#joinKnown(group, request, client)
  }

  /**
   * While members join, those who have count: the group may be larger than the limit when that was lowered, and the last ones to come are
   * turned away.
   */
  #hasRoomFor(group: ClassicGroup, memberId: string): boolean {
    const maxSize = this.#context.config.get('group.max.size')
    const member = group.members.get(memberId)
    if (group.isEmpty) return true
    if (group.state === 'PreparingRebalance')
      return (member !== undefined && member.awaitingJoin !== null) || group.awaitingJoins < maxSize
    return member !== undefined || group.memberCount < maxSize
  }

  #joinNew(group: ClassicGroup, request: JoinRequest, client: GroupClient): Decision<JoinAnswer> {
    const { groupInstanceId, sessionTimeoutMs } = request
    checkIdLength(groupInstanceId)
    const memberId = newMemberId(
      (groupInstanceId ?? client.clientId).slice(0, longestIdLength),
      this.#context.shard.random,
    )
    if (groupInstanceId !== null) {
      const current = group.staticMemberId(groupInstanceId)
      if (current === undefined) return this.#add(group, memberId, request, client)
      const services = { context: this.#context, sessions: this.#sessions, rebalances: this.#rebalances }
      return replaceStaticMember(services, { group, oldMemberId: current, newMemberId: memberId, request, client })
    }
    if (client.apiVersion < firstVersionWithIdRequired) return this.#add(group, memberId, request, client)
    if (group.pendingJoins.size >= mostPendingJoins) this.#forgetOldestPending(group)
    group.pendingJoins.add(memberId)
    this.#sessions.start(group, memberId, sessionTimeoutMs)
    return refused(ErrorCode.MEMBER_ID_REQUIRED, memberId)
  }

  /** If it comes after all it is given another id. */
  #forgetOldestPending(group: ClassicGroup): void {
    const [oldest] = group.pendingJoins
    group.remove(oldest!)
    this.#sessions.end(group, oldest!)
  }

  #joinKnown(group: ClassicGroup, request: JoinRequest, client: GroupClient): Decision<JoinAnswer> {
    const { memberId, groupInstanceId, protocols } = request
    if (group.pendingJoins.has(memberId)) {
      // An id that was given to a dynamic member.
      if (groupInstanceId !== null) throw new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)
      return this.#add(group, memberId, request, client)
    }
    try {
      group.checkMember(memberId, groupInstanceId)
    } catch (error) {
      if (error instanceof KafkaError) return refused(error.code, memberId)
      throw error
    }
    const member = group.members.get(memberId)!
    const hasChanged = !member.hasProtocols(protocols)
    switch (group.state) {
      case 'PreparingRebalance':
        return this.#update(group, member, request)
      case 'CompletingRebalance':
        // The same again: the answer to its JoinGroup was lost.
        return hasChanged ? this.#update(group, member, request) : answer(joined(group, memberId))
      case 'Stable':
        // A leader that joins again wants to assign anew, for reasons that only it knows.
        return hasChanged || group.isLeader(memberId)
          ? this.#update(group, member, request)
          : answer(joined(group, memberId))
      default:
        return refused(ErrorCode.UNKNOWN_MEMBER_ID, memberId)
    }
  }

  #add(group: ClassicGroup, memberId: string, request: JoinRequest, client: GroupClient): Decision<JoinAnswer> {
    const { groupInstanceId, rebalanceTimeoutMs, sessionTimeoutMs, protocols, protocolType } = request
    const { clientId, clientHost } = client
    const member = new ClassicMember({
      id: memberId,
      groupInstanceId,
      clientId,
      clientHost,
      rebalanceTimeoutMs,
      sessionTimeoutMs,
      protocols,
    })
    member.isNew = true
    if (group.state === 'PreparingRebalance' && group.previousState === 'Empty') group.hasGrown = true
    return parked((waiting) => {
      group.add(member, protocolType, waiting)
      this.#sessions.start(group, memberId, newMemberTimeoutMs)
      return this.#rebalances.prepareOrComplete(group, `new member ${memberId}: ${reasonOf(request)}`)
    })
  }

  #update(group: ClassicGroup, member: ClassicMember, request: JoinRequest): Decision<JoinAnswer> {
    return parked((waiting) => {
      group.update(member, request, waiting)
      return this.#rebalances.prepareOrComplete(group, `member ${member.id} joins again: ${reasonOf(request)}`)
    })
  }
}

function reasonOf({ reason }: JoinRequest): string {
  return reason === null || reason === '' ? 'not provided' : reason
}

function refused(errorCode: number, memberId = ''): Decision<JoinAnswer> {
  return answer(refusedJoin(errorCode, memberId))
}

/** Answered when `begin` calls what it is given, at once or later. */
function parked(begin: (waiting: (answer: JoinAnswer) => void) => Consequence): Decision<JoinAnswer> {
  const { promise, resolve } = Promise.withResolvers<JoinAnswer>()
  return withResponse(begin(resolve), promise)
}
