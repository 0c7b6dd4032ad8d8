/** A consumer: what its parts are, and how they hear of each other. The rules are in the parts. */
import { CodecWorker, ErrorCode, KafkaError } from '@millrace/protocol'
import type { Logger } from '@millrace/runtime'
import type { ClientContext } from '../client-context.ts'
import type { ClusterImage } from '../cluster/cluster-image.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { TopicInterest } from '../cluster/metadata.ts'
import { channels } from '../observe/channels.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { ClientMetric } from '../observe/metrics.ts'
import type { GroupMetadata } from '../producer/producer.ts'
import type { ConsumerRecord, TopicPartition, TopicPartitionOffset } from '../record.ts'
import { offsetsOf } from './commits/committable.ts'
import { Commits } from './commits/commits.ts'
import type { Committable, Consumer, ConsumerBatch, ReadOptions, SeekTarget } from './consumer.ts'
import { Fetcher } from './fetch/fetcher.ts'
import { Interceptors } from './interceptors.ts'
import type { Membership, MembershipOwner, Subscription } from './membership.ts'
import { GroupOffsets } from './offsets/group-offsets.ts'
import { EARLIEST, LATEST } from './offsets/list-offsets.ts'
import { findOffsets } from './offsets/offset-queries.ts'
import type { consumerOptions, ConsumerSettings } from './options.ts'
import { applyMetadata } from './partition-leaders.ts'
import { AssignedPartition } from './positions/assigned-partition.ts'
import { Assignment } from './positions/assignment.ts'
import { PositionFinder } from './positions/position-finder.ts'
import { BatchLoop } from './reading/batch-loop.ts'
import { PartitionSource } from './reading/partition-source.ts'
import { RecordLoop } from './reading/record-loop.ts'
import type { RebalanceListener } from './rebalance-listener.ts'
import { Rebalances } from './rebalances.ts'
import type { RecordSource } from './record-source.ts'
import type { FetchedRecords } from './records/fetched-records.ts'
import type { Deserializers } from './records/record-origin.ts'
import type { RunOptions } from './run-options.ts'

/** Kafka's. */
const defaultCloseTimeoutMs = 30_000
/**
 * `close` waits so long for a loop to ask for its next record. Not longer, as it may be the loop's own body that waits for `close`; then the record in hand
 * is not committed.
 */
const loopGraceMs = 1_000

export interface ConsumerParts<K, V> {
  readonly context: ClientContext<typeof consumerOptions>
  readonly deserializers: Deserializers<K, V>
  /** How to be a member of a group. */
  readonly openMembership: (options: {
    readonly cluster: Cluster
    readonly settings: ConsumerSettings & { readonly groupId: string }
    readonly owner: MembershipOwner
  }) => Membership
  readonly run: (source: RecordSource<K, V>, options: RunOptions<K, V>) => Promise<void>
}

export class KafkaConsumer<K, V> implements Consumer<K, V> {
  readonly #parts: ConsumerParts<K, V>
  readonly #settings: ConsumerSettings
  readonly #cluster: Cluster
  readonly #metrics: Metrics
  readonly #logger: Logger
  readonly #assignment = new Assignment<K, V>()
  readonly #codecs: CodecWorker
  readonly #interest: TopicInterest
  readonly #metadataWatch: Disposable
  readonly #source: PartitionSource<K, V>
  readonly #finder: PositionFinder<K, V>
  readonly #fetcher: Fetcher<K, V>
  readonly #groupOffsets: GroupOffsets | null
  readonly #commits: Commits<K, V> | null
  readonly #rebalances: Rebalances<K, V>
  readonly #consumed
  #subscription: Subscription | null
  #listener: RebalanceListener | null
  #isAssignedByHand = false
  #membership: Membership | null = null
  /** Waits for a partition to get a position, or for the consumer to close. */
  readonly #positionWaits = new Set<() => void>()
  #closing: Promise<void> | null = null

