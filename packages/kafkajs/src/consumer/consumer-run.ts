/**
 * One run of a KafkaJS consumer: from `run` to `stop`, or until it crashes for good. Reads batches of the client's consumer one after the other; a
 * partition whose batch is being handled is paused meanwhile, so several partitions can be handled at a time.
 */
import type {
  Consumer as ClientConsumer,
  ConsumerBatch,
  Kafka as ClientKafka,
  TopicPartition,
  TopicPartitionOffset as ClientOffset,
} from '@millrace/client'
import { isKafkaJSError } from '../errors.ts'
import type { InstrumentationEvents } from '../events.ts'
import type { Logger } from '../logger.ts'
import { forwardHeartbeats } from '../network-events.ts'
import { pauseMs, type Retry } from '../retry.ts'
import { translateError } from '../translate-error.ts'
import { handleBatch } from './batch-handling.ts'
import { batchFrom } from './batch.ts'
import { openClientConsumer } from './client-consumer.ts'
import type { ConsumerConfig } from './consumer-config.ts'
import { consumerEventNames as names } from './consumer-events.ts'
import { GroupJoin } from './group-join.ts'
import type { ConsumerRunConfig } from './handlers.ts'
import type { PausedPartitions } from './paused-partitions.ts'
import type { SeekTarget } from './places.ts'
import { byTopic, nameOf, ResolvedOffsets } from './resolved-offsets.ts'
import { crashFrom, failureFrom, isWorthRepeating, isWorthRestarting } from './run-failures.ts'

export interface ConsumerRunOptions {
  readonly kafka: ClientKafka
  readonly config: ConsumerConfig & { readonly sessionTimeout: number; readonly heartbeatInterval: number }
  readonly runConfig: ConsumerRunConfig
  /** By topic whether to begin at the beginning. */
  readonly topics: ReadonlyMap<string, boolean>
  readonly paused: PausedPartitions
  readonly retry: Retry
  readonly events: InstrumentationEvents<typeof names>
  readonly logger: Logger
}

type Records = ConsumerBatch<Uint8Array, Uint8Array>

export class ConsumerRun {
  readonly #options: ConsumerRunOptions
  readonly #joined = Promise.withResolvers<void>()
  readonly #stopping = new AbortController()
  readonly #offsets = new ResolvedOffsets()
  readonly #join = new GroupJoin()
  /** Handlers at work, by partition. They never reject. */
  readonly #handling = new Map<string, Promise<void>>()
  /** Batches of these partitions are stale: sought away from, or being taken away. Counted, as it may happen during the next batch too. */
  readonly #moves = new Map<string, number>()
  /** Where the program wants to go on in partitions that are not assigned yet. */
  readonly #seeks = new Map<string, { readonly place: TopicPartition; readonly target: SeekTarget }>()
  readonly ended: Promise<void>
  #consumer: ClientConsumer<Uint8Array, Uint8Array>
  #failure: Error | null = null
  #lastCommitMs = Date.now()
  #isRunning = true

