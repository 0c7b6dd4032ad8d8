/** LeaveGroup to classic groups, of any number of members at once. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Decision } from '../../runtime/decision.ts'
import type { LeaveAnswer, LeaveRequest } from './classic-answers.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { ClassicRebalances } from './classic-rebalances.ts'
import type { ClassicSessions } from './classic-sessions.ts'
import { nothing, withResponse, type Consequence } from './consequence.ts'

export type LeavingMember = LeaveRequest['members'][number]

export class ClassicLeaves {
  readonly #sessions: ClassicSessions
  readonly #rebalances: ClassicRebalances

  constructor(sessions: ClassicSessions, rebalances: ClassicRebalances) {
    this.#sessions = sessions
    this.#rebalances = rebalances
  }

  leave(group: ClassicGroup, leaving: readonly LeavingMember[]): Decision<LeaveAnswer> {
    const members = leaving.map((member) => {
      const { memberId, groupInstanceId } = member
      return { memberId, groupInstanceId, errorCode: this.#remove(group, member) }
    })
    const left = members.filter(({ errorCode }) => errorCode === ErrorCode.NONE)
    return withResponse(left.length > 0 ? this.#afterwards(group, left) : nothing, {
      errorCode: ErrorCode.NONE,
      members,
    })
  }

  #remove(group: ClassicGroup, { memberId, groupInstanceId }: LeavingMember): number {
    try {
      this.#removeOne(group, this.#idOf(group, memberId, groupInstanceId))
      return ErrorCode.NONE
    } catch (error) {
      if (error instanceof KafkaError) return error.code
      throw error
    }
  }

  /** An administrator may name a static member by its instance alone. */
  #idOf(group: ClassicGroup, memberId: string, groupInstanceId: string | null): string {
    if (memberId === '') {
      const current = groupInstanceId === null ? undefined : group.staticMemberId(groupInstanceId)
      if (current === undefined) throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)
      return current
    }
    if (!group.pendingJoins.has(memberId)) group.checkMember(memberId, groupInstanceId)
    return memberId
  }

  #removeOne(group: ClassicGroup, memberId: string): void {
    this.#sessions.end(group, memberId)
    group.remove(memberId)
  }

  #afterwards(group: ClassicGroup, left: readonly { readonly memberId: string }[]): Consequence {
    if (group.state === 'PreparingRebalance') return this.#rebalances.completeIfAllJoined(group)
    if (group.state !== 'Stable' && group.state !== 'CompletingRebalance') return nothing
    const names = left.map(({ memberId }) => memberId).join(', ')
    return this.#rebalances.prepareOrComplete(group, `members have left: ${names}`)
  }
}
