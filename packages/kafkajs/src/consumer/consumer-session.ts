/**
 * One membership of a KafkaJS consumer's group, with a consumer of the client of its own. Reads batches one after the other; a partition whose batch
 * is being handled is paused meanwhile, so several partitions can be handled at a time. What is not resolved when a handler is done comes again.
 */
import type { ConsumerBatch, Kafka as ClientKafka, TopicPartition, TopicPartitionOffset } from '@millrace/client'
import { isKafkaJSError } from '../errors.ts'
import type { InstrumentationEvents } from '../events.ts'
import type { Logger } from '../logger.ts'
import { forwardHeartbeats } from '../network-events.ts'
import type { Retry } from '../retry.ts'
import { handleBatch } from './batch-handling.ts'
import { batchFrom } from './batch.ts'
import { BatchesInHand } from './batches-in-hand.ts'
import { isAssigned, openClientConsumer, type BytesConsumer } from './client-consumer.ts'
import type { ConsumerConfig } from './consumer-config.ts'
import { consumerEventNames as names } from './consumer-events.ts'
import { GroupJoin } from './group-join.ts'
import type { ConsumerRunConfig } from './handlers.ts'
import { OffsetCommits } from './offset-commits.ts'
import type { PausedPartitions } from './paused-partitions.ts'
import type { SeekTarget } from './places.ts'
import { ResolvedOffsets } from './resolved-offsets.ts'
import { failureFrom } from './run-failures.ts'
import type { StartingPlaces } from './starting-places.ts'

export interface ConsumerSessionOptions {
  readonly kafka: ClientKafka
  readonly config: ConsumerConfig & { readonly sessionTimeout: number; readonly heartbeatInterval: number }
  readonly runConfig: ConsumerRunConfig
  readonly places: StartingPlaces
  readonly paused: PausedPartitions
  readonly retry: Retry
  readonly events: InstrumentationEvents<typeof names>
  readonly logger: Logger
  /** Aborted when the program wants no more messages. */
  readonly stopping: AbortSignal
  /** There is an assignment. */
  readonly onJoined: () => void
  /** What went wrong where nobody waits for it. */
  readonly onTrouble: (error: unknown) => void
}

type Records = ConsumerBatch<Uint8Array, Uint8Array>

export class ConsumerSession {
  readonly #options: ConsumerSessionOptions
  readonly #client: BytesConsumer
  readonly #join = new GroupJoin()
  readonly #stopForwarding: () => void
  readonly #inHand = new BatchesInHand()
  readonly #resolved = new ResolvedOffsets()
  readonly #commits: OffsetCommits
  /** Batches handled at a time. */
  readonly #concurrency: number
  #failure: Error | null = null
  #interrupt: () => void = () => {}

