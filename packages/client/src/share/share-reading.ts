/**
 * What a share consumer reads and holds: assigned partitions become wishes to their leaders, their answers become batches, and what the
 * application says of the records goes back to where they were acquired.
 *
 * Records are fetched when somebody waits for them, not ahead: a lock runs from the moment a record is acquired.
 */
import { CodecWorker, ErrorCode, KafkaError } from '@millrace/protocol'
import type { Cluster } from '../cluster/cluster.ts'
import type { TopicInterest } from '../cluster/metadata.ts'
import { RecordOrigin } from '../consumer/records/record-origin.ts'
import type { Deserializer } from '../serde/serde.ts'
import { AcknowledgeType, typeOf, type AcknowledgementSet } from './acknowledgement-batches.ts'
import { AcquiredRecord, acquiredRecords, type Acquisition } from './acquired-records.ts'
import type { ShareConsumerSettings } from './options.ts'
import type { Acknowledgement, AcknowledgementResult, ShareBatch } from './share-consumer.ts'
import { ShareLeader, type Fetched, type ShareLeaderOwner } from './share-leader.ts'
import { keyOf } from './share-request-topics.ts'
import type { ShareMetrics } from './share-metrics.ts'
import type { ShareMembership, ShareMembershipOwner, TopicIdPartition } from './share-membership.ts'

export interface ShareReadingOptions {
  readonly cluster: Cluster
  readonly settings: ShareConsumerSettings
  readonly metrics: ShareMetrics
  readonly openMembership: (owner: ShareMembershipOwner) => ShareMembership
}

/** Records of one partition that were acquired together, or part of them. */
export class AcquiredBatch<K, V> implements ShareBatch<K, V> {
  readonly topic: string
  readonly partition: number
  readonly records: readonly AcquiredRecord<K, V>[]

  constructor(records: readonly AcquiredRecord<K, V>[]) {
    this.records = records
    const { topic, partition } = records[0]!
    this.topic = topic
    this.partition = partition
  }

  get count(): number {
    return this.records.length
  }

  [Symbol.iterator](): Iterator<AcquiredRecord<K, V>> {
    return this.records[Symbol.iterator]()
  }
}

export class ShareReading<K, V> implements ShareLeaderOwner, ShareMembershipOwner, AsyncDisposable {
  readonly #options: ShareReadingOptions
  readonly #membership: ShareMembership
  readonly #interest: TopicInterest
  readonly #metadataChanges: Disposable
  readonly #codecs: CodecWorker
  readonly #leaders = new Map<number, ShareLeader>()
  readonly #origins = new Map<string, RecordOrigin<K, V>>()
  /** Acquired, and not handed out; oldest first. */
  readonly #ready: AcquiredRecord<K, V>[][] = []
  /** Acknowledgements whose outcome is not known. */
  readonly #open = new Map<AcknowledgementSet, Acquisition>()
  #subscription: readonly string[] = []
  #assigned: readonly TopicIdPartition[] = []
  #hasJoined = false
  #isClosed = false
  #failure: Error | null = null
  #demand = 0
  /** With 'record_limit' one broker is fetched from at a time: this one. */
  #turn: ShareLeader | null = null
  #waiting: (() => void) | null = null
  #lockTimeoutMs: number | null = null

  constructor(options: ShareReadingOptions) {
    this.#options = options
    const { metadata } = options.cluster
    const { logger } = options.settings
    this.#codecs = new CodecWorker({ onTrouble: (error) => logger.warn('the codec thread has ended', { error }) })
    this.#interest = metadata.watch()
    this.#metadataChanges = metadata.onChange(() => this.#distribute())
    this.#membership = options.openMembership(this)
  }

  get subscription(): readonly string[] {
    return this.#subscription
  }

  get demand(): number {
    return this.#demand
  }

  get lockTimeoutMs(): number | null {
    return this.#lockTimeoutMs
  }

