/** The deadlines of members: who misses one is taken out of its group. */
import type { Clock, Logger } from '@millrace/runtime'
import { answer, type Decision } from '../../runtime/decision.ts'
import type { ShardTimers } from '../../runtime/shard-timers.ts'
import type { Groups } from '../groups.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerMember } from './consumer-member.ts'

export interface MemberTimersOptions {
  readonly timers: ShardTimers
  readonly clock: Clock
  readonly logger: Logger
  readonly groups: Groups
  readonly fence: (group: ConsumerGroup, member: ConsumerMember) => Decision<void>
}

type Deadline = 'session' | 'rebalance' | 'join' | 'sync'

export class MemberTimers {
  readonly #options: MemberTimersOptions

  constructor(options: MemberTimersOptions) {
    this.#options = options
  }

  /** The member lives. */
  sessionGoesOn(groupId: string, memberId: string, timeoutMs: number): void {
    this.#schedule('session', groupId, memberId, timeoutMs, 'its session has expired')
  }

  /** The member has to give up partitions, which takes it on from the epoch it is at. */
  rebalanceBegins(groupId: string, { id, epoch, rebalanceTimeoutMs }: ConsumerMember): void {
    const why = `it has not left epoch ${epoch} within ${rebalanceTimeoutMs} ms`
    this.#schedule('rebalance', groupId, id, rebalanceTimeoutMs, why, (member) => member.epoch === epoch)
  }

  rebalanceEnds(groupId: string, memberId: string): void {
    this.#cancel('rebalance', groupId, memberId)
  }

  /** A member of the classic protocol was told to join again. */
  joinIsDue(groupId: string, { id, rebalanceTimeoutMs }: ConsumerMember): void {
    if (this.#options.timers.has(keyOf('join', groupId, id))) return
    this.#schedule('join', groupId, id, rebalanceTimeoutMs, 'it has not joined again within its rebalance timeout')
  }

  hasJoined(groupId: string, memberId: string): void {
    this.#cancel('join', groupId, memberId)
  }

  /** A member of the classic protocol has joined, and is to ask for its assignment. */
  syncIsDue(groupId: string, memberId: string, timeoutMs: number): void {
    this.#schedule('sync', groupId, memberId, timeoutMs, 'it has not asked for its assignment in time')
  }

  hasSynced(groupId: string, memberId: string): void {
    this.#cancel('sync', groupId, memberId)
  }

  cancelAll(groupId: string, memberId: string): void {
    for (const deadline of ['session', 'rebalance', 'join', 'sync'] as const) this.#cancel(deadline, groupId, memberId)
  }

  #schedule(
    deadline: Deadline,
    groupId: string,
    memberId: string,
    delayMs: number,
    why: string,
    applies: (member: ConsumerMember) => boolean = () => true,
  ): void {
    const { timers, groups, logger, fence } = this.#options
    timers.schedule(keyOf(deadline, groupId, memberId), delayMs, () => {
      const group = groups.get(groupId)
      if (group?.type !== 'consumer') return answer(undefined)
      const member = (group as ConsumerGroup).members.get(memberId)
      if (member === undefined || !applies(member)) return answer(undefined)
      logger.info('a member is taken out of its group', { group: groupId, member: memberId, why })
      return fence(group as ConsumerGroup, member)
    })
  }

  #cancel(deadline: Deadline, groupId: string, memberId: string): void {
    this.#options.timers.cancel(keyOf(deadline, groupId, memberId))
  }
}

function keyOf(deadline: Deadline, groupId: string, memberId: string): string {
  return `consumer-${deadline}\0${groupId}\0${memberId}`
}
