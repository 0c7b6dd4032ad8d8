/** What an application sees of a consumer. */
import type { ClientMetric } from '../observe/metrics.ts'
import type { GroupMetadata } from '../producer/producer.ts'
import type { ConsumerRecord, TopicPartition, TopicPartitionOffset } from '../record.ts'
import type { CloseOptions } from './close-consumer.ts'
import type { RebalanceListener } from './rebalance-listener.ts'
import type { RunOptions } from './run-options.ts'

export interface AskOptions {
  readonly signal?: AbortSignal | undefined
}

export interface ReadOptions {
  /** Ends reading: loops end as if the consumer had been closed. */
  readonly signal?: AbortSignal | undefined
}

/** Successive records of one partition. */
export interface ConsumerBatch<K, V> extends TopicPartition, Iterable<ConsumerRecord<K, V>> {
  readonly count: number
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  /** What to commit when all of it is done. */
  readonly end: TopicPartitionOffset
  readonly highWatermark: bigint
  /** Records behind this batch. */
  readonly lag: bigint
}

/** Everything that can be committed: a record or batch stands for all of its partition up to and with it. */
export type Committable<K, V> = ConsumerRecord<K, V> | ConsumerBatch<K, V> | readonly TopicPartitionOffset[]

/** Where to continue reading: an offset, an end of the partition, or the first record at or after a time (ms since the epoch). */
export type SeekTarget = bigint | 'beginning' | 'end' | { readonly timestamp: number }

/**
 * Reads records, in one of three ways at a time: `for await (const record of consumer)`, `batches()` or `run()`. They share everything
 * else: subscription, positions, commits. A record counts as handled when the next one is asked for (or its handler has finished); with
 * `enableAutoCommit` handled records are committed every `autoCommitIntervalMs`, before partitions are given up, and by `close`.
 */
export interface Consumer<K, V> extends AsyncDisposable, AsyncIterable<ConsumerRecord<K, V>> {
  /** Instead of what was subscribed before. Partitions come with the next read. */
  subscribe(topics: readonly string[] | RegExp, listener?: RebalanceListener): void
  /** Gives up all partitions, and leaves the group. */
  unsubscribe(): Promise<void>
  /** Reads just these partitions, without the group's help; with a groupId their offsets are committed all the same. */
  assign(partitions: readonly TopicPartition[]): void
  subscription(): readonly string[]
  assignment(): readonly TopicPartition[]

  records(options?: ReadOptions): AsyncIterable<ConsumerRecord<K, V>>
  /** Batches of up to `maxPollRecords` records; a batch counts as handled when the next is asked for. */
  batches(options?: ReadOptions): AsyncIterable<ConsumerBatch<K, V>>
  /** Calls the handler for every record until the consumer is closed or `signal` aborts. @throws what a handler threw, if nothing is set to deal with it. */
  run(options: RunOptions<K, V>): Promise<void>

  /** Commits everything handled so far, or what is given. Resolves when it is stored. @throws KafkaError, for example after a rebalance. */
  commit(upTo?: Committable<K, V>, options?: AskOptions): Promise<void>
  /** Without waiting; a failure goes to `onError`, and a later commit covers it. */
  commitAsync(upTo?: Committable<K, V>): void
  committed(
    partitions: readonly TopicPartition[],
    options?: AskOptions,
  ): Promise<readonly (TopicPartitionOffset | null)[]>
  /** The offset of the next record the application gets. */
  position(partition: TopicPartition, options?: AskOptions): Promise<bigint>
  /** Continues elsewhere, for all the partitions assigned when none is named. Records prefetched from there are dropped. */
  seek(target: SeekTarget, partitions?: readonly TopicPartition[]): Promise<void>
  /** Hands out no records of these partitions; what was prefetched is kept for `resume`. */
  pause(partitions: readonly TopicPartition[]): void
  resume(partitions: readonly TopicPartition[]): void
  paused(): readonly TopicPartition[]
  /** Records between the position and the end (for read_committed: the last stable offset); null when not known yet. */
  currentLag(partition: TopicPartition): bigint | null

  beginningOffsets(
    partitions: readonly TopicPartition[],
    options?: AskOptions,
  ): Promise<readonly TopicPartitionOffset[]>
  endOffsets(partitions: readonly TopicPartition[], options?: AskOptions): Promise<readonly TopicPartitionOffset[]>
  /** For each the first record at or after `timestamp`; null when there is none. */
  offsetsForTimes(
    searches: readonly (TopicPartition & { readonly timestamp: number })[],
    options?: AskOptions,
  ): Promise<readonly (TopicPartitionOffset | null)[]>

  /** For `sendOffsetsToTransaction`. */
  groupMetadata(): GroupMetadata
  /** Has the group assign anew. */
  enforceRebalance(reason?: string): void
  metrics(): readonly ClientMetric[]
  /** The id that the cluster gave this client for its metrics (KIP-714). @throws Error with `enableMetricsPush: false`, and when the cluster collects none. */
  clientInstanceId(options?: { readonly timeoutMs?: number | undefined }): Promise<string>
  /** Finishes what is being handled, commits (with `enableAutoCommit`) and leaves the group. Loops end. */
  close(options?: CloseOptions): Promise<void>
}
