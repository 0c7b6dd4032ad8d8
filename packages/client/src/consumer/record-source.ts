/**
 * The seam between a consumer, which fetches records and keeps positions, and the one who hands them to the application: `run()` and the loops.
 * A source has at most one reader at a time. Records are given away in batches, and nothing of a partition is given away behind a batch that
 * its reader holds it for; so a reader has as much in memory as it asks for, and what else was prefetched stays in the source.
 */
import type { TopicPartition, TopicPartitionOffset } from '../record.ts'
import type { ConsumerBatch } from './consumer.ts'

/** Told by the source what happens to partitions whose records it has given away. */
export interface RecordReader {
  /**
   * These partitions are being given up: their records are to be dropped. Resolves when none of them is in the application's hands any more, and
   * `handled` has been told of all that is finished; the source commits then.
   */
  revoked(partitions: readonly TopicPartition[]): Promise<void>
  /** As `revoked`, but they are gone already and nothing can be committed. */
  lost(partitions: readonly TopicPartition[]): Promise<void>
  /** Reading goes on elsewhere: what was given away and not begun is to be dropped, and what is in hand no longer counts as handled. */
  moved(partitions: readonly TopicPartition[]): void
  /** Records given away and not begun wait until `resumed`. */
  paused(partitions: readonly TopicPartition[]): void
  resumed(partitions: readonly TopicPartition[]): void
  /** A commit is due: tell `handled` what has been finished, if that was not told at once. */
  report?(): void
  /** For a loop that was left: another reader begins, so what this one had in hand is done. */
  succeeded?(): void
  /** For a loop: the offset of the next record it gives out of this partition, if it has some of it. */
  positionIn?(partition: TopicPartition): bigint | null
}

export interface RecordSource<K, V> {
  /** @throws Error when somebody else is reading. Disposing it ends reading; what was neither handled nor rewound counts as read. */
  attach(reader: RecordReader): Disposable
  /** The next batch that is here, of a partition neither paused nor held. Null when there is none now. @throws as `available`. */
  poll(): ConsumerBatch<K, V> | null
  /**
   * Resolves with true when `poll` may have something, with false when it never will again because the consumer is closed or `signal` aborted.
   * @throws what ended the consumer, and what a listener of rebalances threw.
   */
  available(signal?: AbortSignal): Promise<boolean>
  /** `poll` gives nothing of this partition until `release`. Not seen by `paused()`; ends when the partition is given up. */
  hold(partition: TopicPartition): void
  release(partition: TopicPartition): void
  /** Everything of the partition before `offset` is finished: may be committed. Partitions no longer assigned are passed over. */
  handled(position: TopicPartitionOffset): void
  /** What was given away from `offset` on was not handled, and is to be given again to the next reader. */
  rewind(position: TopicPartitionOffset): void
  /** The application is alive: what maxPollIntervalMs counts from. `poll` does not say it: a reader with many handlers may poll while one is stuck. */
  polled(): void
  /** Nothing is in the application's hands, and it waits for records. */
  idle(): void
}