  constructor(options: ConsumerRunOptions) {
    this.#options = options
    this.#consumer = this.#open()
    const stopForwarding = forwardHeartbeats(options.config.groupId, (memberId) => this.#heartbeat(memberId))
    this.ended = this.#run().finally(stopForwarding)
  }

  /** Resolves with the first assignment, or the first crash: what comes of that is told by events, as with KafkaJS. */
  get joined(): Promise<void> {
    return this.#joined.promise
  }

  assignment(): readonly TopicPartition[] {
    return this.#consumer.assignment()
  }

  /** Finishes what is being handled, commits, and leaves the group. */
  async stop(): Promise<void> {
    this.#isRunning = false
    this.#stopping.abort()
    await this.ended
  }

  seek({ topic, partition }: TopicPartition, target: SeekTarget): void {
    const place = { topic, partition }
    this.#moved([place])
    this.#seeks.set(nameOf(place), { place, target })
    if (this.#isAssigned(place)) void this.#applySeeks().catch((error: unknown) => this.#background(error))
  }

  applyPauses(): void {
    for (const partition of this.assignment()) {
      const name = nameOf(partition)
      if (this.#options.paused.has(partition) || (this.#isConcurrent && this.#handling.has(name)))
        this.#consumer.pause([partition])
      else this.#consumer.resume([partition])
    }
  }

  async commitGiven(offsets: readonly ClientOffset[]): Promise<void> {
    await this.#commit(offsets)
  }

  get #isConcurrent(): boolean {
    return this.#concurrency > 1
  }

  get #concurrency(): number {
    return Math.max(1, this.#options.runConfig.partitionsConsumedConcurrently ?? 1)
  }

  /** Reads until stopped, beginning anew after failures as often as the program wants. */
  async #run(): Promise<void> {
    const { retry, logger, config, events } = this.#options
    events.emit(names.CONNECT)
    for (let attempt = 1; this.#isRunning;) {
      const failure = await this.#readUntilFailure(() => {
        attempt = 1
      })
      if (failure === null) break
      if (isWorthRepeating(failure) && attempt <= retry.retries) {
        logger.debug('Error while handling messages, trying again', { error: failure.message, retryCount: attempt })
        await this.#pause(pauseMs(attempt++, retry))
        continue
      }
      const crash = crashFrom(failure, { retryCount: attempt - 1, retryTime: pauseMs(attempt, retry) })
      logger.error(`Crash: ${crash.name}: ${crash.message}`, { groupId: config.groupId, stack: crash.stack })
      await this.#consumer.close().catch((error: unknown) => this.#background(error))
      events.emit(names.STOP)
      events.emit(names.DISCONNECT)
      const restart = isWorthRestarting(crash) && (await this.#mayRestart(crash))
      events.emit(names.CRASH, { error: crash, groupId: config.groupId, restart })
      this.#joined.resolve()
      if (!restart || !this.#isRunning) {
        this.#isRunning = false
        return
      }
      const { retryTime = retry.initialRetryTime } = crash as { retryTime?: number }
      logger.error(`Restarting the consumer in ${Math.round(retryTime)}ms`, { groupId: config.groupId })
      await this.#pause(retryTime)
      attempt = 1
      events.emit(names.CONNECT)
      this.#consumer = this.#open()
    }
    await this.#consumer.close().catch((error: unknown) => this.#background(error))
    this.#joined.resolve()
  }

