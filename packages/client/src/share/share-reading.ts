/**
 * What a share consumer reads: assigned partitions become wishes to their leaders, and what those bring is handed out in batches.
 *
 * Records are fetched when somebody waits for them, not ahead: a lock runs from the moment a record is acquired.
 */
import type { Cluster } from '../cluster/cluster.ts'
import type { TopicInterest } from '../cluster/metadata.ts'
import { listOf, text } from '../config/option.ts'
import { tell } from '../handle-failure.ts'
import { ShareAcknowledgements } from './acknowledgements/share-acknowledgements.ts'
import type { RecordReceiver } from './leaders/broker-link.ts'
import { ShareLeaders } from './leaders/share-leaders.ts'
import type { ShareMembership, ShareMembershipOwner } from './membership/share-membership.ts'
import type { ShareConsumerSettings } from './options.ts'
import type { AcquiredBatch, AcquiredRecord } from './records/acquired-record.ts'
import type { AcquiredPart } from './records/acquisition.ts'
import { AcquisitionReader } from './records/acquisition-reader.ts'
import { ReadyRecords } from './records/ready-records.ts'
import type { ShareMetrics } from './share-metrics.ts'
import type { TopicIdPartition } from './topic-id-partition.ts'

export interface ShareReadingOptions {
  readonly cluster: Cluster
  readonly settings: ShareConsumerSettings
  readonly metrics: ShareMetrics
  readonly openMembership: (owner: ShareMembershipOwner) => ShareMembership
}

export class ShareReading<K, V> implements RecordReceiver, ShareMembershipOwner {
  readonly acknowledgements: ShareAcknowledgements<K, V>
  readonly #options: ShareReadingOptions
  readonly #membership: ShareMembership
  readonly #interest: TopicInterest
  readonly #leaders: ShareLeaders
  readonly #reader: AcquisitionReader<K, V>
  readonly #ready: ReadyRecords<K, V>
  #subscription: readonly string[] = []
  #hasJoined = false
  #isClosed = false
  #failure: Error | null = null
  #demand = 0
  #waiting: (() => void) | null = null

  constructor(options: ShareReadingOptions) {
    this.#options = options
    const { cluster, settings, metrics } = options
    this.#interest = cluster.metadata.watch()
    this.#membership = options.openMembership(this)
    this.acknowledgements = new ShareAcknowledgements({ cluster, settings, metrics, leaders: () => this.#leaders })
    this.#leaders = new ShareLeaders({
      memberId: this.#membership.memberId,
      cluster,
      settings,
      metrics,
      receiver: this,
      outcomes: this.acknowledgements,
    })
    this.#reader = new AcquisitionReader(settings)
    this.#ready = new ReadyRecords((record) => this.isLocked(record))
  }

  get subscription(): readonly string[] {
    return this.#subscription
  }

  subscribe(topics: readonly string[]): void {
    if (this.#failure !== null) throw this.#failure
    if (this.#isClosed) throw new Error('the share consumer is closed')
    // A text would be taken for a list of its letters.
    if (!listOf(text).accepts(topics)) throw new TypeError('subscribe expects a list of topics')
    this.#subscription = [...new Set(topics)]
    this.#interest.set(this.#subscription)
    if (this.#hasJoined) this.#membership.subscriptionChanged()
  }

  /**
   * The next records: up to `maxRecords` of one partition. Null when the signal has aborted, or the consumer is closed.
   * @throws what ended the consumer.
   */
  async next(maxRecords: number, signal?: AbortSignal): Promise<AcquiredBatch<K, V> | null> {
    if (this.#subscription.length === 0 && !this.#isClosed)
      throw new Error('the share consumer is not subscribed to a topic: give `topics`, or call subscribe')
    this.#join()
    this.#membership.polled()
    const wake = (): void => this.#wake()
    signal?.addEventListener('abort', wake, { once: true })
    let isWaiting = false
    const { cluster, metrics } = this.#options
    using _awake = cluster.holdProcess()
    try {
      for (;;) {
        if (this.#failure !== null) throw this.#failure
        if (this.#isClosed || signal?.aborted === true) return null
        const batch = this.#ready.take(maxRecords)
        if (batch !== null) {
          metrics.polls.given(cluster.world.clock.monotonicMs())
          return batch
        }
        if (!isWaiting) {
          isWaiting = true
          metrics.polls.waits()
          this.#membership.waiting()
        }
        this.#demand = maxRecords
        this.#leaders.wake()
        await new Promise<void>((resolve) => {
          this.#waiting = resolve
        })
      }
    } finally {
      this.#demand = 0
      signal?.removeEventListener('abort', wake)
      if (isWaiting) this.#membership.polled()
    }
  }

  polled(): void {
    this.#membership.polled()
  }

  /** Whether the record is still this consumer's: its lock has not ended, nor gone with the session it was acquired in, as far as is known. */
  isLocked({ lockedUntilMs, acquisition }: AcquiredRecord<K, V>): boolean {
    return lockedUntilMs > this.#options.cluster.world.clock.monotonicMs() && this.#leaders.holds(acquisition)
  }

  /** Records that were handed out and not begun: they are the next to be handed out. */
  putBack(records: readonly AcquiredRecord<K, V>[]): void {
    if (!this.#isClosed) this.#ready.putBack(records)
  }

  /** Hands out nothing more. */
  stop(): void {
    this.#isClosed = true
    this.#wake()
  }

  /** Sends the acknowledgements, releases what was not acknowledged, and leaves the group. */
  async close(signal: AbortSignal): Promise<void> {
    this.stop()
    this.#interest[Symbol.dispose]()
    this.#ready.clear()
    await this.#leaders.close(signal)
    try {
      if (this.#hasJoined) await this.#membership.leave({ signal })
    } catch (error) {
      // The coordinator finds out on its own.
      this.#options.settings.logger.warn(`could not leave the share group: ${(error as Error).message}`)
    } finally {
      await this.#membership[Symbol.asyncDispose]()
      await this.#reader[Symbol.asyncDispose]()
    }
  }

  assigned(partitions: readonly TopicIdPartition[]): void {
    this.#leaders.assign(partitions)
  }

  get demand(): number {
    return this.#demand
  }

  async acquired(part: AcquiredPart): Promise<number> {
    try {
      const { records, others, errors } = await this.#reader.read(part)
      if (others.size > 0) this.acknowledgements.acknowledgeOthers(part, others)
      for (const error of errors) this.troubled(error)
      if (records.length === 0 || this.#isClosed) return 0
      this.#ready.add(records)
      this.#demand = 0
      this.#wake()
      return records.length
    } catch (error) {
      this.failed(error as Error)
      return 0
    }
  }

  troubled(error: Error): void {
    const { onError, logger } = this.#options.settings
    logger.warn(`share consumer: ${error.message}`)
    tell('onError', logger, () => onError?.(error))
  }

  failed(error: Error): void {
    this.#failure ??= error
    this.#wake()
  }

  #join(): void {
    if (this.#hasJoined) return
    this.#hasJoined = true
    this.#membership.join()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.()
  }
}
