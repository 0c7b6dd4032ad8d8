/**
 * What a topic's configuration means to its partitions' logs: plain values with Kafka's defaults, units in the names.
 * -1 keeps Kafka's meaning (no limit). Kafka's Long.MAX_VALUE ("never") is Number.MAX_SAFE_INTEGER here.
 */

export type CompressionType = 'producer' | 'uncompressed' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

export interface LogConfig {
  /** `segment.bytes`: a segment is rolled before it would pass this. */
  readonly segmentBytes: number
  /** `segment.ms`: a segment is rolled when an incoming batch is this much later than its first batch. */
  readonly segmentMs: number
  /** `segment.jitter.ms`: a random part of at most this much is taken off `segmentMs`, drawn once per segment. */
  readonly segmentJitterMs: number
  /** `segment.index.bytes`: the largest size of an offset or time index; a full index rolls the segment. */
  readonly segmentIndexBytes: number
  /** `index.interval.bytes`: a batch gets an index entry when more than this was appended since the last entry. */
  readonly indexIntervalBytes: number
  /** `max.message.bytes`: the largest batch. */
  readonly maxMessageBytes: number
  /** `retention.ms`; -1 keeps for ever. */
  readonly retentionMs: number
  /** `retention.bytes` of one partition; -1 keeps all. */
  readonly retentionBytes: number
  /** `cleanup.policy`; neither is allowed: then only DeleteRecords removes data. */
  readonly cleanupPolicies: { readonly compact: boolean; readonly delete: boolean }
  /** `flush.messages`: fsync at the latest when this many records are not synced. */
  readonly flushMessages: number
  /** `flush.ms`: fsync at the latest this long after the last one. */
  readonly flushMs: number
  /** `file.delete.delay.ms`: time between the rename to `.deleted` and the removal. */
  readonly fileDeleteDelayMs: number
  /** `preallocate`: accepted and described; our files are never preallocated. */
  readonly preallocate: boolean
  readonly deleteRetentionMs: number
  readonly minCleanableDirtyRatio: number
  readonly minCompactionLagMs: number
  readonly maxCompactionLagMs: number
  readonly messageTimestampType: 'CreateTime' | 'LogAppendTime'
  readonly messageTimestampBeforeMaxMs: number
  readonly messageTimestampAfterMaxMs: number
  readonly compressionType: CompressionType
  readonly compressionLevels: { readonly gzip: number; readonly lz4: number; readonly zstd: number }
  readonly minInsyncReplicas: number
  readonly uncleanLeaderElectionEnable: boolean
  /** `leader.replication.throttled.replicas`: `partition:broker` entries, or `*`. */
  readonly leaderReplicationThrottledReplicas: readonly string[]
  readonly followerReplicationThrottledReplicas: readonly string[]
  readonly remoteStorageEnable: boolean
  /** -2: the value of `retentionMs`. */
  readonly localRetentionMs: number
  /** -2: the value of `retentionBytes`. */
  readonly localRetentionBytes: number
}

const dayMs = 24 * 60 * 60 * 1000

/** Kafka 4.3's defaults for a topic without settings on a broker without settings. */
export const defaultLogConfig: LogConfig = {
  segmentBytes: 1024 * 1024 * 1024,
  segmentMs: 7 * dayMs,
  segmentJitterMs: 0,
  segmentIndexBytes: 10 * 1024 * 1024,
  indexIntervalBytes: 4096,
  maxMessageBytes: 1024 * 1024 + 12,
  retentionMs: 7 * dayMs,
  retentionBytes: -1,
  cleanupPolicies: { compact: false, delete: true },
  flushMessages: Number.MAX_SAFE_INTEGER,
  flushMs: Number.MAX_SAFE_INTEGER,
  fileDeleteDelayMs: 60_000,
  preallocate: false,
  deleteRetentionMs: dayMs,
  minCleanableDirtyRatio: 0.5,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Number.MAX_SAFE_INTEGER,
  messageTimestampType: 'CreateTime',
  messageTimestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  messageTimestampAfterMaxMs: 60 * 60 * 1000,
  compressionType: 'producer',
  compressionLevels: { gzip: -1, lz4: 9, zstd: 3 },
  minInsyncReplicas: 1,
  uncleanLeaderElectionEnable: false,
  leaderReplicationThrottledReplicas: [],
  followerReplicationThrottledReplicas: [],
  remoteStorageEnable: false,
  localRetentionMs: -2,
  localRetentionBytes: -2,
}
