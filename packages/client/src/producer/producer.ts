/** What an application sees of a producer. */
import type { ClientMetric } from '../observe/metrics.ts'
import type { RecordMetadata, TopicPartition, TopicPartitionOffset } from '../record.ts'

/** Who commits the offsets of a transaction: what `consumer.groupMetadata()` returns. */
export interface GroupMetadata {
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  readonly groupInstanceId: string | null
}

export interface SendOptions {
  /** Gives up waiting for metadata and memory. A record that is in a batch already is sent all the same. */
  readonly signal?: AbortSignal | undefined
}

export interface PartitionDescription extends TopicPartition {
  /** Null when there is none now. */
  readonly leaderId: number | null
  readonly replicas: readonly number[]
  readonly inSyncReplicas: readonly number[]
  readonly offlineReplicas: readonly number[]
}

export interface Producer<R> extends AsyncDisposable {
  /**
   * Resolves when the record is acknowledged. Records sent at the same time share batches; those of one partition are written, and their
   * promises resolve, in the order of the calls.
   * @throws KafkaError for what the broker or the time-outs refuse; TypeError for records that cannot be sent; what a serializer throws.
   */
  send(record: R, options?: SendOptions): Promise<RecordMetadata>
  /** All records, with one promise: resolves when all are acknowledged, rejects with the first failure when all are settled. */
  sendAll(records: readonly R[], options?: SendOptions): Promise<readonly RecordMetadata[]>
  /** Without waiting: a failure goes to `onError`, interceptors and the log. Throws only what is known at once, such as a bad record. */
  sendAndForget(record: R): void
  /** Sends what waits, and resolves when everything sent before is settled, one way or the other. */
  flush(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  partitionsFor(
    topic: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly PartitionDescription[]>

  /**
   * Runs `work` in a transaction: commits when it resolves, aborts when it throws and throws that again. Needs `transactionalId`. A commit waits
   * for all that `work` has sent, awaited or not, and fails, aborting, when a record of it did. Calls come one after the other, each waiting for its
   * turn up to `maxBlockMs`; so one inside another fails.
   * @throws KafkaError PRODUCER_FENCED when another producer has taken the transactional id: this producer is of no use any more.
   */
  transaction<T>(work: (transaction: Transaction<R>) => Promise<T>): Promise<T>
  /** Done by `transaction` on its own; ends what an earlier producer with this transactional id left open. */
  initTransactions(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  beginTransaction(): void
  sendOffsetsToTransaction(offsets: readonly TopicPartitionOffset[], group: GroupMetadata | string): Promise<void>
  commitTransaction(): Promise<void>
  abortTransaction(): Promise<void>

  /** Under Kafka's names: group `producer-metrics` and others. */
  metrics(): readonly ClientMetric[]
  /** The id that the cluster gave this client for its metrics (KIP-714). @throws Error with `enableMetricsPush: false`, and when the cluster collects none. */
  clientInstanceId(options?: { readonly timeoutMs?: number | undefined }): Promise<string>
  /** Sends what waits, up to `timeoutMs` (default: as long as it takes within deliveryTimeoutMs), and ends. What is left fails. */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void>
}

/** What one transaction writes. Of no use after its `work` is done. */
export interface Transaction<R> {
  send(record: R): Promise<RecordMetadata>
  sendAll(records: readonly R[]): Promise<readonly RecordMetadata[]>
  /** Commits offsets with the transaction: those of records read, for example `[batch.end]` or `[{ topic, partition, offset }]`. */
  sendOffsets(offsets: readonly TopicPartitionOffset[], group: GroupMetadata | string): Promise<void>
  /** Ends the transaction without a trace; nothing further may be sent. `work` may return normally after it. */
  abort(): Promise<void>
}
