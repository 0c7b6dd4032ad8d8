/** Committed offsets of all kinds of groups but share groups, in `__consumer_offsets`. */
import { int32, int64, string, uuid } from '../schema/field.ts'
import { recordType } from './record-type.ts'

const partitionOfGroup = { group: string, topic: string, partition: int32 }

/** Of brokers before 0.9; read like type 1. */
export const LegacyOffsetCommitRecord = recordType({
  name: 'LegacyOffsetCommit',
  id: 0,
  key: partitionOfGroup,
  value: {
    versions: [0, 0],
    flexible: null,
    writes: null,
    fields: { offset: int64, metadata: string, commitTimestamp: int64 },
  },
})

/**
 * Kafka writes version 1 for an offset with an expiration of its own, which OffsetCommit requests up to version 4 can ask for,
 * and version 4 for all others, with the id of the topic when the commit had it.
 */
export const OffsetCommitRecord = recordType({
  name: 'OffsetCommit',
  id: 1,
  key: partitionOfGroup,
  value: {
    versions: [0, 4],
    flexible: 4,
    writes: 4,
    fields: {
      offset: int64,
      /** Of the last record consumed; -1: unknown. */
      leaderEpoch: int32.since(3).default(-1).ignorable(),
      metadata: string,
      commitTimestamp: int64,
      /** Milliseconds since 1970; -1: kept as long as the group's retention says. */
      expireTimestamp: int64.since(1).upTo(1).default(-1n).ignorable(),
      topicId: uuid.since(4).tag(0).ignorable(),
    },
  },
})
