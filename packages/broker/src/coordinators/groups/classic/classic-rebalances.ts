/**
 * How a classic group comes to its next generation: it waits until its members have joined (or have had their time), chooses a protocol and a
 * leader, and answers all. Then it waits for them to ask for their assignments. Source: Kafka's GroupMetadataManager.
 */
import { ErrorCode } from '@millrace/protocol'
import type { GroupShardContext } from '../group-part.ts'
import { joined, refusedSync, synced } from './classic-answers.ts'
import type { ClassicGroup } from './classic-group.ts'
import { noAssignment } from './classic-member.ts'
import type { ClassicSessions } from './classic-sessions.ts'
import { nothing, withResponse, type Consequence } from './consequence.ts'
import { groupMetadata } from './group-metadata.ts'

/** How much longer a first rebalance waits for members that have been given an id. */
const pendingGraceMs = 100
/** For static members that give hardly any time for rebalances: until it is looked again whether they have joined. */
const shortestWaitMs = 1000

export class ClassicRebalances {
  readonly #context: GroupShardContext
  readonly #sessions: ClassicSessions

  constructor(context: GroupShardContext, sessions: ClassicSessions) {
    this.#context = context
    this.#sessions = sessions
  }

  /** A member has come, or has changed. */
  prepareOrComplete(group: ClassicGroup, reason: string): Consequence {
    return group.canRebalance ? this.prepare(group, reason) : this.completeIfAllJoined(group)
  }

  prepare(group: ClassicGroup, reason: string): Consequence {
    // They have to join again.
    if (group.state === 'CompletingRebalance') this.resetAssignments(group, ErrorCode.REBALANCE_IN_PROGRESS)
    this.stopWaitingForSyncs(group)
    const isFirst = group.isEmpty
    group.moveTo('PreparingRebalance', this.#nowMs)
    const { id, generation } = group
    this.#context.shard.logger.info('a group prepares to rebalance', { group: id, generation, reason })
    if (isFirst) {
      this.#beginInitialDelay(group)
      return nothing
    }
    if (group.haveAllJoined) return this.#complete(group)
    this.#completeAfter(group, group.rebalanceTimeoutMs)
    return nothing
  }

  /** The delay of a first rebalance is not cut short: others may be about to come. */
  completeIfAllJoined(group: ClassicGroup): Consequence {
    const isDelayed = group.previousState === 'Empty' && !group.isPastInitialDelay
    const mayComplete = group.state === 'PreparingRebalance' && !isDelayed && group.haveAllJoined
    return mayComplete ? this.#complete(group) : nothing
  }

  /** A member or pending member that was waited for is gone. Unlike the other, this ends the delay of a first rebalance, as in Kafka. */
  memberGone(group: ClassicGroup, reason: string): Consequence {
    if (group.state === 'Stable' || group.state === 'CompletingRebalance') return this.prepareOrComplete(group, reason)
    return this.pendingGone(group)
  }

  pendingGone(group: ClassicGroup): Consequence {
    return group.state === 'PreparingRebalance' && group.haveAllJoined ? this.#complete(group) : nothing
  }

  /** The member has asked for its assignment. */
  hasSynced(group: ClassicGroup, memberId: string): void {
    group.pendingSyncs.delete(memberId)
    if (group.pendingSyncs.size === 0) this.#context.shard.timers.cancel(syncKey(group))
  }

  stopWaitingForSyncs(group: ClassicGroup): void {
    group.pendingSyncs.clear()
    this.#context.shard.timers.cancel(syncKey(group))
  }

  /** The leader's assignments are in the log. */
  propagateAssignments(group: ClassicGroup, assignments: ReadonlyMap<string, Uint8Array>): void {
    group.setAssignments(assignments)
    for (const member of group.members.values())
      if (group.answerSync(member, synced(group, member.assignment)))
        // While it waited its session could not expire, and nothing has restarted it.
        this.#sessions.restart(group, member)
    group.moveTo('Stable', this.#nowMs)
  }

  resetAssignments(group: ClassicGroup, errorCode: number): void {
    for (const member of group.members.values()) {
      member.assignment = noAssignment
      if (group.answerSync(member, refusedSync(errorCode))) this.#sessions.restart(group, member)
    }
  }

  #complete(group: ClassicGroup): Consequence {
    const { timers, logger } = this.#context.shard
    timers.cancel(joinKey(group))
    this.#removeWhoHasNotJoined(group)
    if (!group.electJoinedLeader() && group.members.size > 0) {
      // Only static members are left, and none of them has come. They are waited for until their sessions end.
      logger.warn('a rebalance cannot end, as no member has joined', { group: group.id })
      this.#completeAfter(group, Math.max(group.rebalanceTimeoutMs, shortestWaitMs))
      return nothing
    }
    group.beginGeneration(this.#nowMs)
    const { id, generation } = group
    if (group.isEmpty) {
      logger.info('a group has no members left', { group: id, generation })
      return {
        records: [groupMetadata(group)],
        replays: false,
        // Without it a restart would find the generation before, whose members are gone: they would be given up once more.
        settled: (error) => {
          if (error !== null) logger.warn('an empty generation was not written', { group: id, generation, error })
        },
      }
    }
    logger.info('a group has a new generation', { group: id, generation, members: group.members.size })
    for (const member of group.members.values()) {
      group.answerJoin(member, joined(group, member.id))
      this.#sessions.restart(group, member)
      member.isNew = false
      group.pendingSyncs.add(member.id)
    }
    timers.schedule(syncKey(group), group.rebalanceTimeoutMs, () =>
      withResponse(this.#expireSyncs(group, generation), undefined),
    )
    return nothing
  }

  #removeWhoHasNotJoined(group: ClassicGroup): void {
    const gone = [...group.members.values()].filter((member) => member.awaitingJoin === null && !member.isStatic)
    for (const { id } of gone) {
      group.remove(id)
      this.#sessions.end(group, id)
    }
    if (gone.length > 0)
      this.#context.shard.logger.info('members have not joined in time', {
        group: group.id,
        members: gone.map(({ id }) => id),
      })
  }

