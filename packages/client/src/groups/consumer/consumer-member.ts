/**
 * A member of a group by the consumer protocol (KIP-848): the coordinator assigns, and tells each member in the answers to its heartbeats what
 * to have. The member gives up what it no longer has, says so, and takes what is new; nothing waits for all members. As Kafka's
 * AbstractMembershipManager and ConsumerMembershipManager.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Timer } from '@millrace/runtime'
import { backoffMs } from '../../cluster/backoff.ts'
import type { GroupMetadata } from '../../producer/producer.ts'
import type { TopicPartition } from '../../record.ts'
import { groupError } from '../classic/join-group.ts'
import type { ConsumerVitals, HeartEvent, TopicIdPartitions } from '../heartbeats/heart.ts'
import type { MemberEnvironment, ProtocolMember } from '../member-environment.ts'
import { newMemberId } from '../new-member-id.ts'
import { Nudge } from '../nudge.ts'
import { TopicNames } from './topic-names.ts'

const JOINING = 0
const LEAVING = 'the consumer is being closed'

interface OwnedPartition extends TopicPartition {
  readonly topicId: string
}

/** Invariants: one call of the owner at a time, all from `#run` or, when that has ended, `leave`; `#owned` is what the owner was given. */
export class ConsumerMember implements ProtocolMember {
  readonly #environment: MemberEnvironment
  readonly #names: TopicNames
  readonly #stopping = new AbortController()
  readonly #changing = new Nudge()
  readonly #watch: Disposable
  readonly #memberId: string
  #running: Promise<void> = Promise.resolve()
  #memberEpoch = JOINING
  #owned: readonly OwnedPartition[] = []
  #ownedVersion = 0
  /** What the coordinator wants the member to have; null when that is taken up. */
  #target: readonly TopicIdPartitions[] | null = null
  /** Not a member any more: what is owned is lost. */
  #isFenced = false
  #isStale = false
  #failures = 0
  #lookingAgain: Timer | null = null

