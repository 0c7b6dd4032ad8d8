/** Finding records by their time. Source: Kafka's UnifiedLog.fetchOffsetByTimestamp, FileRecords.searchForTimestamp. */
import { readRecords } from '@millrace/protocol'
import type { Segment } from './segments/segment.ts'

export interface TimestampAndOffset {
  readonly timestamp: bigint
  readonly offset: bigint
  /** -1 when not known. */
  readonly leaderEpoch: number
}

/** The first record at or after `timestamp` from `startOffset` on; null when there is none. */
export async function findTimestamp(
  segments: readonly Segment[],
  timestamp: bigint,
  startOffset: bigint,
): Promise<TimestampAndOffset | null> {
  let found: TimestampAndOffset | null = null
  // A copy: segments may be rolled or deleted while batches are read.
  const candidates = [...segments]
  for (const [index, segment] of candidates.entries()) {
    const next = candidates[index + 1]
    if (next !== undefined && next.baseOffset <= startOffset) continue
    if (segment.writtenBytes === 0 || largestTimestamp(segment) < timestamp) continue
    await segment.findByTimestamp(timestamp, startOffset, (batch, leaderEpoch) => {
      for (const record of readRecords(batch))
        if (record.timestamp >= timestamp && record.offset >= startOffset) {
          found = { timestamp: record.timestamp, offset: record.offset, leaderEpoch }
          return true
        }
      return false
    })
    // None only if all that is late enough lies below the log start.
    if (found !== null) break
  }
  return found
}

/** The first record with the largest timestamp of all; null when no record has one. */
export async function findMaxTimestamp(segments: readonly Segment[]): Promise<TimestampAndOffset | null> {
  let latest: Segment | undefined
  for (const segment of segments)
    if (latest === undefined || segment.maxTimestamp > latest.maxTimestamp) latest = segment
  if (latest === undefined || latest.maxTimestamp < 0n) return null
  const { maxTimestamp } = latest
  let found: TimestampAndOffset | null = null
  await latest.walkBatchesWith(
    (cursor) => cursor.maxTimestamp === maxTimestamp,
    latest.positionBelow(latest.offsetOfMaxTimestamp),
    (batch, leaderEpoch) => {
      for (const record of readRecords(batch))
        if (record.timestamp === maxTimestamp) {
          found = { timestamp: record.timestamp, offset: record.offset, leaderEpoch }
          break
        }
      return true
    },
  )
  return found
}

/** As retention: a segment whose records have no time counts as of its last change. */
function largestTimestamp(segment: Segment): bigint {
  return segment.maxTimestamp >= 0n ? segment.maxTimestamp : BigInt(Math.floor(segment.modifiedMs()))
}
