/** Finding records by their time. Source: Kafka's UnifiedLog.fetchOffsetByTimestamp, FileRecords.searchForTimestamp. */
import { ErrorCode, KafkaError, readRecords } from '@millrace/protocol'
import type { BufferPool } from '@millrace/runtime'
import { BatchCursor } from './segments/batch-cursor.ts'
import type { Segment } from './segments/segment.ts'

export interface TimestampAndOffset {
  readonly timestamp: bigint
  readonly offset: bigint
  /** -1 when not known. */
  readonly leaderEpoch: number
}

export interface TimestampQuery {
  readonly timestamp: bigint
  readonly startOffset: bigint
  /** Buffers for the walk. */
  readonly chunks: BufferPool
}

/** Gets a whole batch; returns whether that was enough. */
type BatchVisitor = (batch: Uint8Array, leaderEpoch: number) => boolean

const lookupChunkBytes = 64 * 1024

/** The first record at or after `timestamp` from `startOffset` on; null when there is none. */
export async function findTimestamp(
  segments: readonly Segment[],
  { timestamp, startOffset, chunks }: TimestampQuery,
): Promise<TimestampAndOffset | null> {
  let found: TimestampAndOffset | null = null
  // A copy: segments may be rolled or deleted while batches are read.
  const candidates = [...segments]
  for (const [index, segment] of candidates.entries()) {
    const next = candidates[index + 1]
    if (next !== undefined && next.baseOffset <= startOffset) continue
    if (segment.writtenBytes === 0 || largestTimestamp(segment) < timestamp) continue
    const isLateEnough = (cursor: BatchCursor): boolean => cursor.maxTimestamp >= timestamp
    const start = startOfLookup(segment, timestamp, startOffset)
    await walkBatches({ segment, start, chunks, wants: isLateEnough }, (batch, leaderEpoch) => {
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
export async function findMaxTimestamp(
  segments: readonly Segment[],
  chunks: BufferPool,
): Promise<TimestampAndOffset | null> {
  let best: TimestampAndOffset | null = null
  // Most often the first is all. But compaction keeps batches without records, with the timestamps of those they had.
  const byTimestamp = segments.toSorted((a, b) => Number(b.timestamps.max - a.timestamps.max) || order(a, b))
  for (const segment of byTimestamp) {
    const { max, offsetOfMax } = segment.timestamps
    const least: bigint = best?.timestamp ?? -1n
    if (max < 0n || max < least) break
    const start = segment.positionBelow(offsetOfMax)
    const found: TimestampAndOffset | null =
      (await findLatest({ segment, start, chunks }, max)) ?? (await findLatest({ segment, start: 0, chunks }, null))
    if (found !== null && (found.timestamp > least || (found.timestamp === least && found.offset < best!.offset)))
      best = found
  }
  return best
}

function order(a: Segment, b: Segment): number {
  return a.baseOffset < b.baseOffset ? -1 : 1
}

/** The first record with this timestamp, or with the largest. */
async function findLatest(where: Omit<Walk, 'wants'>, timestamp: bigint | null): Promise<TimestampAndOffset | null> {
  let found: TimestampAndOffset | null = null
  const least = (): bigint => found?.timestamp ?? -1n
  const wants = (cursor: BatchCursor): boolean =>
    timestamp === null ? cursor.maxTimestamp > least() : cursor.maxTimestamp === timestamp
  await walkBatches({ ...where, wants }, (batch, leaderEpoch) => {
    for (const record of readRecords(batch)) {
      const isLatest = timestamp === null ? record.timestamp > least() : record.timestamp === timestamp
      if (!isLatest) continue
      found = { timestamp: record.timestamp, offset: record.offset, leaderEpoch }
      if (timestamp !== null) return true
    }
    return false
  })
  return found
}

/** As retention: a segment whose records have no time counts as of its last change. */
function largestTimestamp(segment: Segment): bigint {
  const { max } = segment.timestamps
  return max >= 0n ? max : BigInt(Math.floor(segment.modifiedMs()))
}

/** The position from which on a record at or after both can be. */
function startOfLookup(segment: Segment, timestamp: bigint, startOffset: bigint): number {
  const { timeIndex, baseOffset } = segment
  const slot = timeIndex.slotFor(timestamp)
  const fromTime = slot < 0 ? baseOffset : baseOffset + BigInt(timeIndex.relativeOffsetAt(slot))
  return segment.positionBelow(fromTime > startOffset ? fromTime : startOffset)
}

interface Walk {
  readonly segment: Segment
  /** Position of a batch. */
  readonly start: number
  readonly chunks: BufferPool
  /** Whether a batch is to be read whole, by its header. */
  readonly wants: (cursor: BatchCursor) => boolean
}

/** Reads batches without blocking, until `visit` returns true. */
async function walkBatches({ segment, start, chunks, wants }: Walk, visit: BatchVisitor): Promise<void> {
  const buffer = chunks.acquire(lookupChunkBytes)
  try {
    const cursor = new BatchCursor(buffer).reset(segment.log, start, segment.writtenBytes)
    for (let step = cursor.step(); step !== 'end'; step = cursor.step()) {
      if (step === 'fill') {
        await cursor.fill()
        continue
      }
      if (!wants(cursor)) continue
      const whole = chunks.acquire(cursor.sizeBytes)
      try {
        if (visit(await cursor.readWhole(whole), cursor.leaderEpoch)) return
      } finally {
        chunks.release(whole)
      }
    }
    segment.assertWalked(cursor)
  } catch (error) {
    if (!segment.isRemoved) throw error
    throw new KafkaError(
      ErrorCode.NOT_LEADER_OR_FOLLOWER,
      `${segment.path}: was removed while it was searched for a timestamp`,
      { cause: error },
    )
  } finally {
    chunks.release(buffer)
  }
}
