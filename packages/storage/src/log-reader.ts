/** Finding offsets in the segments of a log, and the bytes of fetches. Source: Kafka's LocalLog.read. */
import type { Clock } from '@millrace/runtime'
import type { AbortedTransaction } from './formats/transaction-index.ts'
import { LogSlice, type FetchedAbort, type OffsetPosition } from './log-slice.ts'
import type { FoundBatch, Segment } from './segments/segment.ts'
import type { SegmentList } from './segments/segment-list.ts'

/** The ends of a log between which may be read. */
export interface ReadableLog {
  readonly logStartOffset: bigint
  readonly writtenEndOffset: bigint
}

export interface ReadLimits {
  /** Nothing from this offset on is given; at most the written end. */
  readonly limitOffset: bigint
  readonly maxBytes: number
  readonly minOneBatch: boolean
  /** Tell which transactions among the bytes were aborted. */
  readonly withAborts: boolean
}

export class LogReader {
  readonly #clock: Clock
  readonly #segments: SegmentList
  readonly #log: ReadableLog
  /** Where the last limit asked for lies: the high watermark is asked for again and again. */
  #limitPosition: OffsetPosition | null = null

  constructor(options: { clock: Clock; segments: SegmentList; log: ReadableLog }) {
    this.#clock = options.clock
    this.#segments = options.segments
    this.#log = options.log
  }

  /** Segments were removed or cut. */
  forgetPositions(): void {
    this.#limitPosition = null
  }

  /** `offset` is at least the log start; length 0 when nothing lies between it and the limit. */
  locate(offset: bigint, limits: ReadLimits): LogSlice {
    const { limitOffset, maxBytes, minOneBatch, withAborts } = limits
    const limit = this.#positionOfLimit(limitOffset)
    if (offset >= limitOffset)
      return this.#emptySlice(offset === limitOffset ? limit : (this.positionOf(offset) ?? limit), withAborts)
    const located = this.#find(offset)
    // Compaction may have removed everything from `offset` to the end.
    if (located === null) return this.#emptySlice(limit, withAborts)
    const { segment, found } = located
    const end = segment.baseOffset === limit.segmentBaseOffset ? limit.position : segment.writtenBytes
    const isBehind = segment.baseOffset > limit.segmentBaseOffset
    const available = isBehind ? 0 : Math.max(0, end - found.position)
    const length = Math.min(available, minOneBatch ? Math.max(maxBytes, found.sizeBytes) : maxBytes)
    return new LogSlice({
      clock: this.#clock,
      segment,
      start: { offset, segmentBaseOffset: segment.baseOffset, position: found.position },
      length,
      firstBatchIncomplete: available > 0 && length < found.sizeBytes,
      moreFollows: segment.baseOffset < limit.segmentBaseOffset,
      abortedTransactions: withAborts ? this.#abortedIn(segment, offset, found.position + length) : null,
    })
  }

  /** null when the offset is outside of what is written. */
  positionOf(offset: bigint): OffsetPosition | null {
    const { logStartOffset, writtenEndOffset } = this.#log
    if (offset < logStartOffset || offset > writtenEndOffset) return null
    const located = offset === writtenEndOffset ? null : this.#find(offset)
    if (located === null) return this.#writtenEnd()
    return { offset, segmentBaseOffset: located.segment.baseOffset, position: located.found.position }
  }

  /** The batch that holds `offset`, or the first one behind it. */
  #find(offset: bigint): { segment: Segment; found: FoundBatch } | null {
    for (let segment = this.#segments.floor(offset); segment !== undefined; segment = this.#segments.after(segment)) {
      const found = segment.find(offset)
      if (found !== null) return { segment, found }
    }
    return null
  }

  #positionOfLimit(offset: bigint): OffsetPosition {
    if (offset === this.#log.writtenEndOffset) return this.#writtenEnd()
    if (this.#limitPosition?.offset === offset) return this.#limitPosition
    this.#limitPosition = this.positionOf(offset) ?? this.#writtenEnd()
    return this.#limitPosition
  }

  #writtenEnd(): OffsetPosition {
    const { baseOffset, writtenBytes } = this.#segments.active
    return { offset: this.#log.writtenEndOffset, segmentBaseOffset: baseOffset, position: writtenBytes }
  }

  #emptySlice(start: OffsetPosition, withAborts: boolean): LogSlice {
    return new LogSlice({
      clock: this.#clock,
      segment: this.#segments.active,
      start,
      length: 0,
      firstBatchIncomplete: false,
      moreFollows: false,
      abortedTransactions: withAborts ? [] : null,
    })
  }

  /** Those that overlap the bytes up to `endPosition`, by first offset, and perhaps some more: the index that names the offset there is sparse. */
  #abortedIn(segment: Segment, offset: bigint, endPosition: number): FetchedAbort[] {
    const upperBound =
      segment.offsetAtOrBehind(endPosition) ?? this.#segments.after(segment)?.baseOffset ?? this.#log.writtenEndOffset
    const aborted: AbortedTransaction[] = []
    for (let next: Segment | undefined = segment; next !== undefined; next = this.#segments.after(next))
      if (next.indexes.transactions?.collect(offset, upperBound, aborted) === true) break
    // The index is in the order of their ends; clients read along, and look at the next one only.
    return aborted
      .sort((one, other) => (one.firstOffset < other.firstOffset ? -1 : 1))
      .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
  }
}
