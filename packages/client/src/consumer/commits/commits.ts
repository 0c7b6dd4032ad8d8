/**
 * Commits what has been handled: when asked to, every `autoCommitIntervalMs`, and before partitions are given up. One request is under way at a time, so
 * that a later commit is never overtaken by an earlier one; commits without waiting that come meanwhile are made one.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Timer } from '@millrace/runtime'
import type { Cluster } from '../../cluster/cluster.ts'
import { abortable } from '../../cluster/connections.ts'
import { partitionName } from '../../groups/partition-names.ts'
import { channels } from '../../observe/channels.ts'
import type { Metrics } from '../../observe/metrics.ts'
import type { GroupMetadata } from '../../producer/producer.ts'
import type { TopicPartition, TopicPartitionOffset } from '../../record.ts'
import type { Membership } from '../membership.ts'
import type { GroupOffsets } from '../offsets/group-offsets.ts'
import type { ConsumerSettings } from '../options.ts'
import type { Assignment } from '../positions/assignment.ts'

export interface CommitsOptions<K, V> {
  readonly cluster: Cluster
  readonly groupId: string
  readonly groupOffsets: GroupOffsets
  readonly settings: ConsumerSettings
  readonly metrics: Metrics
  readonly assignment: Assignment<K, V>
  /** Null while partitions are not the group's to give. */
  readonly membership: () => Membership | null
  /** Has the reader tell what is handled. */
  readonly report: () => void
  readonly onCommitted: (offsets: readonly TopicPartitionOffset[]) => void
  /** What went wrong where nobody waits. */
  readonly onTrouble: (error: Error) => void
}

export interface CommitOptions {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
}

/** Answers that the membership has to know of. */
const membershipErrors = new Set<number>([
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.STALE_MEMBER_EPOCH,
  ErrorCode.FENCED_MEMBER_EPOCH,
  ErrorCode.FENCED_INSTANCE_ID,
])

export class Commits<K, V> {
  readonly #options: CommitsOptions<K, V>
  /** Settles when what was begun before is done. */
  #last: Promise<void> = Promise.resolve()
  /** Of commits without waiting since the last that is waited for, not sent yet: by partition and topic. */
  #waiting = new Map<string, TopicPartitionOffset>()
  /** Whether the application has asked for any of them. */
  #isAsked = false
  #isSending = false
  #timer: Timer | null = null
  #isClosed = false
  readonly #latency
  readonly #count

  constructor(options: CommitsOptions<K, V>) {
    this.#options = options
    const group = 'consumer-coordinator-metrics'
    this.#latency = options.metrics.distribution({ group, name: 'commit-latency' })
    this.#count = options.metrics.meter({ group, name: 'commit' })
  }

  /** What is handled and not committed. */
  handled(): TopicPartitionOffset[] {
    this.#options.report()
    const offsets: TopicPartitionOffset[] = []
    for (const { topic, partition, handled, committedOffset } of this.#options.assignment) {
      if (handled === null || handled.offset === committedOffset) continue
      const { offset, leaderEpoch } = handled
      offsets.push(leaderEpoch < 0 ? { topic, partition, offset } : { topic, partition, offset, leaderEpoch })
    }
    return offsets
  }

