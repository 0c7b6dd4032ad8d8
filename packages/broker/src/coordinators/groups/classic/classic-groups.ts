/**
 * The classic groups of a shard, and the requests of the classic protocol. Groups of another type serve members of that protocol themselves
 * while they are migrated (KIP-848): see `ClassicProtocolServer`.
 *
 * The state of a classic group is in memory; the log has its last generation with the assignments. So what members ask for changes the
 * state at once, and records are written with `replays: false`; a reload finds the last generation as stable, and gives its members a
 * session's time to be heard of.
 */
import { ErrorCode, GroupMetadataRecord, KafkaError } from '@millrace/protocol'
import { answer, type Decision } from '../../runtime/decision.ts'
import type { Replayers } from '../../runtime/replayers.ts'
import type { Group, GroupType } from '../group.ts'
import type { GroupClient, GroupPart, GroupShardContext } from '../group-part.ts'
import {
  refusedJoin,
  refusedSync,
  type HeartbeatAnswer,
  type HeartbeatRequest,
  type JoinAnswer,
  type JoinRequest,
  type LeaveAnswer,
  type LeaveRequest,
  type SyncAnswer,
  type SyncRequest,
} from './classic-answers.ts'
import { ClassicGroup } from './classic-group.ts'
import { heartbeat } from './classic-heartbeats.ts'
import { ClassicJoins } from './classic-joins.ts'
import { ClassicLeaves } from './classic-leaves.ts'
import { ClassicRebalances } from './classic-rebalances.ts'
import { ClassicSessions } from './classic-sessions.ts'
import { ClassicSyncs } from './classic-syncs.ts'
import { nothing, type Consequence } from './consequence.ts'
import { classicGroupOf } from './group-metadata.ts'
import { checkProtocols } from './protocol-choice.ts'

/** Groups of another type that have members of the classic protocol. Each throws KafkaError with the code of the answer. */
export interface ClassicProtocolServer {
  /** Only for groups that are not empty. */
  join(group: Group, request: JoinRequest, client: GroupClient): Decision<JoinAnswer>
  sync(group: Group, request: SyncRequest, client: GroupClient): Decision<SyncAnswer>
  heartbeat(group: Group, request: HeartbeatRequest, client: GroupClient): Decision<HeartbeatAnswer>
  leave(group: Group, request: LeaveRequest, client: GroupClient): Decision<LeaveAnswer>
}

export class ClassicGroups implements GroupPart {
  readonly sessions: ClassicSessions
  readonly rebalances: ClassicRebalances
  readonly #context: GroupShardContext
  readonly #joins: ClassicJoins
  readonly #syncs: ClassicSyncs
  readonly #leaves: ClassicLeaves
  readonly #servers = new Map<GroupType, ClassicProtocolServer>()