  constructor(options: ConsumerSessionOptions) {
    const { kafka, config, runConfig, places, retry, logger, events, onTrouble } = options
    this.#options = options
    this.#concurrency = Math.max(1, runConfig.partitionsConsumedConcurrently ?? 1)
    this.#client = openClientConsumer({
      kafka,
      config,
      topics: places.topics,
      offsetReset: places.offsetReset,
      retry,
      logger,
      join: this.#join,
      onRebalance: {
        onAssigned: (partitions) => this.#assigned(partitions),
        onRevoked: (partitions) => this.#revoked(partitions, true),
        onLost: (partitions) => this.#revoked(partitions, false),
      },
      onError: onTrouble,
    })
    this.#commits = new OffsetCommits({ client: this.#client, resolved: this.#resolved, runConfig, events })
    this.#stopForwarding = forwardHeartbeats(config.groupId, (memberId) => this.#heartbeat(memberId))
  }

  assignment(): readonly TopicPartition[] {
    return this.#client.assignment()
  }

  async commit(offsets: readonly TopicPartitionOffset[]): Promise<void> {
    await this.#commits.commit(offsets)
  }

  seek(place: TopicPartition, target: SeekTarget): void {
    const { places, onTrouble } = this.#options
    this.#inHand.moved([place])
    places.seek(place, target)
    if (isAssigned(this.#client, place)) void this.#applySeeks().catch(onTrouble)
  }

  /** Pauses what the program has paused or a handler is at work on, and resumes the rest. */
  applyPauses(): void {
    for (const partition of this.assignment()) {
      if (this.#options.paused.has(partition) || (this.#isConcurrent && this.#inHand.has(partition)))
        this.#client.pause([partition])
      else this.#client.resume([partition])
    }
  }

  /** Resolves with what ended it, when no handler is at work any more; null when stopped. `progressed` hears of every batch that was handled. */
  async readUntilFailure(progressed: () => void): Promise<Error | null> {
    const { events, stopping, onTrouble } = this.#options
    this.#failure = null
    const interrupted = new AbortController()
    this.#interrupt = () => interrupted.abort()
    try {
      let startedMs = Date.now()
      events.emit(names.FETCH_START, { nodeId: -1 })
      const signal = AbortSignal.any([stopping, interrupted.signal])
      for await (const records of this.#client.batches({ signal })) {
        events.emit(names.FETCH, { numberOfBatches: 1, duration: Date.now() - startedMs, nodeId: -1 })
        await this.#begin(records, progressed)
        if (this.#failure !== null) break
        startedMs = Date.now()
        events.emit(names.FETCH_START, { nodeId: -1 })
      }
    } catch (error) {
      this.#failure ??= failureFrom(error)
    } finally {
      await this.#inHand.allDone()
    }
    await this.#commits.commitResolved().catch(onTrouble)
    return stopping.aborted ? null : this.#failure
  }

  /** Leaves the group. Never rejects. */
  async close(): Promise<void> {
    await this.#client.close().catch(this.#options.onTrouble)
    this.#stopForwarding()
  }

  get #isConcurrent(): boolean {
    return this.#concurrency > 1
  }

  /** Hands the batch to its handler; waits until a further one may be at work. */
  async #begin(records: Records, progressed: () => void): Promise<void> {
    const partition = { topic: records.topic, partition: records.partition }
    const work = this.#handle(records).then(progressed, (error: unknown) => {
      this.#failure ??= failureFrom(error)
      this.#interrupt()
    })
    const done = this.#inHand.add(partition, work)
    if (!this.#isConcurrent) {
      await done
      return
    }
    this.#client.pause([partition])
    void done.then(() => {
      if (isAssigned(this.#client, partition)) this.applyPauses()
    })
    if (this.#inHand.size >= this.#concurrency) await this.#inHand.anyDone()
  }

  async #handle(records: Records): Promise<void> {
    const { events, runConfig, logger, stopping, paused, onTrouble } = this.#options
    const batch = batchFrom(records)
    const partition = { topic: batch.topic, partition: batch.partition }
    const isStale = this.#inHand.staleness(partition)
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
        isRunning: () => !stopping.aborted,
        isPaused: () => paused.has(partition),
        pause: () => this.#pause(partition),
        resolve: (next) => this.#resolved.resolve(partition, next, records.firstOffset),
        commitIfDue: () => this.#commits.commitIfDue(),
        commit: (offsets) => this.#commits.commit(offsets),
        uncommitted: () => this.#resolved.uncommitted(),
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
      await this.#commits.commitResolved().catch(onTrouble)
      throw error
    }
    events.emit(names.END_BATCH_PROCESS, { ...told, duration: Date.now() - startedMs })
    if (!isStale()) await this.#goBack(records)
    await this.#commits.commitResolved()
  }

  /** To where the batch is resolved, when that is not its end: the rest comes again. */
  async #goBack({ topic, partition, firstOffset, end }: Records): Promise<void> {
    const place = { topic, partition }
    const resolved = this.#resolved.resolvedOf(place) ?? firstOffset
    const next = resolved < firstOffset ? firstOffset : resolved
    if (next < end.offset && isAssigned(this.#client, place)) await this.#client.seek(next, [place])
  }

  #pause({ topic, partition }: TopicPartition): () => void {
    const selection = [{ topic, partitions: [partition] }]
    const { paused } = this.#options
    paused.pause(selection)
    this.applyPauses()
    return () => {
      paused.resume(selection)
      this.applyPauses()
    }
  }

  async #applySeeks(): Promise<void> {
    await this.#options.places.applySeeks(this.#client, (place, offset) => this.#resolved.resolve(place, offset))
    // Not waited for: it may be refused, and nobody could help it.
    void this.#commits.commitResolved().catch(this.#options.onTrouble)
  }

  async #assigned(partitions: readonly TopicPartition[]): Promise<void> {
    const { places, events, onJoined } = this.#options
    await places.beginWhereWanted(this.#client, partitions)
    await this.#applySeeks()
    this.applyPauses()
    const { groupId, memberId } = this.#client.groupMetadata()
    const memberAssignment: Record<string, number[]> = {}
    for (const { topic, partition } of this.assignment()) (memberAssignment[topic] ??= []).push(partition)
    events.emit(names.GROUP_JOIN, { groupId, memberId, memberAssignment, ...this.#join.toldBy(memberId) })
    onJoined()
  }

  async #revoked(partitions: readonly TopicPartition[], canCommit: boolean): Promise<void> {
    const { events, stopping, onTrouble } = this.#options
    const { groupId, memberId } = this.#client.groupMetadata()
    // Leaving for good is no rebalance.
    if (partitions.length > 0 && !stopping.aborted) events.emit(names.REBALANCING, { groupId, memberId })
    this.#inHand.moved(partitions)
    for (const partition of partitions) await this.#inHand.done(partition)
    if (canCommit) await this.#commits.commitResolved().catch(onTrouble)
    this.#resolved.forget(partitions)
  }
  #heartbeat(memberId: string): void {
    const { groupId, memberId: own, generationId: groupGenerationId } = this.#client.groupMetadata()
    if (memberId === own) this.#options.events.emit(names.HEARTBEAT, { groupId, memberId, groupGenerationId })
  }
}
