import { api } from '../schema/api.ts'
import { array, int16, int32, int64, records, string, struct, uuid } from '../schema/field.ts'

/**
 * Appends record batches to partitions.
 * Record format v2 since version 3, zstd since 7 (KIP-110), errors of single records since 8 (KIP-467), the new leader in the
 * answer since 10 (KIP-951), transactions that verify themselves since 12 (KIP-890), topic ids since 13 (KIP-516).
 * With acks 0 there is no response.
 */
export const Produce = api({
  key: 0,
  name: 'Produce',
  versions: [0, 13],
  flexible: 9,
  request: {
    transactionalId: string.since(3).nullable().default(null),
    /** -1 all in-sync replicas, 0 none and no response, 1 the leader. */
    acks: int16,
    /** Bounds the wait for acks -1. */
    timeoutMs: int32,
    topicData: array({
      name: string.upTo(12).ignorable(),
      topicId: uuid.since(13).ignorable(),
      partitionData: array({ index: int32, records: records.nullable() }),
    }),
  },
  response: {
    responses: array({
      name: string.upTo(12).ignorable(),
      topicId: uuid.since(13).ignorable(),
      partitionResponses: array({
        index: int32,
        errorCode: int16,
        baseOffset: int64,
        /** -1 unless the topic stamps records itself. */
        logAppendTimeMs: int64.since(2).default(-1n).ignorable(),
        logStartOffset: int64.since(5).default(-1n).ignorable(),
        recordErrors: array({ batchIndex: int32, batchIndexErrorMessage: string.nullable().default(null) })
          .since(8)
          .ignorable(),
        errorMessage: string.since(8).nullable().default(null).ignorable(),
        /** With NOT_LEADER_OR_FOLLOWER. */
        currentLeader: struct({ leaderId: int32.default(-1), leaderEpoch: int32.default(-1) })
          .since(10)
          .tag(0),
      }),
    }),
    throttleTimeMs: int32.since(1).ignorable(),
    /** Of the leaders named above. */
    nodeEndpoints: array({ nodeId: int32, host: string, port: int32, rack: string.nullable().default(null) })
      .since(10)
      .tag(0),
  },
})
