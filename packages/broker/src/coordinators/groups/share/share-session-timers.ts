/** Who is not heard of for too long is taken out of its share group. */
import type { Logger } from '@millrace/runtime'
import { answer, type CoordinatorRecord } from '../../runtime/decision.ts'
import type { ShardTimers } from '../../runtime/shard-timers.ts'
import type { Groups } from '../groups.ts'
import { ShareGroup } from './share-group.ts'
import type { ShareMember } from './share-member.ts'
import type { ShareSettings } from './share-settings.ts'

export interface ShareSessionTimersOptions {
  readonly timers: ShardTimers
  readonly logger: Logger
  readonly groups: Groups
  readonly settings: ShareSettings
  readonly remove: (group: ShareGroup, member: ShareMember) => CoordinatorRecord[]
}

export class ShareSessionTimers {
  readonly #options: ShareSessionTimersOptions

  constructor(options: ShareSessionTimersOptions) {
    this.#options = options
  }

  goesOn(groupId: string, memberId: string): void {
    const { timers, settings, groups, logger, remove } = this.#options
    timers.schedule(keyOf(groupId, memberId), settings.sessionTimeoutMs(groupId), () => {
      const group = groups.get(groupId)
      const member = group instanceof ShareGroup ? group.members.get(memberId) : undefined
      if (member === undefined) return answer(undefined)
      logger.info('a member is taken out of its share group: its session has expired', {
        group: groupId,
        member: memberId,
      })
      return { records: remove(group as ShareGroup, member), response: undefined }
    })
  }

  ends(groupId: string, memberId: string): void {
    this.#options.timers.cancel(keyOf(groupId, memberId))
  }
}

function keyOf(groupId: string, memberId: string): string {
  return `share-session\0${groupId}\0${memberId}`
}
