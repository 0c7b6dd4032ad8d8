/**
 * A member of a group by the classic protocol: all members join, one of them assigns, all take up what they are given. Eager members give up
 * everything before they join; cooperative ones keep it, give up what is taken from them, and join once more (KIP-429).
 *
 * While a join is pending nothing beats, as the coordinator waits anyway; the heart beats from the answer on, also while the application is
 * asked to give up or take over partitions. As Kafka's ConsumerCoordinator and AbstractCoordinator.
 */
import { ErrorCode, KafkaError, type JoinGroup, type Response } from '@millrace/protocol'
import type { Assignor, MemberAssignment } from '../../assignors/assignor.ts'
import { backoffMs } from '../../cluster/backoff.ts'
import { handleFailureOf } from '../../handle-failure.ts'
import type { GroupMetadata } from '../../producer/producer.ts'
import type { TopicPartition } from '../../record.ts'
import type { HeartEvent } from '../heartbeats/heart.ts'
import type { MemberEnvironment, ProtocolMember } from '../member-environment.ts'
import { Nudge } from '../nudge.ts'
import { without } from '../partition-names.ts'
import { CONSUMER_PROTOCOL_TYPE, decodeAssignment } from './consumer-protocol-codec.ts'
import { GroupTopics } from './group-topics.ts'
import { checkProtocol, groupError, joinGroup, syncGroup, type JoinOptions } from './join-group.ts'
import { leadGroup } from './lead-group.ts'
import { chosenAssignor, offeredAssignors, offeredProtocols, type OfferedAssignors } from './offered-assignors.ts'

const NO_GENERATION = -1
const NO_MEMBER = ''
/** Attempts in a row that go without a pause, where the coordinator wants another at once. */
const MOST_HASTY_ATTEMPTS = 3

/** Invariants: one call of the owner at a time, all from `#run` or, when that has ended, `leave`; `#owned` is what the owner was given. */
export class ClassicMember implements ProtocolMember {
  readonly #environment: MemberEnvironment
  readonly #offered: OfferedAssignors
  readonly #groupTopics: GroupTopics
  readonly #stopping = new AbortController()
  readonly #wanting = new Nudge()
  #running: Promise<void> = Promise.resolve()
  #memberId = NO_MEMBER
  #generationId = NO_GENERATION
  #owned: readonly TopicPartition[] = []
  /** Why to join again; null when there is no reason to. */
  #rejoinReason: string | null = ''
  #joinedTopics: readonly string[] = []
  /** The application is to ask for records before the member joins again. */
  #isStale = false
  /** A join is pending: until the answer nobody knows which generation this member is of. */
  #isJoining = false
  /**
   * It has joined, and waits for its assignment. Meanwhile brokers before 2.6 answer heartbeats, and all of them commits, as if another rebalance had
   * begun. If one has, the answer that is awaited says so.
   */
  #isSyncing = false
  #failures = 0