  /** Repeats what fails for a passing reason. @throws KafkaError */
  commit(offsets: readonly TopicPartitionOffset[], options: CommitOptions = {}): Promise<void> {
    const { cluster, groupId } = this.#options
    const before = this.#last
    const sent = abortable(before, options.signal).then(() =>
      offsets.length === 0
        ? undefined
        : cluster.withRetries(`commit of group ${groupId}`, (signal) => this.#once(offsets, signal), options),
    )
    this.#last = sent.catch(noop).then(() => before)
    // What comes without waiting from now on goes after it.
    this.#waiting = new Map()
    this.#isSending = false
    return sent
  }

  /** One attempt, soon; what comes meanwhile goes with the next. */
  commitSoon(offsets: readonly TopicPartitionOffset[]): void {
    this.#isAsked = true
    this.#send(offsets)
  }

  /** Commits what is handled from time to time from now on. */
  startAutomatic(): void {
    if (this.#timer !== null || this.#isClosed) return
    const { cluster, settings } = this.#options
    const next = (): void => {
      this.#timer = cluster.world.clock.after(settings.autoCommitIntervalMs, () => {
        if (this.#isClosed) return
        if (this.#mayCommit) this.#send(this.handled())
        next()
      })
    }
    next()
  }

  /** Resolves when every commit that was asked for has been answered, at the latest after `timeoutMs`. */
  async settled({ timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    const { promise: timeout, resolve } = Promise.withResolvers<void>()
    const timer = this.#options.cluster.world.clock.after(timeoutMs, resolve)
    await Promise.race([this.#last, timeout])
    timer.cancel()
  }

  /** What is handled of these partitions, before they are given up. Never rejects: what cannot be committed is read again by the next owner. */
  async commitBeforeLeaving(partitions: readonly TopicPartition[], options: CommitOptions): Promise<void> {
    const names = new Set(partitions.map(partitionName))
    try {
      await this.commit(
        this.handled().filter((one) => names.has(partitionName(one))),
        options,
      )
    } catch (error) {
      this.#options.onTrouble(error as Error)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#waiting.clear()
  }

  #send(offsets: readonly TopicPartitionOffset[]): void {
    for (const one of offsets) this.#waiting.set(partitionName(one), one)
    if (this.#isSending || this.#waiting.size === 0) return
    this.#isSending = true
    const waiting = this.#waiting
    this.#last = this.#last.then(async () => {
      while (waiting.size > 0) await this.#sendWaiting(waiting)
      if (this.#waiting === waiting) this.#isSending = false
    })
  }

  get #mayCommit(): boolean {
    const membership = this.#options.membership()
    return membership === null || isMember(membership.metadata)
  }

  async #sendWaiting(waiting: Map<string, TopicPartitionOffset>): Promise<void> {
    const { cluster, groupId, settings, onTrouble } = this.#options
    const offsets = [...waiting.values()]
    const isAsked = this.#isAsked
    waiting.clear()
    this.#isAsked = false
    try {
      await this.#once(offsets, cluster.signal)
    } catch (error) {
      // The next of the automatic commits makes up for one that failed for a passing reason.
      // So it is with one that met a rebalance: of partitions that are lost the listener is told.
      const isPassing = error instanceof KafkaError && !isAsked && (error.retriable || membershipErrors.has(error.code))
      if (isPassing) settings.logger.info('an automatic commit failed, and is tried again', { groupId, error })
      else if (!this.#isClosed) onTrouble(error as Error)
    }
  }

  async #once(offsets: readonly TopicPartitionOffset[], signal: AbortSignal): Promise<void> {
    const { cluster, groupOffsets, settings } = this.#options
    const { clock } = cluster.world
    for (;;) {
      const membership = this.#options.membership()
      const member = this.#member(membership)
      const startMs = clock.monotonicMs()
      try {
        await groupOffsets.commit(offsets, member, signal)
        this.#latency.record(clock.monotonicMs() - startMs)
        this.#count.record()
        this.#committed(offsets)
        return
      } catch (error) {
        this.#tell(offsets, error as Error)
        if (!(error instanceof KafkaError) || membership === null || !membershipErrors.has(error.code)) throw error
        membership.commitRefused(error.code, member)
        // The next heartbeat brings the epoch (KIP-848): the member is in the group all the same.
        if (error.code !== ErrorCode.STALE_MEMBER_EPOCH) throw error
        await clock.sleep(settings.retryBackoffMs, signal)
      }
    }
  }

  #member(membership: Membership | null): GroupMetadata {
    const { groupId } = this.#options
    if (membership === null) return { groupId, generationId: -1, memberId: '', groupInstanceId: null }
    const { metadata } = membership
    if (isMember(metadata)) return metadata
    throw new KafkaError(
      ErrorCode.UNKNOWN_MEMBER_ID,
      `group ${groupId}: the offsets were not committed, as this consumer is not in the group now`,
    )
  }

  #committed(offsets: readonly TopicPartitionOffset[]): void {
    for (const one of offsets) {
      const partition = this.#options.assignment.get(one)
      if (partition !== undefined) partition.committedOffset = one.offset
    }
    this.#options.onCommitted(offsets)
    this.#tell(offsets, null)
  }

  #tell(offsets: readonly TopicPartitionOffset[], error: Error | null): void {
    const { groupId, cluster } = this.#options
    if (channels.commit.hasSubscribers)
      channels.commit.publish({ clientId: cluster.settings.clientId, groupId, offsets, error })
  }
}

function isMember({ memberId, generationId }: GroupMetadata): boolean {
  return memberId !== '' && generationId >= 0
}

function noop(): void {}
