/** The time within which members of classic groups must be heard of, each by a timer. */
import type { ShardTimers } from '../../runtime/shard-timers.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { ClassicMember } from './classic-member.ts'
import { withResponse, type Consequence } from './consequence.ts'

export class ClassicSessions {
  readonly #timers: ShardTimers
  readonly #expired: (group: ClassicGroup, memberId: string) => Consequence

  /** `expired` may be called for what is no member any more, in a group that is none of the shard any more. */
  constructor(timers: ShardTimers, expired: (group: ClassicGroup, memberId: string) => Consequence) {
    this.#timers = timers
    this.#expired = expired
  }

  restart(group: ClassicGroup, member: ClassicMember): void {
    this.start(group, member.id, member.sessionTimeoutMs)
  }

  /** Also for pending members. In place of a session that runs. */
  start(group: ClassicGroup, memberId: string, timeoutMs: number): void {
    this.#timers.schedule(sessionKey(group.id, memberId), timeoutMs, () =>
      withResponse(this.#expired(group, memberId), undefined),
    )
  }

  end(group: ClassicGroup, memberId: string): void {
    this.#timers.cancel(sessionKey(group.id, memberId))
  }
}

function sessionKey(groupId: string, memberId: string): string {
  return `classic-session\0${groupId}\0${memberId}`
}