  /** @throws TypeError for assignors that do not go together. */
  constructor(environment: MemberEnvironment) {
    this.#environment = environment
    const { settings, cluster } = environment
    this.#offered = offeredAssignors(settings.partitionAssignmentStrategy)
    this.#groupTopics = new GroupTopics({
      cluster,
      looksAtRacks: settings.clientRack !== '',
      onChange: () => this.#wantToJoin('cached metadata has changed'),
    })
  }

  get metadata(): GroupMetadata {
    const { groupId, settings } = this.#environment
    return {
      groupId,
      generationId: this.#generationId,
      memberId: this.#memberId,
      groupInstanceId: settings.groupInstanceId,
    }
  }

  start(): void {
    this.#wanting.nudge()
    this.#running = this.#run()
  }

  topicsChanged(): void {
    this.#wantToJoin('subscription has changed')
  }

  enforceRebalance(reason: string): void {
    this.#wantToJoin(reason)
  }

  heartEvent(event: HeartEvent): void {
    switch (event.kind) {
      case 'rebalance':
        if (!this.#isSyncing) this.#wantToJoin('group is already rebalancing')
        break
      case 'refused':
        this.#refused(event.code, 'Heartbeat')
        break
      case 'poll-exceeded':
        this.#isStale = true
        this.#reset('consumer poll timeout has expired.', { keepsMemberId: false })
        break
      case 'failed':
        this.#end(new KafkaError(event.code, event.message))
        break
    }
  }

  commitRefused(code: number, sentAs: GroupMetadata): void {
    if (code === ErrorCode.REBALANCE_IN_PROGRESS) {
      if (!this.#isSyncing) this.#wantToJoin('offset commit failed since group is already rebalancing')
    }
    // While joining the coordinator may be a generation ahead of what we know; the answer to the join tells what we are.
    else if (!this.#isJoining && sentAs.generationId === this.#generationId && sentAs.memberId === this.#memberId)
      this.#refused(code, 'OffsetCommit')
  }

  async leave({ leaveGroup }: { readonly leaveGroup: boolean }): Promise<void> {
    const { heart, owner, settings } = this.#environment
    this.#stopping.abort(new Error('the member leaves'))
    await this.#running
    this.#groupTopics[Symbol.dispose]()
    const memberId = this.#memberId
    const isMember = this.#generationId !== NO_GENERATION
    const owned = this.#owned
    this.#owned = []
    try {
      if (owned.length > 0) await (isMember ? owner.revoked(owned) : owner.lost(owned))
    } finally {
      this.#generationId = NO_GENERATION
      this.#memberId = NO_MEMBER
      if (!leaveGroup || memberId === NO_MEMBER) heart.stop()
      else
        await heart.leave({
          memberId,
          protocol: 'classic',
          reason: 'the consumer is being closed',
          isForGood: true,
          timeoutMs: settings.requestTimeoutMs,
        })
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    try {
      for (;;) {
        await this.#wanting.wait(signal)
        while (this.#rejoinReason !== null) await this.#attempt(signal)
      }
    } catch (error) {
      if (!signal.aborted) this.#end(error as Error)
    }
  }

  /** @throws what ends the membership. */
  async #attempt(signal: AbortSignal): Promise<void> {
    try {
      await this.#rejoin(signal)
      this.#failures = 0
    } catch (error) {
      this.#isJoining = false
      this.#isSyncing = false
      signal.throwIfAborted()
      if (!(error instanceof KafkaError)) throw error
      if (error.code !== ErrorCode.MEMBER_ID_REQUIRED) this.#environment.metrics.rebalanceFails()
      const isHasty = this.#understand(error)
      this.#rejoinReason ??= `rebalance failed due to ${error.message}`
      if (!isHasty || ++this.#failures > MOST_HASTY_ATTEMPTS) await this.#pause(signal)
    }
  }

  async #rejoin(signal: AbortSignal): Promise<void> {
    const { groupId, topics, heart, settings, metrics } = this.#environment
    await topics.refresh(signal)
    await this.#prepare(signal)
    const reason = this.#rejoinReason ?? ''
    this.#rejoinReason = null
    this.#joinedTopics = topics.names
    const options = this.#joinOptions(signal)
    const protocols = offeredProtocols(this.#offered, {
      topics: this.#joinedTopics,
      ownedPartitions: this.#owned,
      generationId: this.#generationId,
      rackId: settings.clientRack === '' ? null : settings.clientRack,
    })
    heart.stop()
    metrics.rebalanceBegins()
    this.#isJoining = true
    const joined = await metrics.join(joinGroup(options, { memberId: this.#memberId, protocols, reason }))
    this.#isJoining = false
    this.#check(joined.errorCode, joined.memberId)
    checkProtocol(joined.protocolType, CONSUMER_PROTOCOL_TYPE, 'protocol type')
    this.#memberId = joined.memberId
    this.#generationId = joined.generationId
    this.#isSyncing = true
    heart.beat({
      protocol: 'classic',
      memberId: joined.memberId,
      generationId: joined.generationId,
      heartbeatIntervalMs: settings.heartbeatIntervalMs,
      sessionTimeoutMs: settings.sessionTimeoutMs,
    })
    const assignor = chosenAssignor(this.#offered, joined.protocolName, groupId)
    const assignment = await this.#sync(joined, assignor, options)
    metrics.rebalanceEnds()
    await this.#complete(assignment, assignor)
  }

  /** Before joining: lost is lost; else what has to be given up first. */
  async #prepare(signal: AbortSignal): Promise<void> {
    const { owner, topics, asked } = this.#environment
    if (this.#generationId !== NO_GENERATION) {
      const wanted = new Set(topics.names)
      const isEager = this.#offered.protocol === 'eager'
      const given = isEager ? this.#owned : this.#owned.filter(({ topic }) => !wanted.has(topic))
      await this.#giveUp(given, (revoked) => owner.revoked(revoked))
    }
    // The heart may also have lost the member while the application was giving up.
    if (this.#generationId === NO_GENERATION) await this.#giveUp(this.#owned, (lost) => owner.lost(lost))
    if (this.#isStale) await asked(signal)
    this.#isStale = false
    this.#groupTopics.release()
  }

  async #giveUp(
    partitions: readonly TopicPartition[],
    tell: (partitions: readonly TopicPartition[]) => Promise<void>,
  ): Promise<void> {
    if (partitions.length === 0) return
    this.#owned = without(this.#owned, partitions)
    await tell(partitions)
  }

  async #sync(joined: Response<typeof JoinGroup>, assignor: Assignor, options: JoinOptions): Promise<MemberAssignment> {
    const { protocol } = this.#offered
    const isLeader = joined.leader === joined.memberId
    const assignments = isLeader
      ? await leadGroup(joined, { assignor, protocol, groupTopics: this.#groupTopics, signal: options.signal })
      : []
    const { memberId, generationId } = joined
    const synced = await this.#environment.metrics.sync(
      syncGroup(options, { memberId, generationId, protocolName: assignor.name, assignments }),
    )
    this.#isSyncing = false
    // The heart may have lost the member meanwhile.
    if (this.#generationId !== generationId) throw new KafkaError(ErrorCode.ILLEGAL_GENERATION)
    this.#check(synced.errorCode, memberId)
    checkProtocol(synced.protocolType, CONSUMER_PROTOCOL_TYPE, 'protocol type')
    checkProtocol(synced.protocolName, assignor.name, 'assignor')
    return decodeAssignment(synced.assignment)
  }

  async #complete(assignment: MemberAssignment, assignor: Assignor): Promise<void> {
    const { owner, topics, groupId, settings } = this.#environment
    const generationId = this.#generationId
    const { subscription } = owner
    if (!(subscription instanceof RegExp) && assignment.partitions.some(({ topic }) => !topics.names.includes(topic))) {
      this.#wantToJoin('received assignment does not match the current subscription')
      return
    }
    const added = without(assignment.partitions, this.#owned)
    const taken = without(this.#owned, assignment.partitions)
    if (taken.length > 0) {
      await this.#giveUp(taken, (revoked) => owner.revoked(revoked))
      this.#wantToJoin('need to revoke partitions and re-join')
    }
    // Lost while the application gave up what was taken: whatever was assigned is another's by now.
    if (this.#generationId !== generationId) return
    const member = { groupId, memberId: this.#memberId, groupInstanceId: settings.groupInstanceId, generationId }
    handleFailureOf(assignor.onAssignment?.(assignment, member), (error) => this.#end(error as Error))
    this.#owned = [...assignment.partitions]
    await owner.assigned(added)
    if (topics.names.join('\n') !== this.#joinedTopics.join('\n')) this.#wantToJoin('subscription has changed')
  }

  /** Whether to try again without a pause. @throws `error` when it ends the membership. */
  #understand(error: KafkaError): boolean {
    const { cluster, groupId } = this.#environment
    switch (error.code) {
      case ErrorCode.MEMBER_ID_REQUIRED:
        return true
      case ErrorCode.REBALANCE_IN_PROGRESS:
        return true
      case ErrorCode.UNKNOWN_MEMBER_ID:
        this.#reset(error.message, { keepsMemberId: false })
        return true
      case ErrorCode.ILLEGAL_GENERATION:
        this.#reset(error.message, { keepsMemberId: true })
        return true
      case ErrorCode.NOT_COORDINATOR:
      case ErrorCode.COORDINATOR_NOT_AVAILABLE:
        cluster.coordinatorLost('group', groupId)
        return false
    }
    if (!error.retriable) throw error
    return false
  }

  #check(code: number, memberId: string): void {
    if (code === ErrorCode.NONE) return
    const { groupId, settings } = this.#environment
    if (code === ErrorCode.MEMBER_ID_REQUIRED) {
      this.#memberId = memberId
      this.#rejoinReason = `need to re-join with the given member-id: ${memberId}`
    }
    throw groupError(code, groupId, settings.groupInstanceId)
  }

  /** The coordinator does not know the member as what it is. */
  #refused(code: number, request: string): void {
    const { groupId, settings } = this.#environment
    switch (code) {
      case ErrorCode.UNKNOWN_MEMBER_ID:
      case ErrorCode.ILLEGAL_GENERATION: {
        const keepsMemberId = code === ErrorCode.ILLEGAL_GENERATION
        this.#reset(`encountered ${new KafkaError(code).message} from ${request} response`, { keepsMemberId })
        break
      }
      default:
        this.#end(groupError(code, groupId, settings.groupInstanceId))
    }
  }

  /** What is owned is lost. */
  #reset(reason: string, { keepsMemberId }: { readonly keepsMemberId: boolean }): void {
    this.#generationId = NO_GENERATION
    if (!keepsMemberId) this.#memberId = NO_MEMBER
    this.#wantToJoin(reason)
  }

  #wantToJoin(reason: string): void {
    this.#rejoinReason = reason
    this.#wanting.nudge()
  }

  #joinOptions(signal: AbortSignal): JoinOptions {
    const { cluster, groupId, settings } = this.#environment
    const { groupInstanceId, sessionTimeoutMs, maxPollIntervalMs } = settings
    return { cluster, groupId, groupInstanceId, sessionTimeoutMs, maxPollIntervalMs, signal }
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const { settings, cluster } = this.#environment
    const { retryBackoffMs, retryBackoffMaxMs } = settings
    const { clock, random } = cluster.world
    await clock.sleep(
      backoffMs(Math.max(1, this.#failures), { initialMs: retryBackoffMs, maxMs: retryBackoffMaxMs, random }),
      signal,
    )
  }

  #end(error: Error): void {
    if (this.#stopping.signal.aborted) return
    this.#stopping.abort(error)
    this.#environment.heart.stop()
    this.#generationId = NO_GENERATION
    this.#memberId = NO_MEMBER
    this.#environment.ended(error)
  }
}
