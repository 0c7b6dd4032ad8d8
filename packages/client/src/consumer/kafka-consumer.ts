/** A consumer, as the application sees it. */
import { inspect } from 'node:util'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { checkOffset, checkPartitions } from '../checked-places.ts'
import { partitionName } from '../groups/partition-names.ts'
import type { ClientMetric } from '../observe/metrics.ts'
import { clientInstanceIdOf } from '../observe/telemetry/telemetry-push.ts'
import type { GroupMetadata } from '../producer/producer.ts'
import type { ConsumerRecord, TopicPartition, TopicPartitionOffset } from '../record.ts'
import { closeConsumer, endSubscription, type CloseOptions } from './close-consumer.ts'
import { offsetsOf } from './commits/committable.ts'
import type { Commits } from './commits/commits.ts'
import type { ConsumerCore } from './consumer-core.ts'
import type { AskOptions, Committable, Consumer, ConsumerBatch, ReadOptions, SeekTarget } from './consumer.ts'
import { EARLIEST, LATEST } from './offsets/list-offsets.ts'
import { findOffsets } from './offsets/offset-queries.ts'
import type { AssignedPartition } from './positions/assigned-partition.ts'
import { BatchLoop } from './reading/batch-loop.ts'
import type { LoopReaderOptions } from './reading/loop-reader.ts'
import { RecordLoop } from './reading/record-loop.ts'
import type { RebalanceListener } from './rebalance-listener.ts'
import type { RunOptions } from './run-options.ts'

export interface KafkaConsumerOptions<K, V> {
  readonly core: ConsumerCore<K, V>
  readonly metrics: () => readonly ClientMetric[]
  readonly run: (consumer: Consumer<K, V>, options: RunOptions<K, V>) => Promise<void>
}

export class KafkaConsumer<K, V> implements Consumer<K, V> {
  readonly #core: ConsumerCore<K, V>
  readonly #options: KafkaConsumerOptions<K, V>
  #closing: Promise<void> | null = null

  constructor(options: KafkaConsumerOptions<K, V>) {
    this.#options = options
    this.#core = options.core
  }

  subscribe(topics: readonly string[] | RegExp, listener?: RebalanceListener): void {
    this.#requireOpen()
    const core = this.#core
    if (core.settings.groupId === null)
      throw new TypeError('subscribe needs a groupId; without a group, assign partitions')
    if (core.isAssignedByHand)
      throw new TypeError('this consumer has partitions by assign(); unsubscribe() before it can subscribe')
    const isPattern = topics instanceof RegExp
    if (
      !isPattern &&
      (!Array.isArray(topics) ||
        topics.length === 0 ||
        topics.some((topic) => typeof topic !== 'string' || topic === ''))
    )
      throw new TypeError(
        'subscribe expects a list of topics that is not empty, or a RegExp; unsubscribe() ends a subscription',
      )
    core.subscription = isPattern ? topics : [...topics]
    if (listener !== undefined) core.listener = listener
    for (const partition of core.assignment)
      partition.isUnwanted = !isPattern && !topics.includes(partition.topic) && !core.ownTopics.has(partition.topic)
    core.membership?.subscriptionChanged()
    core.source.wake()
  }