  constructor(environment: MemberEnvironment) {
    this.#environment = environment
    const { cluster } = environment
    this.#memberId = newMemberId(cluster.world.random)
    this.#names = new TopicNames(cluster)
    // An id that was unknown may be known now.
    this.#watch = cluster.metadata.onChange(() => {
      if (this.#target !== null) this.#changing.nudge()
    })
  }

  get metadata(): GroupMetadata {
    const { groupId, settings } = this.#environment
    const isMember = this.#memberEpoch > JOINING
    return {
      groupId,
      generationId: isMember ? this.#memberEpoch : -1,
      memberId: isMember ? this.#memberId : '',
      groupInstanceId: settings.groupInstanceId,
    }
  }

  start(): void {
    this.#environment.heart.beat(this.#vitals())
    this.#running = this.#run()
  }

  topicsChanged(): void {
    this.#environment.heart.update(this.#vitals())
  }

  /** The coordinator alone decides. */
  enforceRebalance(): void {}

  heartEvent(event: HeartEvent): void {
    const { owner } = this.#environment
    switch (event.kind) {
      case 'epoch':
        this.#memberEpoch = event.memberEpoch
        if (event.assignment !== null) {
          this.#target = event.assignment
          this.#changing.nudge()
        }
        break
      case 'troubled':
        owner.troubled(new KafkaError(event.code, event.message))
        break
      case 'refused':
        this.#refused(event.code, event.message)
        break
      case 'failed':
        this.#end(new KafkaError(event.code, event.message))
        break
      case 'poll-exceeded':
        this.#isStale = true
        this.#fence()
        break
    }
  }

  commitRefused(code: number, sentAs: GroupMetadata): void {
    // STALE_MEMBER_EPOCH is not for us: the next heartbeat brings the epoch that the commit lacked.
    if (code === ErrorCode.STALE_MEMBER_EPOCH || sentAs.generationId !== this.#memberEpoch) return
    if (code !== ErrorCode.UNKNOWN_MEMBER_ID && code !== ErrorCode.FENCED_MEMBER_EPOCH) return
    this.#environment.heart.stop()
    this.#fence()
  }

  async leave({ leaveGroup }: { readonly leaveGroup: boolean }): Promise<void> {
    const { heart, owner, settings } = this.#environment
    this.#stopping.abort(new Error('the member leaves'))
    await this.#running
    this.#lookingAgain?.cancel()
    this.#watch[Symbol.dispose]()
    this.#names[Symbol.dispose]()
    const owned = this.#owned
    this.#owned = []
    const hasEnded = this.#memberEpoch < JOINING
    const isMember = !hasEnded && !this.#isFenced
    try {
      if (owned.length > 0) await (isMember ? owner.revoked(plain(owned)) : owner.lost(plain(owned)))
    } finally {
      this.#memberEpoch = JOINING
      const isStatic = settings.groupInstanceId !== null
      if (!isMember || (!leaveGroup && !isStatic)) heart.stop()
      else
        await heart.leave({
          memberId: this.#memberId,
          protocol: 'consumer',
          reason: LEAVING,
          isForGood: leaveGroup,
          timeoutMs: settings.requestTimeoutMs,
        })
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    try {
      for (;;) {
        await this.#changing.wait(signal)
        if (this.#isFenced) await this.#joinAgain(signal)
        else if (this.#target !== null) await this.#reconcile(this.#target, signal)
      }
    } catch (error) {
      if (!signal.aborted) this.#end(error as Error)
    }
  }

  async #joinAgain(signal: AbortSignal): Promise<void> {
    const { owner, heart, asked } = this.#environment
    await this.#lose((lost) => owner.lost(lost))
    if (this.#isStale) await asked(signal)
    this.#isStale = false
    this.#isFenced = false
    this.#target = null
    this.#memberEpoch = JOINING
    heart.beat(this.#vitals())
  }

  /** Takes up what the coordinator wants the member to have, as far as the names of the topics are known. */
  async #reconcile(target: readonly TopicIdPartitions[], signal: AbortSignal): Promise<void> {
    const { owner, metrics } = this.#environment
    metrics.rebalanceBegins()
    if (!(await this.#learnNames(target, signal))) return
    // A member no more: what it has is lost, not to be given up.
    if (this.#isFenced) {
      this.#changing.nudge()
      return
    }
    const wanted: OwnedPartition[] = []
    let isComplete = true
    for (const { topicId, partitions } of target) {
      const topic = this.#names.nameOf(topicId)
      if (topic === null) isComplete = false
      else for (const partition of partitions) wanted.push({ topicId, topic, partition })
    }
    const taken = difference(this.#owned, wanted)
    if (taken.length > 0) {
      this.#owned = difference(this.#owned, taken)
      await owner.revoked(plain(taken))
    }
    // Told something newer while the application gave up, or not a member any more: that counts.
    if (this.#target !== target || this.#isFenced) {
      this.#tellOwned()
      this.#changing.nudge()
      return
    }
    const added = difference(wanted, this.#owned)
    this.#owned = wanted
    if (isComplete) {
      this.#target = null
      this.#failures = 0
    } else this.#lookAgain()
    const isNews = isComplete || taken.length > 0 || added.length > 0
    if (isNews) {
      this.#tellOwned()
      await owner.assigned(plain(added))
    }
    if (isComplete) metrics.rebalanceEnds()
    if (this.#isFenced || (this.#target !== null && this.#target !== target)) this.#changing.nudge()
  }

  /** False when the cluster cannot be asked now: tried again after a pause. */
  async #learnNames(target: readonly TopicIdPartitions[], signal: AbortSignal): Promise<boolean> {
    const ids = new Set([...target, ...this.#owned].map(({ topicId }) => topicId))
    try {
      await this.#names.learn([...ids], signal)
      return true
    } catch (error) {
      if (signal.aborted || !(error instanceof KafkaError) || !error.retriable) throw error
      this.#lookAgain()
      return false
    }
  }

  /** The names of some topics are not known yet. */
  #lookAgain(): void {
    if (this.#lookingAgain !== null) return
    const { cluster, settings } = this.#environment
    const { clock, random } = cluster.world
    const { retryBackoffMs, retryBackoffMaxMs } = settings
    const pauseMs = backoffMs(++this.#failures, { initialMs: retryBackoffMs, maxMs: retryBackoffMaxMs, random })
    this.#lookingAgain = clock.after(pauseMs, () => {
      this.#lookingAgain = null
      this.#changing.nudge()
    })
  }

  async #lose(tell: (partitions: readonly TopicPartition[]) => Promise<void>): Promise<void> {
    const owned = this.#owned
    this.#owned = []
    if (owned.length > 0) await tell(plain(owned))
  }

  #tellOwned(): void {
    if (this.#isFenced) return
    this.#ownedVersion++
    this.#environment.heart.update(this.#vitals())
  }

  #vitals(): ConsumerVitals {
    const { settings, topics, pattern } = this.#environment
    const regex = pattern()
    return {
      protocol: 'consumer',
      memberId: this.#memberId,
      memberEpoch: this.#memberEpoch,
      rackId: settings.clientRack === '' ? null : settings.clientRack,
      rebalanceTimeoutMs: settings.maxPollIntervalMs,
      serverAssignor: settings.groupRemoteAssignor,
      topics: regex === null ? topics.names : [],
      regex,
      owned: { version: this.#ownedVersion, partitions: byTopicId(this.#owned) },
    }
  }

  #refused(code: number, message: string): void {
    const { groupId, settings } = this.#environment
    // A group whose last member of this protocol was given up is a classic one by now: it may take the member up again. Kafka's gives up here.
    const isForgotten = code === ErrorCode.GROUP_ID_NOT_FOUND && this.#memberEpoch > JOINING
    if (isForgotten || code === ErrorCode.UNKNOWN_MEMBER_ID || code === ErrorCode.FENCED_MEMBER_EPOCH) this.#fence()
    else {
      const known = groupError(code, groupId, settings.groupInstanceId)
      this.#end(new KafkaError(code, message === '' ? known.message : `${known.message} (${message})`))
    }
  }

  #fence(): void {
    if (this.#target !== null) this.#environment.metrics.rebalanceFails()
    this.#isFenced = true
    this.#memberEpoch = JOINING
    this.#target = null
    this.#changing.nudge()
  }

  #end(error: Error): void {
    if (this.#stopping.signal.aborted) return
    this.#stopping.abort(error)
    this.#environment.heart.stop()
    this.#memberEpoch = -1
    this.#environment.ended(error)
  }
}

/** Topics made anew under the same name are others. */
function difference(partitions: readonly OwnedPartition[], others: readonly OwnedPartition[]): OwnedPartition[] {
  const names = new Set(others.map(nameOf))
  return partitions.filter((partition) => !names.has(nameOf(partition)))
}

function nameOf({ topicId, partition }: OwnedPartition): string {
  return `${topicId}:${partition}`
}

function plain(partitions: readonly OwnedPartition[]): TopicPartition[] {
  return partitions.map(({ topic, partition }) => ({ topic, partition }))
}

function byTopicId(owned: readonly OwnedPartition[]): TopicIdPartitions[] {
  const topics = Map.groupBy(owned, ({ topicId }) => topicId)
  return [...topics].map(([topicId, partitions]) => ({
    topicId,
    partitions: partitions.map(({ partition }) => partition),
  }))
}
