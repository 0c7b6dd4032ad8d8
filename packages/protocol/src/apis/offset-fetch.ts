import { api } from '../schema/api.ts'
import { array, bool, int16, int32, int64, string, uuid } from '../schema/field.ts'

/**
 * Reads the offsets that groups have committed.
 * All topics by null since version 2, only stable offsets since 7 (KIP-447), several groups since 8 (KIP-709), the consumer
 * protocol since 9 and topic ids since 10 (KIP-848).
 */
export const OffsetFetch = api({
  key: 9,
  name: 'OffsetFetch',
  versions: [0, 10],
  flexible: 6,
  request: {
    groupId: string.upTo(7),
    /** Null asks for all topics. */
    topics: array({ name: string, partitionIndexes: array(int32) })
      .upTo(7)
      .nullable(2),
    groups: array({
      groupId: string,
      memberId: string.since(9).nullable().default(null).ignorable(),
      memberEpoch: int32.since(9).default(-1).ignorable(),
      /** Null asks for all topics. */
      topics: array({
        name: string.upTo(9).ignorable(),
        topicId: uuid.since(10).ignorable(),
        partitionIndexes: array(int32),
      }).nullable(),
    }).since(8),
    requireStable: bool.since(7),
  },
  response: {
    throttleTimeMs: int32.since(3).ignorable(),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.since(5).default(-1).ignorable(),
        metadata: string.nullable(),
        errorCode: int16,
      }),
    }).upTo(7),
    errorCode: int16.since(2).upTo(7).ignorable(),
    groups: array({
      groupId: string,
      topics: array({
        name: string.upTo(9).ignorable(),
        topicId: uuid.since(10).ignorable(),
        partitions: array({
          partitionIndex: int32,
          committedOffset: int64,
          committedLeaderEpoch: int32.default(-1),
          metadata: string.nullable(),
          errorCode: int16,
        }),
      }),
      errorCode: int16.default(0),
    }).since(8),
  },
})