  constructor(parts: ConsumerParts<K, V>) {
    const { settings, cluster, metrics } = parts.context
    this.#parts = parts
    this.#settings = settings
    this.#cluster = cluster
    this.#metrics = metrics
    this.#logger = settings.logger
    this.#subscription = settings.topics
    this.#listener = settings.onRebalance
    const { groupId } = settings
    if (groupId === null && settings.enableAutoCommit === true)
      throw new TypeError('kafka.consumer(): enableAutoCommit needs a groupId to commit for')
    this.#codecs = new CodecWorker({ onTrouble: (error) => this.#logger.warn('the codec thread has ended', { error }) })
    const interceptors = new Interceptors(settings.interceptors, this.#logger)
    this.#consumed = metrics.meter({ group: 'consumer-fetch-manager-metrics', name: 'records-consumed' })
    const { signal } = cluster
    this.#source = new PartitionSource({
      clock: cluster.world.clock,
      assignment: this.#assignment,
      maxPollRecords: settings.maxPollRecords,
      intercept: (records) => interceptors.consume(records),
      onAsked: () => this.#asked(),
      polled: () => this.#membership?.polled(),
      onGiven: (records) => this.#given(records),
      onTaken: () => this.#fetcher.wake(),
    })
    this.#groupOffsets = groupId === null ? null : new GroupOffsets(cluster, groupId)
    const onError = (error: Error): void => this.#source.tell(error)
    const onTrouble = (error: Error): void => this.#troubled(error)
    this.#finder = new PositionFinder({
      cluster,
      settings,
      assignment: this.#assignment,
      groupOffsets: this.#groupOffsets,
      signal,
      onPosition: () => this.#positioned(),
      onError,
      onTrouble,
    })
    this.#fetcher = new Fetcher({
      cluster,
      settings,
      assignment: this.#assignment,
      codecs: this.#codecs,
      signal,
      onRecords: () => this.#source.wake(),
      onError,
      onOutOfRange: (partition) => this.#finder.outOfRange(partition),
      onDiverged: (partition, end) => this.#finder.diverged(partition, end),
    })
    this.#commits =
      groupId === null || this.#groupOffsets === null
        ? null
        : new Commits({
            cluster,
            groupId,
            groupOffsets: this.#groupOffsets,
            settings,
            metrics,
            assignment: this.#assignment,
            membership: () => this.#membership,
            report: () => this.#source.reader?.report?.(),
            onCommitted: (offsets) => interceptors.committed(offsets),
            onTrouble,
          })
    this.#rebalances = new Rebalances({
      cluster,
      settings,
      assignment: this.#assignment,
      source: this.#source,
      automaticCommits: settings.enableAutoCommit === false ? null : this.#commits,
      subscription: () => this.#subscription ?? [],
      listener: () => this.#listener,
      add: (partitions) => this.#add(partitions, true),
      onReadable: () => this.#wakeAll(),
      onTrouble,
      onFailure: (error) => this.#source.fail(error),
    })
    this.#interest = cluster.metadata.watch()
    this.#metadataWatch = cluster.metadata.onChange((image) => this.#metadataChanged(image))
  }

  subscribe(topics: readonly string[] | RegExp, listener?: RebalanceListener): void {
    this.#requireOpen()
    if (this.#settings.groupId === null)
      throw new TypeError('subscribe needs a groupId; without a group, assign partitions')
    if (this.#isAssignedByHand)
      throw new TypeError('this consumer has partitions by assign(); unsubscribe() before it can subscribe')
    if (
      !(topics instanceof RegExp) &&
      (topics.length === 0 || topics.some((topic) => typeof topic !== 'string' || topic === ''))
    )
      throw new TypeError(
        'subscribe expects a list of topics that is not empty, or a RegExp; to end a subscription there is unsubscribe()',
      )
    this.#subscription = topics instanceof RegExp ? topics : [...topics]
    if (listener !== undefined) this.#listener = listener
    if (!(topics instanceof RegExp)) {
      // Nothing more of the others, though they are ours until the group has taken them back.
      for (const partition of this.#assignment) if (!topics.includes(partition.topic)) partition.isWithheld = true
    }
    this.#membership?.subscriptionChanged()
    this.#source.wake()
  }

  async unsubscribe(): Promise<void> {
    this.#requireOpen()
    const membership = this.#membership
    this.#subscription = null
    this.#isAssignedByHand = false
    this.#rebalances.hurry(0, this.#settings.defaultApiTimeoutMs)
    try {
      if (membership !== null) {
        await membership.leave({ leaveGroup: true, signal: AbortSignal.any([this.#cluster.signal]) })
        this.#membership = null
        await membership[Symbol.asyncDispose]()
      } else if (this.#assignment.size > 0) {
        await this.#rebalances.dismissed(this.assignment())
      }
    } finally {
      this.#rebalances.calmDown()
    }
    this.#interest.set([])
  }

  assign(partitions: readonly TopicPartition[]): void {
    this.#requireOpen()
    if (this.#subscription !== null)
      throw new TypeError('this consumer has subscribed to topics; unsubscribe() before it can assign partitions')
    for (const { topic, partition } of partitions)
      if (typeof topic !== 'string' || topic === '' || !Number.isInteger(partition) || partition < 0)
        throw new TypeError('assign expects a list of { topic, partition }')
    this.#isAssignedByHand = true
    const wanted = new Set(partitions.map(({ topic, partition }) => `${partition} ${topic}`))
    const leaving = [...this.#assignment].filter(({ topic, partition }) => !wanted.has(`${partition} ${topic}`))
    if (leaving.length > 0) {
      if (this.#commitsOnItsOwn) this.#commits?.commitSoon(this.#commits.handled())
      this.#source.reader?.moved(leaving)
      for (const partition of leaving) this.#assignment.remove(partition)
    }
    this.#add(partitions, false)
    if (this.#commitsOnItsOwn) this.#commits?.startAutomatic()
    this.#wakeAll()
    this.#source.wake()
  }

  subscription(): readonly string[] {
    if (this.#subscription === null) return []
    if (this.#membership !== null) return this.#membership.subscribedTopics
    return this.#subscription instanceof RegExp ? [] : this.#subscription
  }

  assignment(): readonly TopicPartition[] {
    return [...this.#assignment].map(({ topic, partition }) => ({ topic, partition }))
  }

  [Symbol.asyncIterator](): AsyncIterator<ConsumerRecord<K, V>> {
    return new RecordLoop(this.#loop(undefined))
  }

  records({ signal }: ReadOptions = {}): AsyncIterable<ConsumerRecord<K, V>> {
    return { [Symbol.asyncIterator]: () => new RecordLoop(this.#loop(signal)) }
  }

  batches({ signal }: ReadOptions = {}): AsyncIterable<ConsumerBatch<K, V>> {
    return { [Symbol.asyncIterator]: () => new BatchLoop(this.#loop(signal)) }
  }

  run(options: RunOptions<K, V>): Promise<void> {
    return this.#parts.run(this.#source, options)
  }

  async commit(upTo?: Committable<K, V>, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const commits = this.#requireCommits()
    await commits.commit(upTo === undefined ? commits.handled() : offsetsOf(upTo), { signal })
  }

  commitAsync(upTo?: Committable<K, V>): void {
    const commits = this.#requireCommits()
    commits.commitSoon(upTo === undefined ? commits.handled() : offsetsOf(upTo))
  }

  async committed(partitions: readonly TopicPartition[]): Promise<readonly (TopicPartitionOffset | null)[]> {
    this.#requireOpen()
    const groupOffsets = this.#groupOffsets
    if (groupOffsets === null) throw new TypeError('committed needs a groupId')
    if (partitions.length === 0) return []
    const found = await this.#cluster.withRetries(`committed offsets of group ${this.#settings.groupId}`, (signal) =>
      groupOffsets.fetch(partitions, signal),
    )
    return partitions.map((partition) => found.get(partition) ?? null)
  }

  async position(wanted: TopicPartition): Promise<bigint> {
    this.#requireOpen()
    const { clock } = this.#cluster.world
    const timeoutMs = this.#settings.defaultApiTimeoutMs
    const deadlineMs = clock.monotonicMs() + timeoutMs
    using _awake = this.#cluster.holdProcess()
    for (;;) {
      const partition = this.#assignment.require(wanted)
      if (partition.position !== null) return this.#source.positionIn(wanted) ?? partition.position.offset
      this.#finder.wake()
      await this.#positionChange(deadlineMs - clock.monotonicMs())
      this.#requireOpen()
      if (clock.monotonicMs() >= deadlineMs)
        throw new KafkaError(
          ErrorCode.REQUEST_TIMED_OUT,
          `the position in ${wanted.topic}-${wanted.partition} could not be found within ${timeoutMs} ms`,
        )
    }
  }

  async seek(target: SeekTarget, partitions: readonly TopicPartition[] = this.assignment()): Promise<void> {
    this.#requireOpen()
    if (typeof target === 'bigint' && target < 0n) throw new RangeError(`cannot seek to offset ${target}`)
    const moved = partitions.map((partition) => this.#assignment.require(partition))
    this.#source.reader?.moved(partitions)
    for (const partition of moved) {
      if (typeof target === 'bigint') partition.moveTo({ offset: target, leaderEpoch: -1 })
      else if (typeof target === 'string') partition.resetTo(target)
      else partition.resetTo({ timestamp: BigInt(target.timestamp) })
    }
    this.#wakeAll()
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions.map((one) => this.#assignment.require(one))) partition.isPaused = true
    this.#source.reader?.paused(partitions)
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions.map((one) => this.#assignment.require(one))) partition.isPaused = false
    this.#source.reader?.resumed(partitions)
    this.#wakeAll()
  }

  paused(): readonly TopicPartition[] {
    return [...this.#assignment]
      .filter(({ isPaused }) => isPaused)
      .map(({ topic, partition }) => ({ topic, partition }))
  }

  currentLag(wanted: TopicPartition): bigint | null {
    return this.#assignment.require(wanted).lag(this.#settings.isolationLevel)
  }

  beginningOffsets(partitions: readonly TopicPartition[]): Promise<readonly TopicPartitionOffset[]> {
    return this.#ends(partitions, EARLIEST)
  }

  endOffsets(partitions: readonly TopicPartition[]): Promise<readonly TopicPartitionOffset[]> {
    return this.#ends(partitions, LATEST)
  }

  async offsetsForTimes(
    searches: readonly (TopicPartition & { readonly timestamp: number })[],
  ): Promise<readonly (TopicPartitionOffset | null)[]> {
    this.#requireOpen()
    for (const { topic, partition, timestamp } of searches)
      if (timestamp < 0)
        throw new RangeError(`the time for ${topic}-${partition} is ${timestamp}; it cannot be negative`)
    const queries = searches.map(({ timestamp, ...search }) => ({ ...search, timestamp: BigInt(timestamp) }))
    const found = await this.#find(queries)
    return found.map(({ offset, leaderEpoch }, index) =>
      offset < 0n ? null : withEpoch({ ...named(queries[index]!), offset }, leaderEpoch),
    )
  }

  groupMetadata(): GroupMetadata {
    const { groupId, groupInstanceId } = this.#settings
    if (groupId === null) throw new TypeError('groupMetadata needs a groupId')
    return this.#membership?.metadata ?? { groupId, generationId: -1, memberId: '', groupInstanceId }
  }

  enforceRebalance(reason = 'rebalance enforced by user'): void {
    if (this.#settings.groupId === null) throw new TypeError('enforceRebalance needs a groupId')
    this.#membership?.enforceRebalance(reason)
  }

  metrics(): readonly ClientMetric[] {
    return this.#metrics.all()
  }

  close(options: { readonly timeoutMs?: number; readonly leaveGroup?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(options.timeoutMs ?? defaultCloseTimeoutMs, options.leaveGroup ?? true)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(timeoutMs: number, leaveGroup: boolean): Promise<void> {
    const { clock } = this.#cluster.world
    using _awake = this.#cluster.holdProcess()
    this.#rebalances.hurry(Math.min(loopGraceMs, timeoutMs), timeoutMs)
    this.#source.close()
    for (const wake of this.#positionWaits) wake()
    const late = new AbortController()
    const timer = clock.after(timeoutMs, () =>
      late.abort(new KafkaError(ErrorCode.REQUEST_TIMED_OUT, `close() took longer than ${timeoutMs} ms`)),
    )
    const { promise: timeout, resolve: timedOut } = Promise.withResolvers<void>()
    late.signal.addEventListener('abort', () => timedOut())
    try {
      const membership = this.#membership
      const left =
        membership === null
          ? this.#rebalances.dismissed(this.assignment())
          : membership.leave({ leaveGroup, signal: late.signal })
      await Promise.race([left, timeout])
      left.catch(() => {})
    } catch (error) {
      if (!late.signal.aborted) this.#troubled(error as Error)
    } finally {
      timer.cancel()
    }
    this.#commits?.close()
    this.#fetcher.close()
    this.#metadataWatch[Symbol.dispose]()
    this.#interest[Symbol.dispose]()
    await Promise.all([
      this.#membership?.[Symbol.asyncDispose](),
      this.#codecs[Symbol.asyncDispose](),
      this.#cluster[Symbol.asyncDispose](),
    ])
  }

  get #commitsOnItsOwn(): boolean {
    return this.#settings.enableAutoCommit !== false
  }

  #loop(signal: AbortSignal | undefined) {
    return { source: this.#source, signal, waiting: () => this.#waiting() }
  }

  /** Somebody asks for records: the place where a consumer becomes a member of its group. */
  #asked(): void {
    if (this.#isAssignedByHand || this.#membership !== null) return
    if (this.#subscription === null)
      throw new TypeError('this consumer has nothing to read: subscribe to topics, or assign partitions')
    const { groupId } = this.#settings
    if (groupId === null)
      throw new TypeError(
        'kafka.consumer(): topics need a groupId to share them with; without a group, assign partitions',
      )
    this.#membership = this.#parts.openMembership({
      cluster: this.#cluster,
      settings: { ...this.#settings, groupId },
      owner: this.#rebalances,
    })
    this.#membership.join()
    if (this.#commitsOnItsOwn) this.#commits?.startAutomatic()
  }

  #waiting(): void {
    this.#membership?.handling(null)
    this.#membership?.waiting()
  }

  #given(records: FetchedRecords<K, V>): void {
    this.#consumed.record(records.count)
    this.#membership?.handling(records)
    if (!channels.consumedBatch.hasSubscribers) return
    const { topic, partition, count, firstOffset, lag } = records
    const { clientId, groupId } = this.#settings
    channels.consumedBatch.publish({ clientId, groupId, topic, partition, recordsCount: count, firstOffset, lag })
  }

  /** Those that are not ours yet. */
  #add(partitions: readonly TopicPartition[], isWithheld: boolean): void {
    for (const { topic, partition } of partitions) {
      if (this.#assignment.get({ topic, partition }) !== undefined) continue
      const added = new AssignedPartition<K, V>({ topic, partition, deserializers: this.#parts.deserializers })
      added.isWithheld = isWithheld
      applyMetadata(added, this.#cluster.metadata.image)
      this.#assignment.add(added)
    }
    this.#interest.set(this.#assignment.topics())
  }

  #metadataChanged(image: ClusterImage): void {
    for (const partition of this.#assignment)
      if (!applyMetadata(partition, image) && partition.position !== null) this.#finder.recreated(partition)
    for (const topic of this.#assignment.topics()) {
      const code = image.topicErrors.get(topic)
      if (code === ErrorCode.TOPIC_AUTHORIZATION_FAILED || code === ErrorCode.INVALID_TOPIC_EXCEPTION)
        this.#source.tell(new KafkaError(code, `topic ${topic} cannot be read: ${new KafkaError(code).message}`))
    }
    this.#wakeAll()
  }

  #positioned(): void {
    for (const wake of this.#positionWaits) wake()
    this.#fetcher.wake()
    this.#source.wake()
  }

  #positionChange(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel()
        this.#positionWaits.delete(done)
        resolve()
      }
      const timer = this.#cluster.world.clock.after(Math.max(0, timeoutMs), done)
      this.#positionWaits.add(done)
    })
  }

  #wakeAll(): void {
    this.#finder.wake()
    this.#positioned()
  }

  #troubled(error: Error): void {
    this.#logger.warn('a consumer is in trouble', { groupId: this.#settings.groupId, error })
    try {
      this.#settings.onError?.(error)
    } catch (thrown) {
      this.#logger.warn('onError threw', { error: thrown })
    }
  }

  async #ends(partitions: readonly TopicPartition[], timestamp: bigint): Promise<readonly TopicPartitionOffset[]> {
    this.#requireOpen()
    const queries = partitions.map(({ topic, partition }) => ({ topic, partition, timestamp }))
    const found = await this.#find(queries)
    return found.map(({ offset, leaderEpoch }, index) => withEpoch({ ...named(queries[index]!), offset }, leaderEpoch))
  }

  #find(queries: readonly (TopicPartition & { readonly timestamp: bigint })[]) {
    return findOffsets(queries, { cluster: this.#cluster, isolationLevel: this.#settings.isolationLevel })
  }

  #requireOpen(): void {
    if (this.#closing !== null) throw new Error('this consumer is closed')
  }

  #requireCommits(): Commits<K, V> {
    if (this.#closing !== null && this.#source.reader === null) throw new Error('this consumer is closed')
    if (this.#commits === null) throw new TypeError('commit needs a groupId')
    return this.#commits
  }
}

function named({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}

function withEpoch(place: TopicPartitionOffset, leaderEpoch: number): TopicPartitionOffset {
  return leaderEpoch < 0 ? place : { ...place, leaderEpoch }
}
