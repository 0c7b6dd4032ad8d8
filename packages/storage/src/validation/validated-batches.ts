/** What validation tells the log, so that appending needs no second look at the bytes. */
import type { CodecWorker } from '@millrace/protocol'
import type { LogConfig } from '../log-config.ts'

export type RecordsOrigin = 'client' | 'coordinator' | 'replica'

export interface ValidationRules {
  /**
   * `client`: everything is checked. `coordinator`: what this broker's own coordinators write; may contain control batches.
   * `replica`: fetched from the leader, which checked the records: only what protects the log is checked here.
   */
  readonly origin: RecordsOrigin
  readonly config: LogConfig
  /** Wall clock, for timestamp bounds and LogAppendTime. */
  readonly nowMs: number
  /** Version of the Produce request; below 3 it may carry magic 0 and 1, from 7 on zstd. Leave out when no request is behind it. */
  readonly apiVersion?: number
  /** Most bytes one batch may unpack to. Default 100 MiB. */
  readonly maxDecompressedBytes?: number
  /** For `replica`: batches of a later leader epoch than this, and all after them, are left out (KAFKA-18723). */
  readonly leaderEpoch?: number
  /** Where compressed batches over 64 KiB are unpacked and packed. Without it they are handled at once, in this thread. */
  readonly codecWorker?: CodecWorker
  /** Name of the partition, for error messages. */
  readonly partition?: string
}

/** One batch of `ValidatedBatches.bytes`; all values are those in its header after validation. */
export interface ValidatedBatch {
  /** Of its first byte in `bytes`. */
  readonly position: number
  readonly sizeBytes: number
  readonly magic: number
  /** 0n from clients. From a leader: the final offset; of magic 0 and 1 the last offset, as the first is not in the header. */
  readonly baseOffset: bigint
  readonly lastOffsetDelta: number
  /** -1 when unknown (a compressed magic 0 or 1 set from a leader). May be below lastOffsetDelta + 1 after compaction. */
  readonly recordsCount: number
  readonly partitionLeaderEpoch: number
  /** Milliseconds, -1n for none. What the time index gets. */
  readonly maxTimestamp: bigint
  /** Time index entries point at the last offset of the batch, as Kafka's do since 3.9. */
  readonly offsetDeltaOfMaxTimestamp: number
  /** -1n for none; epoch -1, sequence -1 likewise. */
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly isTransactional: boolean
  readonly isControl: boolean
  /** Codec of the stored batch: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly compression: number
}

/**
 * Whole batches, ready to be appended: offsets and leader epoch are for the log to write in place.
 * From clients and coordinators it is always exactly one batch of magic 2.
 */
export interface ValidatedBatches {
  /** The bytes given, cut after the last whole batch, or new ones when they had to be repacked or converted. */
  readonly bytes: Uint8Array
  readonly batches: readonly ValidatedBatch[]
  /** Offsets taken by all batches: the sum of lastOffsetDelta + 1. */
  readonly offsetsCount: number
  /** Largest of all batches, -1n for none. */
  readonly maxTimestamp: bigint
  /** The time stamped on the records when the topic says LogAppendTime, else -1n. */
  readonly logAppendTimeMs: bigint
  readonly isTransactional: boolean
}
