/** What an application sees of a share consumer (KIP-932). */
import type { KafkaError } from '@millrace/protocol'
import type { ReadOptions } from '../consumer/consumer.ts'
import type { ClientMetric } from '../observe/metrics.ts'
import type { ConsumerRecord, TopicPartition } from '../record.ts'

/**
 * What becomes of a record: done with; to be delivered again, to whomever; never to be delivered again. A record that was delivered as often as the
 * group allows (`group.share.delivery.count.limit`, 5) is not delivered again when it is released.
 */
export type Acknowledgement = 'accept' | 'release' | 'reject'

/** A record that is locked for this consumer, until it is acknowledged or the lock ends. */
export interface ShareRecord<K, V> extends ConsumerRecord<K, V> {
  /** 1 for the first time anybody gets it. */
  readonly deliveryCount: number
}

/** Records of one partition, in the order of their offsets; there may be others between them, which others have. */
export interface ShareBatch<K, V> extends TopicPartition, Iterable<ShareRecord<K, V>> {
  readonly count: number
  readonly records: readonly ShareRecord<K, V>[]
}

export interface AcknowledgementResult extends TopicPartition {
  readonly offsets: readonly bigint[]
  /** Null: stored. INVALID_RECORD_STATE: the lock had ended. Otherwise the records are delivered again, to whomever. */
  readonly error: KafkaError | null
}

export interface ShareHandlerContext {
  /** Aborted when the consumer closes, or the record is no longer locked because its lock could not be renewed. */
  readonly signal: AbortSignal
}

export interface ShareRunOptions<K, V> {
  /** A record is accepted when this returns nothing, or as it says; when it throws, the record is released. */
  readonly eachRecord: (
    record: ShareRecord<K, V>,
    context: ShareHandlerContext,
  ) => Acknowledgement | void | Promise<Acknowledgement | void>
  /** Records handled at a time. Default 1. There is no order among them. */
  readonly concurrency?: number | undefined
  /** Whether a record whose handler threw this is rejected instead of released. Default: none is. */
  readonly rejects?: ((error: unknown) => boolean) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Reads records that are locked for it one by one, however many partitions there are, in one of three ways at a time: `for await (const record
 * of consumer)`, `batches()` or `run()`. Acknowledgements go to the brokers with the next fetch, or when they are committed.
 */
export interface ShareConsumer<K, V> extends AsyncDisposable, AsyncIterable<ShareRecord<K, V>> {
  /** Instead of what was subscribed before. */
  subscribe(topics: readonly string[]): void
  subscription(): readonly string[]

  /** One by one. One whose lock has ended before its turn comes is passed over: it is delivered again, to whomever. */
  records(options?: ReadOptions): AsyncIterable<ShareRecord<K, V>>
  /** Batches of up to `maxPollRecords` records. */
  batches(options?: ReadOptions): AsyncIterable<ShareBatch<K, V>>
  /**
   * Calls the handler for every record until the consumer is closed or `signal` aborts. Locks are renewed while records are in hand, where
   * brokers can (Kafka 4.2).
   */
  run(options: ShareRunOptions<K, V>): Promise<void>

  /** Says what becomes of a record. @throws Error for a record that is acknowledged already. */
  acknowledge(record: ShareRecord<K, V>, acknowledgement?: Acknowledgement): void
  /** Restarts the locks of the records. @throws KafkaError when one of them could not be, or when the brokers cannot do it (before Kafka 4.2). */
  renew(records: readonly ShareRecord<K, V>[], options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  /** Sends the acknowledgements, and resolves with what became of them, by partition. */
  commit(options?: { readonly signal?: AbortSignal | undefined }): Promise<readonly AcknowledgementResult[]>
  /** Without waiting: see `onAcknowledged`. */
  commitAsync(): void
  /** How long records are locked, as the brokers said last; null before the first record. */
  readonly acquisitionLockTimeoutMs: number | null

  metrics(): readonly ClientMetric[]
  /** The id that the cluster gave this client for its metrics (KIP-714). @throws Error with `enableMetricsPush: false`, and when the cluster collects none. */
  clientInstanceId(options?: { readonly timeoutMs?: number | undefined }): Promise<string>
  /** Sends the acknowledgements, releases every record that is not acknowledged, and leaves the group. Loops end. */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void>
}
