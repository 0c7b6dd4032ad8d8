/** SHAPE ONLY (types for the other parts to compile against); the implementation replaces this file. */
import type { Clock, Disk, Random } from '@millrace/runtime'
import type { FilePool } from './file-pool.ts'
import type { LogConfig } from './log-config.ts'

export type AppendOrigin = 'client' | 'coordinator' | 'replica'

/** What all logs of a process share. One per LogManager; made by `createLogServices`. */
export interface LogServices {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly files: FilePool
  // + appends: AppendRound, syncs: SyncRound, indexes: IndexBudget, chunks: ChunkPool
}
export declare function createLogServices(options: {
  disk: Disk
  clock: Clock
  random: Random
  files: FilePool
  /** Bytes of index kept in memory over all logs. Default 64 MiB. */
  indexBudgetBytes?: number
}): LogServices

interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
  child(fields: Record<string, unknown>): Logger
}

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

export interface Appended {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  /** -1n for CreateTime. */
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
export interface TimestampAndOffset extends OffsetAndEpoch {
  /** -1n when there is none. */
  readonly timestamp: bigint
}

/** Where an offset lies; two of one segment tell the bytes between them. */
export interface OffsetPosition {
  readonly offset: bigint
  readonly segmentBaseOffset: bigint
  readonly position: number
}

export interface LogSlice {
  /** Bytes; 0 when there is nothing to read. The last batch may be cut. */
  readonly length: number
  readonly start: OffsetPosition
  /** Not even the first batch fits (only without `minOneBatch`). */
  readonly firstBatchIncomplete: boolean
  /** Probably in the page cache: written lately, or the last read of this segment was fast. `readSync` is right then. */
  readonly recentlyWritten: boolean
  /** Only for `upTo: 'last-stable-offset'`. */
  readonly abortedTransactions: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[] | null
  /** Fills `into` (exactly `length` bytes). @throws KafkaError NOT_LEADER_OR_FOLLOWER when the log was truncated meanwhile. */
  readSync(into: Uint8Array): void
  read(into: Uint8Array): Promise<void>
}

export interface LocateOptions {
  readonly maxBytes: number
  readonly minOneBatch: boolean
  readonly upTo: 'log-end' | 'high-watermark' | 'last-stable-offset'
}

/** Implements storage/README. Everything synchronous unless it says Promise. */
export declare class PartitionLog {
  /** For a directory just made: reads and writes nothing. */
  static create(options: NewPartitionLog): PartitionLog
  /** Lists the directory, recovers when needed. Asynchronous: the event loop lives during a long recovery. */
  static open(options: ExistingPartitionLog): Promise<PartitionLog>
  readonly topic: string
  readonly partition: number
  directory: string
  config: LogConfig
  readonly logStartOffset: bigint
  /** Includes staged appends that are not written yet. */
  readonly logEndOffset: bigint
  /** End of what is written and can be read: what a follower or the high watermark may reach. */
  readonly writtenEndOffset: bigint
  readonly highWatermark: bigint
  readonly lastStableOffset: bigint
  readonly recoveryPoint: bigint
  readonly sizeBytes: number
  readonly failure: Error | null
  readonly leaderEpochs: {
    readonly latest: number
    assign(epoch: number, startOffset: bigint): void
    endOffsetFor(epoch: number, logEndOffset: bigint): { epoch: number; endOffset: bigint }
    epochForOffset(offset: bigint): number
  }
  append(
    batches: { readonly bytes: Uint8Array },
    options: { leaderEpoch: number; origin: AppendOrigin; transactionVersion?: number },
    onWritten: (error: Error | null) => void,
  ): Appended
  appendAsFollower(bytes: Uint8Array, options: { leaderEpoch: number }, onWritten: (error: Error | null) => void): Appended | null
  setHighWatermark(offset: bigint): bigint
  locate(offset: bigint, options: LocateOptions): LogSlice
  /** null when the offset is outside the log. */
  positionOf(offset: bigint): OffsetPosition | null
  earliestOffset(): OffsetAndEpoch
  latestOffset(): OffsetAndEpoch
  /** First record at or after the timestamp; null when there is none. */
  offsetForTimestamp(timestamp: bigint): Promise<TimestampAndOffset | null>
  maxTimestampOffset(): Promise<TimestampAndOffset | null>
  /** Moves the log start to `offset` (at most the high watermark); segments vanish at the next retention. Returns the log start. */
  deleteRecordsBefore(offset: bigint): bigint
  /** False when there was nothing to cut. Call only when no append is staged or under way (a follower between fetches). */
  truncateTo(offset: bigint): boolean
  truncateFullyAndStartAt(offset: bigint, logStartOffset?: bigint): void
  /** Runs `cleanup.policy=delete`; returns what was deleted. */
  applyRetention(nowMs: number): readonly { readonly baseOffset: bigint; readonly sizeBytes: number }[]
  removeExpiredProducers(nowMs: number): void
  /** Syncs everything up to the present end; then `recoveryPoint` is at least that. */
  flush(): Promise<void>
  /** Writes what is staged, the producer snapshot and indexes, syncs, closes. */
  close(): Promise<void>
  /** Closes files, writes nothing: for logs that are deleted or failed. Staged appends get the error. */
  abandon(reason: Error): void
  /** The directory was renamed. */
  movedTo(directory: string): void
}
