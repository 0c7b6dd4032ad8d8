import type { Clock, Disk, Logger, Random } from '@millrace/runtime'
import type { CleanerConfig } from './cleaner/cleaner-config.ts'
import type { LogConfig } from './log-config.ts'
import type { PartitionLog } from './partition-log.ts'

/** How often the background tasks run; each named after the broker property, with Kafka's defaults. Milliseconds. */
export interface LogManagerIntervals {
  /** `log.initial.task.delay.ms` */
  readonly initialTaskDelayMs: number
  /** `log.retention.check.interval.ms` */
  readonly retentionCheckMs: number
  /** `log.flush.scheduler.interval.ms`; when it is "never", as by default, topics with a `flush.ms` are still looked at every second. */
  readonly flushCheckMs: number
  /** `log.flush.offset.checkpoint.interval.ms` */
  readonly recoveryPointCheckpointMs: number
  /** `log.flush.start.offset.checkpoint.interval.ms` */
  readonly logStartOffsetCheckpointMs: number
  /** `replica.high.watermark.checkpoint.interval.ms` */
  readonly highWatermarkCheckpointMs: number
  /** `producer.id.expiration.check.interval.ms` */
  readonly producerIdExpirationCheckMs: number
}

export const defaultIntervals: LogManagerIntervals = {
  initialTaskDelayMs: 30_000,
  retentionCheckMs: 300_000,
  flushCheckMs: Number.MAX_SAFE_INTEGER,
  recoveryPointCheckpointMs: 60_000,
  logStartOffsetCheckpointMs: 60_000,
  highWatermarkCheckpointMs: 5_000,
  producerIdExpirationCheckMs: 600_000,
}

export interface LostPartition {
  readonly topic: string
  readonly partition: number
}

export interface DirectoryFailure {
  /** Absolute path. */
  readonly directory: string
  /** `directory.id`; null when it failed before that was known. */
  readonly directoryId: string | null
  readonly error: Error
  /** Partitions without a log now. Empty when the directory failed while it was opened: then nobody knows what is in it. */
  readonly lost: readonly LostPartition[]
  /** Copies that AlterReplicaLogDirs was making there; their partitions go on where they are. */
  readonly lostCopies: readonly LostPartition[]
  /** Directories still online. 0: the broker must stop. */
  readonly remaining: number
}

export interface LogManagerOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** `log.dirs`; relative ones are taken from the working directory. At least one. */
  readonly directories: readonly string[]
  readonly nodeId: number
  readonly clusterId: string
  /** The effective configuration of a topic; asked once per topic and again after `updateConfig`. */
  readonly configFor: (topic: string) => LogConfig
  readonly intervals?: Partial<LogManagerIntervals>
  /** File descriptors kept open at most. Default 1024. */
  readonly maxOpenFiles?: number
  /** Bytes of index kept in memory over all logs. */
  readonly indexBudgetBytes?: number
  /** Logs of one directory opened or closed at once (`num.recovery.threads.per.data.dir`). Default 8. */
  readonly concurrencyPerDirectory?: number
  /** `producer.id.expiration.ms` */
  readonly producerIdExpirationMs?: number
  /** `transaction.max.timeout.ms` */
  readonly maxTransactionTimeoutMs?: number
  /** `replica.alter.log.dirs.io.max.bytes.per.second`; default no limit. */
  readonly moveBytesPerSecond?: number
  /** Settings of the log cleaner, asked for when they are needed. Without, nothing is compacted. */
  readonly cleaner?: () => CleanerConfig
  /** A directory went offline, also while `open` is under way. Its logs answer KAFKA_STORAGE_ERROR. */
  readonly onDirectoryFailure?: (failure: DirectoryFailure) => void
  /** A replica has moved to another directory: from now on `log` is the partition's log; the old one serves reads under way. */
  readonly onLogReplaced?: (log: PartitionLog) => void
}

export interface DescribedLog {
  readonly topic: string
  readonly partition: number
  readonly sizeBytes: number
  /** High watermark − log end offset, at least 0; of a future log: how far it is behind the current one. */
  readonly offsetLag: bigint
  readonly isFuture: boolean
}

export interface DescribedDirectory {
  readonly path: string
  readonly directoryId: string | null
  /** KAFKA_STORAGE_ERROR when offline; then there are no logs and the sizes are -1n. */
  readonly errorCode: number
  readonly totalBytes: bigint
  readonly usableBytes: bigint
  readonly isCordoned: boolean
  readonly logs: readonly DescribedLog[]
}

export interface HostedPartition {
  readonly topic: string
  readonly partition: number
  /** null: not known. */
  readonly topicId: string | null
  readonly directory: string
  readonly sizeBytes: number
}
