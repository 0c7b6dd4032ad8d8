/** The offset a group has committed for a partition, and the record that `__consumer_offsets` keeps of it. */
import { OffsetCommitRecord, type RecordValue } from '@millrace/protocol'
import { record, tombstone, type CoordinatorRecord } from '../../runtime/decision.ts'

export interface CommittedOffset {
  readonly offset: bigint
  /** −1 when the consumer did not say. */
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitTimestampMs: number
  /** −1: the group's retention decides. Others come from requests before version 5 and from older Kafka. */
  readonly expireTimestampMs: number
  /** ZERO_UUID when it was committed by name alone. */
  readonly topicId: string
  /** Where its record lies: of two for the same partition the later one counts, whenever its transaction ends. */
  readonly recordOffset: bigint
}

/** The version that has a place for an expiration. */
const valueVersionWithExpiration = 1

export interface PartitionOfGroup {
  readonly group: string
  readonly topic: string
  readonly partition: number
}

export function committedOffsetOf(
  value: RecordValue<typeof OffsetCommitRecord>,
  recordOffset: bigint,
): CommittedOffset {
  const { offset, leaderEpoch, metadata, commitTimestamp, expireTimestamp, topicId } = value
  return {
    offset,
    leaderEpoch,
    metadata,
    commitTimestampMs: Number(commitTimestamp),
    expireTimestampMs: Number(expireTimestamp),
    topicId,
    recordOffset,
  }
}

export function offsetCommit(
  key: PartitionOfGroup,
  {
    offset,
    leaderEpoch,
    metadata,
    commitTimestampMs,
    expireTimestampMs,
    topicId,
  }: Omit<CommittedOffset, 'recordOffset'>,
): CoordinatorRecord {
  const value = {
    offset,
    leaderEpoch,
    metadata,
    commitTimestamp: BigInt(commitTimestampMs),
    expireTimestamp: BigInt(expireTimestampMs),
    topicId,
  }
  return expireTimestampMs === -1
    ? record(OffsetCommitRecord, key, value)
    : record(OffsetCommitRecord, key, value, valueVersionWithExpiration)
}

export function offsetTombstone(key: PartitionOfGroup): CoordinatorRecord {
  return tombstone(OffsetCommitRecord, key)
}