  async unsubscribe(): Promise<void> {
    this.#requireOpen()
    await endSubscription(this.#core)
  }

  assign(partitions: readonly TopicPartition[]): void {
    this.#requireOpen()
    const { subscription, assignment, commits, commitsOnItsOwn, source } = this.#core
    if (subscription !== null)
      throw new TypeError('this consumer has subscribed to topics; unsubscribe() before it can assign partitions')
    checkPartitions(partitions, 'assign')
    this.#core.isAssignedByHand = true
    const wanted = new Set(partitions.map(partitionName))
    const leaving = [...assignment].filter((partition) => !wanted.has(partitionName(partition)))
    if (leaving.length > 0) {
      if (commitsOnItsOwn) commits?.commitSoon(commits.handled())
      for (const partition of leaving) assignment.remove(partition)
      source.reader?.moved(leaving)
      // Assigned again, they are not paused.
      source.reader?.resumed(leaving)
    }
    this.#core.add(partitions, { isWithheld: false })
    if (commitsOnItsOwn) commits?.startAutomatic()
    this.#core.wake()
  }

  subscription(): readonly string[] {
    const { subscription, membership, assignment } = this.#core
    if (subscription === null) return []
    if (!(subscription instanceof RegExp)) return membership?.subscribedTopics ?? subscription
    // A pattern that the coordinator matches is known here by what has come of it.
    return [...new Set([...(membership?.subscribedTopics ?? []), ...assignment.topics()])].toSorted()
  }

  assignment(): readonly TopicPartition[] {
    return [...this.#core.assignment].map(({ topic, partition }) => ({ topic, partition }))
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
    return this.#options.run(this, options)
  }

  async commit(upTo?: Committable<K, V>, { signal }: AskOptions = {}): Promise<void> {
    const commits = this.#requireCommits()
    await this.#core.metrics.commitSync.of(
      commits.commit(upTo === undefined ? commits.handled() : offsetsOf(upTo), { signal }),
    )
  }

  commitAsync(upTo?: Committable<K, V>): void {
    const commits = this.#requireCommits()
    commits.commitSoon(upTo === undefined ? commits.handled() : offsetsOf(upTo))
  }

  async committed(
    partitions: readonly TopicPartition[],
    { signal: ended }: AskOptions = {},
  ): Promise<readonly (TopicPartitionOffset | null)[]> {
    const { groupOffsets, cluster, settings, metrics } = this.#core
    this.#requireUndisposed()
    if (groupOffsets === null) throw new TypeError('committed needs a groupId')
    checkPartitions(partitions, 'committed')
    if (partitions.length === 0) return []
    const asked = new Map(partitions.map((partition) => [partitionName(partition), partition]))
    const found = await metrics.committed.of(
      cluster.withRetries(
        `committed offsets of group ${settings.groupId}`,
        (signal) => groupOffsets.fetch([...asked.values()], signal),
        { signal: ended },
      ),
    )
    return partitions.map((partition) => found.get(asked.get(partitionName(partition))!) ?? null)
  }

  async position(wanted: TopicPartition, { signal }: AskOptions = {}): Promise<bigint> {
    const { assignment, cluster, finder, settings, source } = this.#core
    const { clock } = cluster.world
    const timeoutMs = settings.defaultApiTimeoutMs
    const deadlineMs = clock.monotonicMs() + timeoutMs
    using _awake = cluster.holdProcess()
    for (;;) {
      this.#requireUndisposed()
      signal?.throwIfAborted()
      const partition = assignment.require(wanted)
      if (partition.position !== null) return source.positionIn(wanted) ?? partition.position.offset
      if (clock.monotonicMs() >= deadlineMs)
        throw new KafkaError(
          ErrorCode.REQUEST_TIMED_OUT,
          `the position in ${wanted.topic}-${wanted.partition} could not be found within ${timeoutMs} ms`,
        )
      finder.wake()
      await this.#core.positionChange(deadlineMs - clock.monotonicMs(), signal)
    }
  }

  async seek(target: SeekTarget, partitions: readonly TopicPartition[] = this.assignment()): Promise<void> {
    this.#requireOpen()
    const move = moveTo(target)
    for (const partition of partitions.map((one) => this.#core.assignment.require(one))) move(partition)
    // Not before, as the reader may take more at once.
    this.#core.source.reader?.moved(partitions)
    this.#core.wake()
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions.map((one) => this.#core.assignment.require(one))) partition.isPaused = true
    this.#core.source.reader?.paused(partitions)
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions.map((one) => this.#core.assignment.require(one))) partition.isPaused = false
    this.#core.source.reader?.resumed(partitions)
    this.#core.wake()
  }

  paused(): readonly TopicPartition[] {
    return [...this.#core.assignment]
      .filter(({ isPaused }) => isPaused)
      .map(({ topic, partition }) => ({ topic, partition }))
  }

  currentLag(wanted: TopicPartition): bigint | null {
    const { assignment, settings, source } = this.#core
    return assignment.require(wanted).lag(settings.isolationLevel, source.positionIn(wanted))
  }

  beginningOffsets(
    partitions: readonly TopicPartition[],
    options: AskOptions = {},
  ): Promise<readonly TopicPartitionOffset[]> {
    return this.#ends(partitions, EARLIEST, options)
  }

  endOffsets(
    partitions: readonly TopicPartition[],
    options: AskOptions = {},
  ): Promise<readonly TopicPartitionOffset[]> {
    return this.#ends(partitions, LATEST, options)
  }

  async offsetsForTimes(
    searches: readonly (TopicPartition & { readonly timestamp: number })[],
    options: AskOptions = {},
  ): Promise<readonly (TopicPartitionOffset | null)[]> {
    this.#requireUndisposed()
    checkPartitions(searches, 'offsetsForTimes')
    for (const { topic, partition, timestamp } of searches) checkTime(timestamp, `for ${topic}-${partition}`)
    const queries = searches.map(({ timestamp, ...search }) => ({ ...search, timestamp: BigInt(timestamp) }))
    const found = await this.#find(queries, options)
    return found.map(({ offset, leaderEpoch }, index) =>
      offset < 0n ? null : withEpoch({ ...named(queries[index]!), offset }, leaderEpoch),
    )
  }

  groupMetadata(): GroupMetadata {
    const { groupId, groupInstanceId } = this.#core.settings
    if (groupId === null) throw new TypeError('groupMetadata needs a groupId')
    return this.#core.membership?.metadata ?? { groupId, generationId: -1, memberId: '', groupInstanceId }
  }

  enforceRebalance(reason = 'rebalance enforced by user'): void {
    if (this.#core.settings.groupId === null) throw new TypeError('enforceRebalance needs a groupId')
    this.#core.membership?.enforceRebalance(reason)
  }

  metrics(): readonly ClientMetric[] {
    return this.#options.metrics()
  }

  clientInstanceId({
    timeoutMs = this.#core.settings.defaultApiTimeoutMs,
  }: { readonly timeoutMs?: number } = {}): Promise<string> {
    return clientInstanceIdOf(this.#core.telemetry, timeoutMs)
  }

  close(options: CloseOptions = {}): Promise<void> {
    const { timeoutMs } = options
    if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs >= 0))
      return Promise.reject(
        new RangeError(`close: timeoutMs should be a number from 0 up, but is ${String(timeoutMs)}`),
      )
    this.#closing ??= closeConsumer(this.#core, options)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #loop(signal: AbortSignal | undefined): LoopReaderOptions<K, V> {
    const { source } = this.#core
    const waiting = (): void => {
      this.#core.membership?.handling(null)
      this.#core.membership?.waiting()
      source.idle()
    }
    return { source, signal, waiting }
  }

  async #ends(
    partitions: readonly TopicPartition[],
    timestamp: bigint,
    options: AskOptions,
  ): Promise<readonly TopicPartitionOffset[]> {
    this.#requireUndisposed()
    checkPartitions(partitions, timestamp === LATEST ? 'endOffsets' : 'beginningOffsets')
    const queries = partitions.map(({ topic, partition }) => ({ topic, partition, timestamp }))
    const found = await this.#find(queries, options)
    return found.map(({ offset, leaderEpoch }, index) => withEpoch({ ...named(queries[index]!), offset }, leaderEpoch))
  }

  #find(queries: readonly (TopicPartition & { readonly timestamp: bigint })[], { signal }: AskOptions) {
    const { cluster, settings } = this.#core
    return findOffsets(queries, { cluster, isolationLevel: settings.isolationLevel, signal })
  }

  #requireOpen(): void {
    if (this.#closing !== null) throw new Error('this consumer is closed')
  }

  /** While the consumer closes, listeners and handlers may still ask and commit. */
  #requireUndisposed(): void {
    if (this.#core.cluster.signal.aborted) throw new Error('this consumer is closed')
  }

  #requireCommits(): Commits<K, V> {
    this.#requireUndisposed()
    const { commits } = this.#core
    if (commits === null) throw new TypeError('commit needs a groupId')
    return commits
  }
}

/** @throws TypeError, RangeError for what is no target. */
function moveTo(target: SeekTarget): (partition: AssignedPartition<unknown, unknown>) => void {
  if (typeof target === 'bigint') {
    checkOffset(target, 'be sought')
    return (partition) => partition.moveTo({ offset: target, leaderEpoch: -1 })
  }
  if (target === 'beginning' || target === 'end') return (partition) => partition.resetTo(target)
  if (typeof target !== 'object' || target === null || !('timestamp' in target))
    throw new TypeError(
      `seek expects an offset as a bigint, 'beginning', 'end' or { timestamp }, but got ${inspect(target)}`,
    )
  checkTime(target.timestamp, 'to seek')
  const timestamp = BigInt(target.timestamp)
  return (partition) => partition.resetTo({ timestamp })
}

/** Negative ones stand for the ends of a log in requests. */
function checkTime(timestamp: number, what: string): void {
  if (!Number.isSafeInteger(timestamp))
    throw new TypeError(`the time ${what} should be a whole number of milliseconds, but is ${inspect(timestamp)}`)
  if (timestamp < 0) throw new RangeError(`the time ${what} is ${timestamp}; it cannot be negative`)
}

function named({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}

function withEpoch(place: TopicPartitionOffset, leaderEpoch: number): TopicPartitionOffset {
  return leaderEpoch < 0 ? place : { ...place, leaderEpoch }
}