  #completeAfter(group: ClassicGroup, delayMs: number): void {
    this.#context.shard.timers.schedule(joinKey(group), delayMs, () =>
      withResponse(
        this.#isCurrent(group) && group.state === 'PreparingRebalance' ? this.#complete(group) : nothing,
        undefined,
      ),
    )
  }

  #beginInitialDelay(group: ClassicGroup): void {
    const delayMs = this.#context.config.get('group.initial.rebalance.delay.ms')
    this.#delay(group, delayMs, Math.max(group.rebalanceTimeoutMs - delayMs, 0))
  }

  /** Again and again while members come, as long as the longest rebalance timeout of the first ones allows. */
  #delay(group: ClassicGroup, delayMs: number, remainingMs: number): void {
    this.#context.shard.timers.schedule(joinKey(group), delayMs, () => {
      if (!this.#isCurrent(group) || group.state !== 'PreparingRebalance') return withResponse(nothing, undefined)
      if (!group.hasGrown || remainingMs === 0) return withResponse(this.#endInitialDelay(group), undefined)
      group.hasGrown = false
      const nextMs = Math.min(this.#context.config.get('group.initial.rebalance.delay.ms'), remainingMs)
      this.#delay(group, nextMs, Math.max(remainingMs - delayMs, 0))
      return withResponse(nothing, undefined)
    })
  }

  /**
   * Who has just been given an id is about to come with it, and would begin another rebalance of all. Kafka does not wait for it: with a
   * short delay, the first generation of a group that starts at once has some of its members, and the second the rest.
   */
  #endInitialDelay(group: ClassicGroup): Consequence {
    if (group.pendingJoins.size === 0) return this.#complete(group)
    group.isPastInitialDelay = true
    this.#completeAfter(group, pendingGraceMs)
    return nothing
  }

  #expireSyncs(group: ClassicGroup, generation: number): Consequence {
    const isAwaited = group.state === 'CompletingRebalance' || group.state === 'Stable'
    if (!this.#isCurrent(group) || generation !== group.generation || !isAwaited) return nothing
    const late = [...group.pendingSyncs]
    if (late.length === 0) return nothing
    for (const memberId of late) {
      group.remove(memberId)
      this.#sessions.end(group, memberId)
    }
    return this.prepare(group, `no SyncGroup in time from ${late.join(', ')}`)
  }

  #isCurrent(group: ClassicGroup): boolean {
    return this.#context.groups.get(group.id) === group
  }

  get #nowMs(): number {
    return this.#context.shard.clock.now()
  }
}

function joinKey(group: ClassicGroup): string {
  return `classic-join\0${group.id}`
}

function syncKey(group: ClassicGroup): string {
  return `classic-sync\0${group.id}`
}