  subscribe(topics: readonly string[]): void {
    this.#throwIfOver()
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
    using _awake = this.#options.cluster.holdProcess()
    try {
      for (;;) {
        if (this.#failure !== null) throw this.#failure
        if (this.#isClosed || signal?.aborted === true) return null
        const batch = this.#take(maxRecords)
        if (batch !== null) return batch
        if (!isWaiting) {
          isWaiting = true
          this.#membership.waiting()
        }
        this.#demand = maxRecords
        for (const leader of this.#leaders.values()) leader.wake()
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

  /** Records that were handed out and not begun: they are the next to be handed out. */
  putBack(records: readonly AcquiredRecord<K, V>[]): void {
    if (records.length > 0 && !this.#isClosed) this.#ready.unshift([...records])
  }

  /** @throws Error for a record that is acknowledged already. */
  acknowledge(record: AcquiredRecord<K, V>, acknowledgement: Acknowledgement): void {
    if (record.isAcknowledged)
      throw new Error(`record ${record.topic}-${record.partition} at offset ${record.offset} is acknowledged already`)
    record.isAcknowledged = true
    this.#acknowledge(record.acquisition, [[record.offset, typeOf(acknowledgement)]])
  }

  /** Resolves with the first failure. */
  async renew(records: readonly AcquiredRecord<K, V>[], signal?: AbortSignal): Promise<void> {
    const { clock } = this.#options.cluster.world
    const sets = new Set<AcknowledgementSet>()
    for (const record of records) {
      if (record.isAcknowledged)
        throw new Error(`record ${record.topic}-${record.partition} at offset ${record.offset} is acknowledged already`)
      sets.add(this.#acknowledge(record.acquisition, [[record.offset, AcknowledgeType.renew]]))
    }
    const askedAtMs = clock.monotonicMs()
    for (const leader of this.#leaders.values()) leader.flush()
    const outcomes = await this.#until(Promise.all([...sets].map((set) => set.settled)), signal)
    const failure = outcomes.find((outcome) => outcome !== null)
    if (failure !== undefined) throw failure
    const lockedUntilMs = askedAtMs + (this.#lockTimeoutMs ?? 0)
    for (const record of records) record.lockedUntilMs = Math.max(record.lockedUntilMs, lockedUntilMs)
  }

  async commit(signal?: AbortSignal): Promise<readonly AcknowledgementResult[]> {
    using _awake = this.#options.cluster.holdProcess()
    const open = [...this.#open]
    for (const leader of this.#leaders.values()) leader.flush()
    const results = open.map(async ([set, acquisition]) => resultOf(acquisition, set, await set.settled))
    const told = await this.#until(Promise.all(results), signal)
    return told.filter(({ offsets }) => offsets.length > 0)
  }

  commitAsync(): void {
    for (const leader of this.#leaders.values()) leader.flush()
  }

  /** Hands out nothing more. */
  stop(): void {
    this.#isClosed = true
    this.#wake()
  }

  async close(signal: AbortSignal): Promise<void> {
    this.stop()
    this.#metadataChanges[Symbol.dispose]()
    this.#interest[Symbol.dispose]()
    this.#ready.length = 0
    await Promise.all([...this.#leaders.values()].map((leader) => leader.close(signal)))
    try {
      if (this.#hasJoined) await this.#membership.leave({ signal })
    } catch (error) {
      // The coordinator finds out on its own.
      this.#options.settings.logger.warn(`could not leave the share group: ${(error as Error).message}`)
    } finally {
      await this.#membership[Symbol.asyncDispose]()
      await this.#codecs[Symbol.asyncDispose]()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(AbortSignal.abort(new Error('the consumer is closed')))
  }

  // What the membership tells.

  assigned(partitions: readonly TopicIdPartition[]): void {
    this.#assigned = partitions
    this.#distribute()
  }

  troubled(error: Error): void {
    const { onError, logger } = this.#options.settings
    logger.warn(`share consumer: ${error.message}`)
    try {
      onError?.(error)
    } catch (callbackError) {
      logger.error(`onError threw: ${String(callbackError)}`)
    }
  }

  failed(error: Error): void {
    this.#failure ??= explained(error)
    this.#wake()
  }

  // What the leaders tell.

  mayFetch(leader: ShareLeader): boolean {
    if (this.#options.settings.shareAcquireMode === 'batch_optimized') return true
    // A broker that has just been fetched from goes to the end.
    this.#turn ??= [...this.#leaders.values()].find((one) => one.wantsAny) ?? null
    return this.#turn === leader
  }

  answered(answer: Parameters<ShareMetrics['fetched']>[0]): void {
    this.#options.metrics.fetched(answer)
  }

  fetchEnded(leader: ShareLeader): void {
    if (this.#turn !== leader) return
    this.#turn = null
    if (this.#leaders.delete(leader.nodeId)) this.#leaders.set(leader.nodeId, leader)
    for (const other of this.#leaders.values()) if (other !== leader) other.wake()
  }

  /** Never rejects. Returns how many records came. */
  async fetched({ acquisition, bytes, ranges, lockTimeoutMs }: Fetched): Promise<number> {
    const { cluster, settings } = this.#options
    this.#lockTimeoutMs = lockTimeoutMs
    const lockedUntilMs = cluster.world.clock.monotonicMs() + lockTimeoutMs
    try {
      const origin = this.#originOf(acquisition)
      const { records, others, errors } = await acquiredRecords({
        codecs: this.#codecs,
        origin,
        acquisition,
        lockedUntilMs,
        bytes,
        ranges,
        checkCrcs: settings.checkCrcs,
      })
      if (others.size > 0) this.#acknowledge(acquisition, others)
      for (const error of errors) this.troubled(error)
      if (records.length === 0 || this.#isClosed) return 0
      this.#ready.push(records)
      this.#demand = 0
      this.#wake()
      return records.length
    } catch (error) {
      this.failed(error as Error)
      return 0
    }
  }

  settled(acquisition: Acquisition, set: AcknowledgementSet, error: KafkaError | null): void {
    this.#open.delete(set)
    this.#options.metrics.acknowledged(set.types.size, error === null)
    const { onAcknowledged, logger } = this.#options.settings
    if (error !== null) logger.warn(`acknowledgements were not stored: ${error.message}`)
    if (onAcknowledged === null) return
    const result = resultOf(acquisition, set, error)
    if (result.offsets.length === 0) return
    try {
      onAcknowledged([result])
    } catch (callbackError) {
      logger.error(`onAcknowledged threw: ${String(callbackError)}`)
    }
  }

  #acknowledge(acquisition: Acquisition, types: Iterable<readonly [bigint, AcknowledgeType]>): AcknowledgementSet {
    const leader = this.#leaders.get(acquisition.nodeId) ?? this.#openLeader(acquisition.nodeId)
    const set = leader.acknowledge(acquisition, types)
    this.#open.set(set, acquisition)
    void set.settled.then(() => this.#open.delete(set))
    return set
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

  /** Records whose lock has ended, or is gone with the session, are somebody else's by now. */
  #take(maxRecords: number): AcquiredBatch<K, V> | null {
    const nowMs = this.#options.cluster.world.clock.monotonicMs()
    for (;;) {
      const records = this.#ready.shift()
      if (records === undefined) return null
      const locked = records.filter((record) => record.lockedUntilMs > nowMs && this.#isKnown(record.acquisition))
      if (locked.length === 0) continue
      if (locked.length > maxRecords) this.#ready.unshift(locked.splice(maxRecords))
      return new AcquiredBatch(locked)
    }
  }

  /** Whether the session that has the lock goes on, as far as is known. */
  #isKnown({ nodeId, sessionLife }: Acquisition): boolean {
    return this.#leaders.get(nodeId)?.sessionLife === sessionLife
  }

  /** Tells each leader what of the assignment it leads. */
  #distribute(): void {
    if (this.#isClosed) return
    const { metadata } = this.#options.cluster
    const { topics, topicNames, brokers } = metadata.image
    const wanted = new Map<number, Map<string, TopicIdPartition>>()
    for (const partition of this.#assigned) {
      const name = topicNames.get(partition.topicId)
      const leaderId = name === undefined ? -1 : (topics.get(name)?.partitions[partition.partition]?.leaderId ?? -1)
      if (leaderId < 0) {
        metadata.refreshSoon()
        continue
      }
      let ofLeader = wanted.get(leaderId)
      if (ofLeader === undefined) wanted.set(leaderId, (ofLeader = new Map()))
      ofLeader.set(keyOf(partition), partition)
    }
    for (const [nodeId, leader] of this.#leaders) {
      if (brokers.has(nodeId)) continue
      leader.abandon()
      this.#leaders.delete(nodeId)
      if (this.#turn === leader) this.#turn = null
    }
    for (const nodeId of wanted.keys()) if (!this.#leaders.has(nodeId)) this.#openLeader(nodeId)
    for (const [nodeId, leader] of this.#leaders) leader.want(wanted.get(nodeId) ?? new Map())
  }

  #openLeader(nodeId: number): ShareLeader {
    const { cluster, settings } = this.#options
    const leader = new ShareLeader({ nodeId, memberId: this.#membership.memberId, cluster, settings, owner: this })
    this.#leaders.set(nodeId, leader)
    return leader
  }

  #originOf({ topic, partition }: Acquisition): RecordOrigin<K, V> {
    const name = `${topic}-${partition}`
    let origin = this.#origins.get(name)
    if (origin === undefined) {
      const { key, value } = this.#options.settings
      origin = new RecordOrigin(topic, partition, {
        key: key as Deserializer<K> | null,
        value: value as Deserializer<V> | null,
      })
      this.#origins.set(name, origin)
    }
    return origin
  }

  #throwIfOver(): void {
    if (this.#failure !== null) throw this.#failure
    if (this.#isClosed) throw new Error('the share consumer is closed')
  }

  #until<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (signal === undefined) return promise
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(signal.reason as Error)
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort, { once: true })
      promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
    })
  }
}

function resultOf(
  { topic, partition }: Acquisition,
  { types }: AcknowledgementSet,
  error: KafkaError | null,
): AcknowledgementResult {
  // Gaps are nobody's records, and of renewals `renew` tells.
  const offsets = [...types].flatMap(([offset, type]) =>
    type === AcknowledgeType.gap || type === AcknowledgeType.renew ? [] : [offset],
  )
  return { topic, partition, offsets, error }
}

function explained(error: Error): Error {
  if (!(error instanceof KafkaError) || error.code !== ErrorCode.UNSUPPORTED_VERSION) return error
  if (error.message.includes('Kafka 4.2')) return error
  return new KafkaError(
    error.code,
    'the brokers have no share groups: these need Apache Kafka 4.2 (or 4.1 with the feature share.version=1 enabled)',
    { cause: error },
  )
}