  constructor(context: GroupShardContext) {
    this.#context = context
    this.sessions = new ClassicSessions(context.shard.timers, (group, memberId) => this.#expire(group, memberId))
    this.rebalances = new ClassicRebalances(context, this.sessions)
    this.#joins = new ClassicJoins(context, this.sessions, this.rebalances)
    this.#syncs = new ClassicSyncs(context, this.rebalances)
    this.#leaves = new ClassicLeaves(this.sessions, this.rebalances)
  }

  /** Who serves the classic protocol in groups of another type. */
  servedBy(type: GroupType, server: ClassicProtocolServer): void {
    this.#servers.set(type, server)
  }

  registerReplay(replayers: Replayers): void {
    const { groups } = this.#context
    replayers.on(GroupMetadataRecord, ({ group }, value) => {
      if (value === null) groups.remove(group)
      else groups.put(classicGroupOf(group, value))
    })
  }

  /** For offsets of a group that no member has joined: a simple group holds them. */
  ensureGroup(id: string): void {
    const { groups, shard } = this.#context
    if (!groups.has(id)) groups.put(new ClassicGroup({ id, state: 'Empty', stateSinceMs: shard.clock.now() }))
  }

  loaded(): void {
    const maxSize = this.#context.config.get('group.max.size')
    for (const group of this.#all()) {
      for (const member of group.members.values()) this.sessions.restart(group, member)
      // The limit was lowered: who joins first may stay.
      if (group.memberCount > maxSize) this.rebalances.prepare(group, `more than ${maxSize} members were loaded`)
      else if (group.owesRebalance) this.rebalances.prepare(group, 'members had left when it became a classic group')
    }
  }

  unloaded(): void {
    const { clock } = this.#context.shard
    for (const group of this.#all()) {
      group.moveTo('Dead', clock.now())
      for (const member of group.members.values()) {
        group.answerJoin(member, refusedJoin(ErrorCode.NOT_COORDINATOR, member.id))
        group.answerSync(member, refusedSync(ErrorCode.NOT_COORDINATOR))
      }
    }
  }

  /** @throws KafkaError with the code of the answer. */
  join(request: JoinRequest, client: GroupClient): Decision<JoinAnswer> {
    checkProtocols(request.protocols)
    const group = this.#context.groups.get(request.groupId)
    if (group === undefined || group.type === 'classic') return this.#joins.join(group, request, client)
    const server = this.#servers.get(group.type)
    if (server !== undefined && !group.isEmpty) return server.join(group, request, client)
    if (server !== undefined || (group.type === 'streams' && group.isEmpty))
      return this.#joins.join(group, request, client)
    return answer(refusedJoin(ErrorCode.INCONSISTENT_GROUP_PROTOCOL))
  }

  /** @throws KafkaError with the code of the answer. */
  sync(request: SyncRequest, client: GroupClient): Decision<SyncAnswer> {
    const group = this.#groupOfMember(request.groupId)
    if (group.isEmpty) throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
    return group instanceof ClassicGroup
      ? this.#syncs.sync(group, request)
      : this.#serverOf(group).sync(group, request, client)
  }

  /** @throws KafkaError with the code of the answer. */
  heartbeat(request: HeartbeatRequest, client: GroupClient): Decision<HeartbeatAnswer> {
    const group = this.#groupOfMember(request.groupId)
    return group instanceof ClassicGroup
      ? heartbeat(group, request, this.sessions)
      : this.#serverOf(group).heartbeat(group, request, client)
  }

  /** Of requests before version 3, `members` has the one. @throws KafkaError UNKNOWN_MEMBER_ID when there is no such group. */
  leave(request: LeaveRequest, client: GroupClient): Decision<LeaveAnswer> {
    const group = this.#groupOfMember(request.groupId)
    return group instanceof ClassicGroup
      ? this.#leaves.leave(group, request.members)
      : this.#serverOf(group).leave(group, request, client)
  }

  /** To members, a group that does not exist is one that they are not in. */
  #groupOfMember(id: string): Group {
    const group = this.#context.groups.get(id)
    if (group === undefined) throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, `Group ${id} not found.`)
    return group
  }

  #serverOf(group: Group): ClassicProtocolServer {
    const server = this.#servers.get(group.type)
    if (server === undefined) throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, `Group ${group.id} not found.`)
    return server
  }

  #expire(group: ClassicGroup, memberId: string): Consequence {
    if (this.#context.groups.get(group.id) !== group) return nothing
    const { logger } = this.#context.shard
    if (group.pendingJoins.has(memberId)) {
      logger.info('a member has not come with the id it was given', { group: group.id, member: memberId })
      group.remove(memberId)
      return this.rebalances.pendingGone(group)
    }
    const member = group.members.get(memberId)
    if (member === undefined || member.needsNoHeartbeat) return nothing
    logger.info('a member has not been heard of', { group: group.id, member: memberId })
    group.remove(memberId)
    return this.rebalances.memberGone(group, `no heartbeat from ${memberId}`)
  }

  *#all(): Generator<ClassicGroup, void> {
    for (const group of this.#context.groups) if (group instanceof ClassicGroup) yield group
  }
}
