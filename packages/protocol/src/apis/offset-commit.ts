import { api } from '../schema/api.ts'
import { array, int16, int32, int64, string, uuid } from '../schema/field.ts'

/**
 * Stores the offsets that a group has consumed.
 * Leader epochs since version 6 (KIP-320), static members since 7 (KIP-345), the consumer protocol since 9 and topic ids since
 * 10 (KIP-848).
 */
export const OffsetCommit = api({
  key: 8,
  name: 'OffsetCommit',
  versions: [0, 10],
  flexible: 8,
  request: {
    groupId: string,
    generationIdOrMemberEpoch: int32.since(1).default(-1).ignorable(),
    memberId: string.since(1).ignorable(),
    groupInstanceId: string.since(7).nullable().default(null),
    retentionTimeMs: int64.since(2).upTo(4).default(-1n).ignorable(),
    topics: array({
      name: string.upTo(9).ignorable(),
      topicId: uuid.since(10).ignorable(),
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.since(6).default(-1).ignorable(),
        commitTimestamp: int64.since(1).upTo(1).default(-1n),
        committedMetadata: string.nullable(),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32.since(3).ignorable(),
    topics: array({
      name: string.upTo(9).ignorable(),
      topicId: uuid.since(10).ignorable(),
      partitions: array({ partitionIndex: int32, errorCode: int16 }),
    }),
  },
})
