/** A static member that comes back under a new member id (KIP-345): it takes the old one's place, without a rebalance when nothing else changes. */
import { ErrorCode } from '@millrace/protocol'
import type { Decision } from '../../runtime/decision.ts'
import type { GroupClient, GroupShardContext } from '../group-part.ts'
import { joined, refusedJoin, refusedSync, type JoinAnswer, type JoinRequest } from './classic-answers.ts'
import type { ClassicGroup } from './classic-group.ts'
import { ClassicMember } from './classic-member.ts'
import type { ClassicRebalances } from './classic-rebalances.ts'
import type { ClassicSessions } from './classic-sessions.ts'
import { withResponse } from './consequence.ts'
import { groupMetadata } from './group-metadata.ts'

/** From this version on a leader can be told that its group needs no new assignment (KIP-814). */
const firstVersionWithSkippedAssignment = 9

export interface StaticMemberServices {
  readonly context: GroupShardContext
  readonly sessions: ClassicSessions
  readonly rebalances: ClassicRebalances
}

export interface StaticMemberReplacement {
  readonly group: ClassicGroup
  readonly oldMemberId: string
  readonly newMemberId: string
  readonly request: JoinRequest
  readonly client: GroupClient
}

export function replaceStaticMember(
  { context, sessions, rebalances }: StaticMemberServices,
  replacement: StaticMemberReplacement,
): Decision<JoinAnswer> {
  const { group, oldMemberId, newMemberId, request, client } = replacement
  const leaderBefore = group.leaderId
  const old = group.members.get(oldMemberId)!
  // A process that still uses the old id is another one: it must not go on.
  group.answerJoin(old, refusedJoin(ErrorCode.FENCED_INSTANCE_ID, oldMemberId))
  group.answerSync(old, refusedSync(ErrorCode.FENCED_INSTANCE_ID))
  const member = renamed(old, newMemberId)
  group.replace(oldMemberId, member)
  sessions.restart(group, member)
  const { promise, resolve } = Promise.withResolvers<JoinAnswer>()
  group.update(member, request, resolve)

  const instance = `static member ${newMemberId} in place of ${oldMemberId}`
  if (group.state === 'CompletingRebalance')
    // The leader may have been told the old id, and would assign to that.
    return withResponse(rebalances.prepare(group, instance), promise)
  if (group.state !== 'Stable') return withResponse(rebalances.completeIfAllJoined(group), promise)
  if (group.protocol !== group.protocolOfNextGeneration())
    return withResponse(rebalances.prepareOrComplete(group, `${instance} changes the protocol`), promise)

  const { logger } = context.shard
  return {
    records: [groupMetadata(group)],
    replays: false,
    response: promise,
    settled: (error) => {
      // A rebalance that has begun meanwhile answers it, or another one has taken its place.
      const isCurrent = group.members.get(newMemberId) === member
      if (!isCurrent || group.state !== 'Stable') return
      if (error === null) {
        const skips = client.apiVersion >= firstVersionWithSkippedAssignment
        const whole = joined(group, newMemberId, { skipAssignment: skips && group.isLeader(newMemberId) })
        // An older leader is told the leader's former id, and so takes itself for a follower: it must not assign anew.
        group.answerJoin(member, skips ? whole : { ...whole, leader: leaderBefore ?? '', members: [] })
        return
      }
      logger.warn('a static member keeps its old id, as the new one was not written', { group: group.id, error })
      group.answerJoin(member, refusedJoin(error.code))
      const restored = renamed(old, oldMemberId)
      group.replace(newMemberId, restored)
      sessions.end(group, newMemberId)
      sessions.restart(group, restored)
    },
  }
}

function renamed(member: ClassicMember, id: string): ClassicMember {
  const { groupInstanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, protocols, assignment } = member
  return new ClassicMember({
    id,
    groupInstanceId,
    clientId,
    clientHost,
    rebalanceTimeoutMs,
    sessionTimeoutMs,
    protocols,
    assignment,
  })
}
