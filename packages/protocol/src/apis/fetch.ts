import { api } from '../schema/api.ts'
import { array, int16, int32, int64, int8, records, string, struct, uuid } from '../schema/field.ts'

/**
 * Reads record batches: consumers up to the high watermark or last stable offset, followers up to the end of the log.
 * Sessions since version 7 (KIP-227), epochs since 9 and 12 (KIP-320, KIP-595), zstd since 10 (KIP-110), reads from followers
 * since 11 (KIP-392), topic ids since 13 (KIP-516), broker epochs since 15 (KIP-903), the new leader in the answer since 16
 * (KIP-951), directory ids since 17 (KIP-853), the high watermark of a follower since 18 (KIP-1166).
 */
export const Fetch = api({
  key: 1,
  name: 'Fetch',
  versions: [0, 18],
  flexible: 12,
  request: {
    clusterId: string.since(12).nullable().default(null).tag(0).ignorable(),
    /** -1 for a consumer. */
    replicaId: int32.upTo(14).default(-1),
    replicaState: struct({
      /** -1 for a consumer. */
      replicaId: int32.default(-1),
      replicaEpoch: int64.default(-1n),
    })
      .since(15)
      .tag(1),
    maxWaitMs: int32,
    minBytes: int32,
    /** Soft: the first batch is returned whatever its size. */
    maxBytes: int32.since(3).default(0x7fff_ffff).ignorable(),
    /** 0 reads uncommitted, 1 reads committed. */
    isolationLevel: int8.since(4).ignorable(),
    sessionId: int32.since(7).ignorable(),
    /** -1 no session, 0 a new one. */
    sessionEpoch: int32.since(7).default(-1).ignorable(),
    topics: array({
      topic: string.upTo(12).ignorable(),
      topicId: uuid.since(13).ignorable(),
      partitions: array({
        partition: int32,
        currentLeaderEpoch: int32.since(9).default(-1).ignorable(),
        fetchOffset: int64,
        lastFetchedEpoch: int32.since(12).default(-1),
        /** A follower's, else -1. */
        logStartOffset: int64.since(5).default(-1n).ignorable(),
        partitionMaxBytes: int32,
        replicaDirectoryId: uuid.since(17).tag(0).ignorable(),
        highWatermark: int64.since(18).default(0x7fff_ffff_ffff_ffffn).tag(1).ignorable(),
      }),
    }),
    /** To be removed from the session. */
    forgottenTopicsData: array({
      topic: string.upTo(12).ignorable(),
      topicId: uuid.since(13).ignorable(),
      partitions: array(int32),
    }).since(7),
    rackId: string.since(11).ignorable(),
  },
  response: {
    throttleTimeMs: int32.since(1).ignorable(),
    errorCode: int16.since(7).ignorable(),
    /** 0 when there is no session. */
    sessionId: int32.since(7),
    responses: array({
      topic: string.upTo(12).ignorable(),
      topicId: uuid.since(13).ignorable(),
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        highWatermark: int64,
        lastStableOffset: int64.since(4).default(-1n).ignorable(),
        logStartOffset: int64.since(5).default(-1n).ignorable(),
        /** Where the log of the reader departs from ours. */
        divergingEpoch: struct({ epoch: int32.default(-1), endOffset: int64.default(-1n) })
          .since(12)
          .tag(0),
        currentLeader: struct({ leaderId: int32.default(-1), leaderEpoch: int32.default(-1) })
          .since(12)
          .tag(1),
        snapshotId: struct({ endOffset: int64.default(-1n), epoch: int32.default(-1) })
          .since(12)
          .tag(2),
        /** Null when uncommitted records are read. */
        abortedTransactions: array({ producerId: int64, firstOffset: int64 }).since(4).nullable().ignorable(),
        /** -1 for the leader itself. */
        preferredReadReplica: int32.since(11).default(-1),
        records: records.nullable(),
      }),
    }),
    /** Of the leaders named above. */
    nodeEndpoints: array({ nodeId: int32, host: string, port: int32, rack: string.nullable().default(null) })
      .since(16)
      .tag(0),
  },
})
