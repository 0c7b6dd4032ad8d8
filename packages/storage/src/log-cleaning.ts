/**
 * What a cleaner has to know of a log, and how it puts its work in place. Source: Kafka's LogCleanerManager.cleanableOffsets, LogToClean.
 *
 * A log is clean up to its first dirty offset: below, no key is there twice. It is dirty from there to the first uncleanable offset, and
 * what lies behind that may not be cleaned yet: undecided transactions, records younger than `min.compaction.lag.ms`, the active segment.
 */
import type { AbortedTransaction } from './formats/transaction-index.ts'
import type { LogState } from './log-state.ts'
import type { Segment } from './segments/segment.ts'
import { replaceSegments, type CleanedFiles } from './segments/segment-replacement.ts'

export interface CleanableRange {
  readonly firstDirtyOffset: bigint
  /** Where a segment begins. */
  readonly firstUncleanableOffset: bigint
  readonly cleanableBytes: number
  /** Clean and cleanable. */
  readonly totalBytes: number
  /** How long records have been dirty for longer than `max.compaction.lag.ms`; 0 when none have. */
  readonly overdueMs: number
}

/** Share of the log that is dirty and may be cleaned. */
export function dirtyRatio({ cleanableBytes, totalBytes }: CleanableRange): number {
  return totalBytes === 0 ? 0 : cleanableBytes / totalBytes
}

export class LogCleaning {
  /** The cleaner failed on this log: it is left alone until the next start. */
  isUncleanable = false
  readonly #log: LogState
  readonly #onLowered: () => void
  #firstDirtyOffset: bigint | null
  #cuts = 0

  /** `onLowered`: the first dirty offset has moved down, and should soon be checkpointed. */
  constructor(log: LogState, firstDirtyOffset: bigint | null, onLowered: () => void) {
    this.#log = log
    this.#firstDirtyOffset = firstDirtyOffset
    this.#onLowered = onLowered
  }

  /** What `cleaner-offset-checkpoint` is to say; null: the log was never cleaned. */
  get firstDirtyOffset(): bigint | null {
    return this.#firstDirtyOffset
  }

  /** Counts what makes cleaning in progress worthless: the log's end, or all of it, was cut. */
  get cuts(): number {
    return this.#cuts
  }

  cleanedTo(offset: bigint): void {
    this.#firstDirtyOffset = offset
  }

  /** The other log has the same records: that of a replica which moves to another directory. */
  takeOver(other: LogCleaning): void {
    this.#firstDirtyOffset = other.#firstDirtyOffset
    this.isUncleanable = other.isUncleanable
  }

  /** The end of the log was cut; everything from `offset` on, the start of the active segment, counts as dirty. */
  cutTo(offset: bigint): void {
    this.#cuts++
    if (this.#firstDirtyOffset === null || this.#firstDirtyOffset <= offset) return
    this.#firstDirtyOffset = offset
    this.#onLowered()
  }

  range(nowMs: number): CleanableRange {
    const { segments } = this.#log
    const firstDirtyOffset = this.#dirtyFrom()
    const uncleanable = this.#uncleanableFrom(firstDirtyOffset, nowMs)
    const from = uncleanable > firstDirtyOffset ? uncleanable : firstDirtyOffset
    const firstUncleanableOffset = (segments.floor(from) ?? segments.first).baseOffset
    const cleanBytes = sizeOf(segments.between(0n, firstDirtyOffset))
    const start = firstDirtyOffset < firstUncleanableOffset ? firstDirtyOffset : firstUncleanableOffset
    const cleanableBytes = sizeOf(segments.between(start, firstUncleanableOffset))
    return {
      firstDirtyOffset,
      firstUncleanableOffset,
      cleanableBytes,
      totalBytes: cleanBytes + cleanableBytes,
      overdueMs: this.#overdueMs(firstDirtyOffset, nowMs),
    }
  }

  /** As of the checkpoint, unless that cannot be true. */
  #dirtyFrom(): bigint {
    const { ends, config, logger } = this.#log
    const { logStartOffset, logEndOffset } = ends
    const checkpoint = this.#firstDirtyOffset
    if (checkpoint === null || (checkpoint >= logStartOffset && checkpoint <= logEndOffset))
      return checkpoint ?? logStartOffset
    // Retention of a topic that is compacted and deleted passes the checkpoint now and then.
    if (checkpoint > logEndOffset || !config.cleanupPolicies.delete)
      logger.warn('the offset up to which the log is clean is not in it: all of it counts as dirty', {
        checkpoint,
        logStartOffset,
        logEndOffset,
      })
    this.#firstDirtyOffset = logStartOffset
    return logStartOffset
  }

  #uncleanableFrom(firstDirtyOffset: bigint, nowMs: number): bigint {
    const { segments, config } = this.#log
    let first = this.#log.lastStableOffset()
    if (segments.active.baseOffset < first) first = segments.active.baseOffset
    if (config.minCompactionLagMs <= 0) return first
    const youngest = this.#dirtyRolled(firstDirtyOffset).find(
      (segment) => segment.largestTimestampMs() > nowMs - config.minCompactionLagMs,
    )
    return youngest !== undefined && youngest.baseOffset < first ? youngest.baseOffset : first
  }

  #overdueMs(firstDirtyOffset: bigint, nowMs: number): number {
    const { maxCompactionLagMs } = this.#log.config
    if (maxCompactionLagMs >= Number.MAX_SAFE_INTEGER) return 0
    let oldest = Infinity
    for (const segment of this.#dirtyRolled(firstDirtyOffset)) {
      const first = Number(segment.timestamps.first() ?? -1n)
      if (first > 0 && first < oldest) oldest = first
    }
    return Math.max(0, nowMs - Math.max(0, maxCompactionLagMs) - oldest)
  }

  #dirtyRolled(firstDirtyOffset: bigint): Segment[] {
    const { segments } = this.#log
    return segments.between(firstDirtyOffset, segments.active.baseOffset)
  }

  /** Segments with offsets in [from, to); the first may begin before. */
  segments(from: bigint, to: bigint): Segment[] {
    return this.#log.segments.between(from, to)
  }

  /** Where the segment behind this one begins, or the log ends. */
  endOf(segment: Segment): bigint {
    const { segments, ends } = this.#log
    return segments.after(segment)?.baseOffset ?? ends.logEndOffset
  }

  /** Aborted transactions with data between the offsets, and perhaps some more. */
  abortedBetween(from: bigint, to: bigint): AbortedTransaction[] {
    const { segments } = this.#log
    const aborted: AbortedTransaction[] = []
    for (const segment of segments.from(from))
      if (segment.indexes.transactions?.collect(from, to, aborted) === true) break
    return aborted
  }

  /** Producers that may go on writing: id, offset of the last data batch (-1n: none is known), epoch. */
  lastRecordsOfProducers(): [producerId: bigint, lastDataOffset: bigint, producerEpoch: number][] {
    return Array.from(this.#log.producers.all.values(), (entry) => [entry.producerId, entry.lastOffset, entry.epoch])
  }

  /** Whether all of them are still where they were, next to each other. */
  has(old: readonly Segment[]): boolean {
    const { all } = this.#log.segments
    const at = all.indexOf(old[0]!)
    return at >= 0 && at + old.length < all.length && old.every((segment, index) => all[at + index] === segment)
  }

  /** As `replaceSegments`. */
  replace(old: readonly Segment[], cleaned: CleanedFiles): void {
    replaceSegments(this.#log, old, cleaned)
  }
}

function sizeOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}