  /** Null when stopped. */
  async #readUntilFailure(progressed: () => void): Promise<Error | null> {
    const { events } = this.#options
    this.#failure = null
    const interrupted = new AbortController()
    this.#interrupt = () => interrupted.abort()
    try {
      let startedMs = Date.now()
      events.emit(names.FETCH_START, { nodeId: -1 })
      for await (const records of this.#consumer.batches({
        signal: AbortSignal.any([this.#stopping.signal, interrupted.signal]),
      })) {
        events.emit(names.FETCH, { numberOfBatches: 1, duration: Date.now() - startedMs, nodeId: -1 })
        await this.#begin(records, progressed)
        if (this.#failure !== null) break
        startedMs = Date.now()
        events.emit(names.FETCH_START, { nodeId: -1 })
      }
    } catch (error) {
      this.#failure ??= failureFrom(error)
    } finally {
      await Promise.all(this.#handling.values())
    }
    await this.#autoCommit().catch((error: unknown) => this.#background(error))
    return this.#isRunning ? this.#failure : null
  }

  #interrupt: () => void = () => {}

  /** Hands the batch to its handler; waits for it when no further one may be at work. */
  async #begin(records: Records, progressed: () => void): Promise<void> {
    const partition = { topic: records.topic, partition: records.partition }
    const name = nameOf(partition)
    const work = this.#handle(records).then(
      () => progressed(),
      (error: unknown) => {
        this.#failure ??= failureFrom(error)
        this.#interrupt()
      },
    )
    this.#handling.set(name, work)
    if (this.#isConcurrent) this.#consumer.pause([partition])
    const done = work.finally(() => {
      this.#handling.delete(name)
      if (this.#isConcurrent && this.#isAssigned(partition)) this.applyPauses()
    })
    if (!this.#isConcurrent) await done
    else if (this.#handling.size >= this.#concurrency) await Promise.race(this.#handling.values())
  }

  async #handle(records: Records): Promise<void> {
    const { events, runConfig, logger } = this.#options
    const batch = batchFrom(records)
    const partition = { topic: batch.topic, partition: batch.partition }
    const moves = this.#moves.get(nameOf(partition)) ?? 0
    const isStale = (): boolean => (this.#moves.get(nameOf(partition)) ?? 0) !== moves
    const told = {
      ...partition,
      highWatermark: batch.highWatermark,
      offsetLag: batch.offsetLag(),
      offsetLagLow: batch.offsetLagLow(),
      batchSize: batch.messages.length,
      firstOffset: batch.firstOffset(),
      lastOffset: batch.lastOffset(),
    }
    const startedMs = Date.now()
    events.emit(names.START_BATCH_PROCESS, told)
    try {
      await handleBatch(batch, runConfig, {
        end: records.end.offset,
        isStale,
        isRunning: () => this.#isRunning,
        isPaused: () => this.#options.paused.has(partition),
        pause: () => this.#pausePartition(partition),
        resolve: (next) => this.#offsets.resolve(partition, next, records.firstOffset),
        commitIfDue: () => this.#commitIfDue(),
        commit: (offsets) => this.#commit(offsets),
        uncommitted: () => this.#offsets.uncommitted(),
      })
    } catch (error) {
      if (!isKafkaJSError(error)) {
        logger.error(`Error when calling ${runConfig.eachMessage === undefined ? 'eachBatch' : 'eachMessage'}`, {
          ...partition,
          stack: error instanceof Error ? error.stack : undefined,
          error,
        })
      }
      // Before the commit, which may fail as well: the rest of the batch comes again in any case.
      if (!isStale()) await this.#goBack(records)
      await this.#autoCommit().catch((commitError: unknown) => this.#background(commitError))
      throw error
    }
    events.emit(names.END_BATCH_PROCESS, { ...told, duration: Date.now() - startedMs })
    if (!isStale()) await this.#goBack(records)
    await this.#autoCommit()
  }

  /** To where the batch is resolved, when that is not its end: the rest comes again. */
  async #goBack(records: Records): Promise<void> {
    const partition = { topic: records.topic, partition: records.partition }
    const resolved = this.#offsets.resolvedOf(partition) ?? records.firstOffset
    const next = resolved < records.firstOffset ? records.firstOffset : resolved
    if (next < records.end.offset && this.#isAssigned(partition)) await this.#consumer.seek(next, [partition])
  }

  #pausePartition({ topic, partition }: TopicPartition): () => void {
    const selection = [{ topic, partitions: [partition] }]
    const { paused } = this.#options
    paused.pause(selection)
    this.applyPauses()
    return () => {
      paused.resume(selection)
      this.applyPauses()
    }
  }

  async #commitIfDue(): Promise<void> {
    const { autoCommitInterval = null, autoCommitThreshold = null } = this.#options.runConfig
    const isDue = autoCommitInterval !== null && Date.now() >= this.#lastCommitMs + autoCommitInterval
    const isMuch = autoCommitThreshold !== null && this.#offsets.uncommittedCount >= autoCommitThreshold
    if (isDue || isMuch) await this.#commit(this.#offsets.uncommitted())
  }

  async #autoCommit(): Promise<void> {
    if (this.#options.runConfig.autoCommit !== false) await this.#commit(this.#offsets.uncommitted())
  }

  async #commit(offsets: readonly ClientOffset[]): Promise<void> {
    this.#lastCommitMs = Date.now()
    if (offsets.length === 0) return
    await this.#consumer.commit(offsets)
    this.#offsets.committed(offsets)
    const { groupId, memberId, generationId } = this.#consumer.groupMetadata()
    this.#options.events.emit(names.COMMIT_OFFSETS, {
      groupId,
      memberId,
      groupGenerationId: generationId,
      ...byTopic(offsets),
    })
  }

  async #applySeeks(): Promise<void> {
    for (const [name, { place, target }] of this.#seeks) {
      if (!this.#isAssigned(place)) continue
      this.#seeks.delete(name)
      await this.#consumer.seek(target, [place])
      this.#offsets.resolve(place, typeof target === 'bigint' ? target : await this.#consumer.position(place))
    }
    // Not waited for: it may be refused, and nobody could help it.
    void this.#autoCommit().catch((error: unknown) => this.#background(error))
  }

  async #assigned(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#beginWhereWanted(partitions)
    await this.#applySeeks()
    this.applyPauses()
    const { groupId, memberId } = this.#consumer.groupMetadata()
    const memberAssignment: Record<string, number[]> = {}
    for (const { topic, partition } of this.assignment()) (memberAssignment[topic] ??= []).push(partition)
    const join = this.#join.toldBy(memberId)
    this.#options.events.emit(names.GROUP_JOIN, { groupId, memberId, memberAssignment, ...join })
    this.#joined.resolve()
  }

  /** `offsetReset` is one for all topics; those subscribed to from the beginning while others are not need help. */
  async #beginWhereWanted(partitions: readonly TopicPartition[]): Promise<void> {
    if (this.#offsetReset === 'earliest') return
    const early = partitions.filter(({ topic }) => this.#options.topics.get(topic) === true)
    if (early.length === 0) return
    const committed = await this.#consumer.committed(early)
    const fresh = early.filter((_, index) => committed[index] === null)
    if (fresh.length > 0) await this.#consumer.seek('beginning', fresh)
  }

  get #offsetReset(): 'earliest' | 'latest' {
    return [...this.#options.topics.values()].every(Boolean) ? 'earliest' : 'latest'
  }

  async #revoked(partitions: readonly TopicPartition[], canCommit: boolean): Promise<void> {
    const { groupId, memberId } = this.#consumer.groupMetadata()
    if (partitions.length > 0 && this.#isRunning) this.#options.events.emit(names.REBALANCING, { groupId, memberId })
    this.#moved(partitions)
    for (const partition of partitions) await this.#handling.get(nameOf(partition))
    if (canCommit) await this.#autoCommit().catch((error: unknown) => this.#background(error))
    this.#offsets.forget(partitions)
  }

  #moved(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const name = nameOf(partition)
      this.#moves.set(name, (this.#moves.get(name) ?? 0) + 1)
    }
  }

  #isAssigned({ topic, partition }: TopicPartition): boolean {
    return this.assignment().some((one) => one.topic === topic && one.partition === partition)
  }

  #open(): ClientConsumer<Uint8Array, Uint8Array> {
    const { kafka, config, topics, retry, logger } = this.#options
    return openClientConsumer({
      kafka,
      config,
      topics: [...topics.keys()],
      offsetReset: this.#offsetReset,
      retry,
      logger,
      join: this.#join,
      onRebalance: {
        onAssigned: (partitions) => this.#assigned(partitions),
        onRevoked: (partitions) => this.#revoked(partitions, true),
        onLost: (partitions) => this.#revoked(partitions, false),
      },
      onError: (error) => this.#background(error),
    })
  }

  async #mayRestart(crash: Error): Promise<boolean> {
    const { restartOnFailure } = this.#options.retry
    if (restartOnFailure === undefined) return true
    try {
      return await restartOnFailure(crash)
    } catch (error) {
      this.#options.logger.error(
        'Caught error when invoking user-provided "restartOnFailure" callback. Defaulting to restarting.',
        { error: translateError(error).message, cause: crash.message },
      )
      return true
    }
  }

  #heartbeat(memberId: string): void {
    const { groupId, memberId: own, generationId: groupGenerationId } = this.#consumer.groupMetadata()
    if (memberId === own) this.#options.events.emit(names.HEARTBEAT, { groupId, memberId, groupGenerationId })
  }

  /** Ends early when stopped. */
  #pause(ms: number): Promise<void> {
    const { signal } = this.#stopping
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        resolve()
      }
      const timer = setTimeout(end, ms)
      signal.addEventListener('abort', end)
    })
  }

  #background(error: unknown): void {
    const { message } = translateError(error)
    this.#options.logger.warn(message, { groupId: this.#options.config.groupId })
  }
}
