/** What a log is made with and asked for, and what it answers. */
import type { Logger } from '@millrace/runtime'
import type { LogConfig } from './log-config.ts'
import type { LogServices } from './log-services.ts'
import type { AppendOrigin } from './producers/producer-append.ts'
import type { Verification } from './producers/verifications.ts'

export interface NewPartitionLog {
  readonly services: LogServices
  readonly logger: Logger
  /** The partition's own directory, `<log dir>/<topic>-<partition>`. */
  readonly directory: string
  readonly topic: string
  readonly partition: number
  readonly config: LogConfig
  /** `producer.id.expiration.ms`; default 86400000. */
  readonly producerIdExpirationMs?: number
  /** `transaction.max.timeout.ms`; default 900000. */
  readonly maxTransactionTimeoutMs?: number
  /** From `cleaner-offset-checkpoint`; null or absent: never cleaned. */
  readonly firstDirtyOffset?: bigint | null
  /** A truncation has made `cleaning.firstDirtyOffset` go down: the checkpoint should say so soon. */
  readonly onDirtyOffsetLowered?: () => void
  /** Called once, at the first write, sync or read that fails; the log then refuses everything with KAFKA_STORAGE_ERROR. */
  readonly onFailure: (error: Error) => void
}

export interface ExistingPartitionLog extends NewPartitionLog {
  /** From the directory's checkpoints; 0n when absent there. */
  readonly recoveryPoint: bigint
  readonly logStartOffset: bigint
  readonly highWatermark: bigint
  readonly wasCleanShutdown: boolean
  /** The system has not crashed since the last start: what was written is in the page cache (`Disk.bootId`). */
  readonly trustPageCache: boolean
}

export interface AppendOptions {
  readonly leaderEpoch: number
  readonly origin: AppendOrigin
  /** `transaction.version` a marker was written for; of coordinators' control batches only. Default 0. */
  readonly transactionVersion?: number
  /**
   * For transactional batches that are not the first of their transaction here: 'none'. For the first: what `ProducerStates.beginVerification`
   * gave, once the coordinator has agreed. Left out: nothing is demanded (markers, replicas, or the demand is switched off).
   */
  readonly verification?: Verification | 'none'
}

export interface Appended {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  /** -1n for CreateTime. Of a duplicate: the timestamp of the batch it repeats. */
  readonly logAppendTimeMs: bigint
  readonly logStartOffset: bigint
  /** An idempotent producer's repeated batch: nothing was appended, the offsets are those of the first time. */
  readonly duplicate: boolean
}

export interface OffsetAndEpoch {
  readonly offset: bigint
  /** -1 when not known. */
  readonly leaderEpoch: number
}

export interface LocateOptions {
  readonly maxBytes: number
  /** Return the first batch whole even when it is larger than `maxBytes`. */
  readonly minOneBatch: boolean
  readonly upTo: 'log-end' | 'high-watermark' | 'last-stable-offset'
}

export interface DeletedSegment {
  readonly baseOffset: bigint
  readonly sizeBytes: number
}
