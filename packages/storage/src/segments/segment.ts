/**
 * One segment of a log: a file of batches and the indexes into it. Source: Kafka's LogSegment.
 *
 * Appends are two steps: `noteBatch` counts a batch and indexes it when it is staged, `wrote` tells that its bytes are in the file. Readers
 * see only what is written.
 */
import type { Logger } from '@millrace/runtime'
import type { PooledFile } from '../file-pool.ts'
import { maxRelativeOffset, type OffsetIndex } from '../formats/offset-index.ts'
import type { SegmentFileState } from '../formats/segment-file-name.ts'
import type { TimeIndex } from '../formats/time-index.ts'
import type { LogConfig } from '../log-config.ts'
import type { LogServices } from '../log-services.ts'
import type { BatchCursor } from './batch-cursor.ts'
import { CorruptSegmentError } from './corrupt-segment-error.ts'
import { SegmentFiles } from './segment-files.ts'
import { SegmentIndexes } from './segment-indexes.ts'
import { SegmentTimestamps } from './segment-timestamps.ts'

export interface SegmentOptions {
  readonly services: LogServices
  readonly logger: Logger
  readonly directory: string
  readonly baseOffset: bigint
  /** Bytes in the file; 0 for a new segment. */
  readonly sizeBytes: number
  readonly config: LogConfig
  /** The file is there, perhaps with indexes. */
  readonly exists: boolean
  readonly hasTransactionIndex: boolean
  /** Default 'live'. */
  readonly state?: SegmentFileState
}

/** A batch found by an offset. */
export interface FoundBatch {
  readonly position: number
  readonly sizeBytes: number
  readonly baseOffset: bigint
  readonly lastOffset: bigint
}

export interface RollQuestion {
  readonly sizeBytes: number
  readonly lastOffset: bigint
  readonly maxTimestamp: bigint
  readonly nowMs: number
  readonly config: LogConfig
}

/** The active segment is not compacted: it must not keep records back for longer than they may stay uncompacted. Source: LogConfig.maxSegmentMs. */
function rollAfterMs({ cleanupPolicies, maxCompactionLagMs, segmentMs }: LogConfig): number {
  return cleanupPolicies.compact && maxCompactionLagMs > 0 ? Math.min(maxCompactionLagMs, segmentMs) : segmentMs
}

/** Invariant: writtenBytes ≤ sizeBytes; the file holds at least `writtenBytes` bytes, whole batches with ascending offsets. */
export class Segment {
  readonly baseOffset: bigint
  readonly indexes: SegmentIndexes
  readonly timestamps: SegmentTimestamps
  /** Taken off `segment.ms`. */
  readonly jitterMs: number
  sizeBytes: number
  writtenBytes: number
  /** Counts truncations: a slice located before one must not be read after it. */
  truncations = 0
  /** The files are gone, or about to go: nothing may create them again. */
  isRemoved = false
  /** Another segment has taken its place: what is not here any more can be found there. */
  isReplaced = false
  /** Reads were fast when last measured, so the page cache has it. */
  isWarm: boolean
  /** What was there when this process opened the segment; all behind it was written by this process. */
  readonly openedBytes: number
  /** The log was closed: a slice located before must not open the files again. */
  isReleased = false
  /** Batches were noted or cut since the index files were complete. */
  isUnsealed = false
  /** The directory was synced since the log file appeared in it. */
  isNameSynced: boolean
  /** The log file holds bytes that are not synced. */
  isUnsynced = false
  readonly #services: LogServices
  readonly #logger: Logger
  readonly #files: SegmentFiles
  readonly #indexIntervalBytes: number
  #createdMs: number
  #areIndexesChecked: boolean
  #bytesSinceIndexEntry = 0

  constructor(options: SegmentOptions) {
    const { services, config, directory, baseOffset, sizeBytes, exists, hasTransactionIndex, state = 'live' } = options
    const files = new SegmentFiles({ services, directory, baseOffset, state, exists })
    this.#services = services
    this.#logger = options.logger
    this.#files = files
    this.#indexIntervalBytes = config.indexIntervalBytes
    this.baseOffset = baseOffset
    this.jitterMs =
      config.segmentJitterMs <= 0
        ? 0
        : Math.floor(services.random.next() * Math.min(config.segmentJitterMs, config.segmentMs))
    this.sizeBytes = sizeBytes
    this.writtenBytes = sizeBytes
    this.openedBytes = sizeBytes
    this.#createdMs = services.clock.now()
    this.#areIndexesChecked = !exists
    this.isWarm = !exists
    this.isNameSynced = exists
    this.indexes = new SegmentIndexes({ services, files, baseOffset, logBytes: sizeBytes, hasTransactionIndex })
    this.timestamps = new SegmentTimestamps(this, { isNew: !exists })
  }

  /** Whether the log file is on disk. A segment's first bytes create it. */
  get exists(): boolean {
    return this.#files.exists
  }

  get path(): string {
    return this.#files.path('log')
  }

  get log(): PooledFile {
    return this.#files.log
  }

  get offsetIndex(): OffsetIndex {
    if (!this.#areIndexesChecked) this.#checkIndexes()
    return this.indexes.offsets
  }

  get timeIndex(): TimeIndex {
    if (!this.#areIndexesChecked) this.#checkIndexes()
    return this.indexes.times
  }

  /** How large the index files of a sealed segment are, without reading them. */
  get indexFileSizes(): { readonly offsetIndexBytes: number; readonly timeIndexBytes: number } {
    return { offsetIndexBytes: this.#files.sizeBytes('index'), timeIndexBytes: this.#files.sizeBytes('timeindex') }
  }

  /** When the log file was last changed, or the segment begun if it has none. */
  modifiedMs(): number {
    return this.#files.modifiedMs() ?? this.#createdMs
  }

  /** What retention goes by: the largest timestamp, or when the file was last changed if no record has one. */
  largestTimestampMs(): number {
    const { max } = this.timestamps
    return max >= 0n ? Number(max) : this.modifiedMs()
  }

  canHold(offset: bigint): boolean {
    const relative = offset - this.baseOffset
    return relative >= 0n && relative <= maxRelativeOffset
  }

  shouldRoll({ sizeBytes, lastOffset, maxTimestamp, nowMs, config }: RollQuestion): boolean {
    if (this.sizeBytes > config.segmentBytes - sizeBytes) return true
    if (this.sizeBytes > 0) {
      const first = this.timestamps.first()
      const waitedMs = first === null ? nowMs - this.#createdMs : Number(maxTimestamp - first)
      if (waitedMs > rollAfterMs(config) - this.jitterMs) return true
    }
    return (
      this.offsetIndex.isFull(config.segmentIndexBytes) ||
      this.timeIndex.isFull(config.segmentIndexBytes) ||
      !this.canHold(lastOffset)
    )
  }

  /** Counts a batch that will be written at `sizeBytes`, and indexes it when enough was appended since the last entry. */
  noteBatch(batchBytes: number, lastOffset: bigint, maxTimestamp: bigint): void {
    const { timestamps } = this
    timestamps.note(lastOffset, maxTimestamp)
    if (this.#bytesSinceIndexEntry > this.#indexIntervalBytes) {
      this.offsetIndex.append(Number(lastOffset - this.baseOffset), this.sizeBytes)
      this.timeIndex.maybeAppend(timestamps.max, Number(timestamps.offsetOfMax - this.baseOffset))
      this.#bytesSinceIndexEntry = 0
    }
    this.isUnsealed = true
    this.sizeBytes += batchBytes
    this.#bytesSinceIndexEntry += batchBytes
  }

  /** The bytes up to `endPosition` are in the file now. */
  wrote(endPosition: number): void {
    this.writtenBytes = endPosition
    this.#files.exists = true
    this.isUnsynced = true
  }

  /** Whether the index files are to be brought up to date, now that everything noted is written. */
  get wantsIndexFlush(): boolean {
    return this.indexes.wantFlush(this.writtenBytes)
  }

  flushIndexes(): void {
    this.indexes.flush(this.writtenBytes)
  }

  /** The batches from `position` on that are written, one by one. For one synchronous piece of work: all segments share the cursor. */
  walk(position: number): BatchCursor {
    return this.#services.cursor.reset(this.log, position, this.writtenBytes)
  }

  /** The batch that holds `offset`, or the first one behind it; null when there is none. */
  find(offset: bigint): FoundBatch | null {
    const cursor = this.walk(this.positionBelow(offset))
    while (cursor.nextSync())
      if (cursor.lastOffset >= offset)
        return {
          position: cursor.position,
          sizeBytes: cursor.sizeBytes,
          baseOffset: cursor.baseOffset,
          lastOffset: cursor.lastOffset,
        }
    this.assertWalked(cursor)
    return null
  }

  /** The position of the last index entry at or below `offset`; 0 when there is none. */
  positionBelow(offset: bigint): number {
    const relative = offset - this.baseOffset
    const index = this.offsetIndex
    const slot = index.slotFor(relative > maxRelativeOffset ? maxRelativeOffset : Number(relative))
    return slot < 0 ? 0 : index.positionAt(slot)
  }

  /** An offset at or above that of every record in the bytes [0, position), by the index; null when it has no entry there. */
  offsetAtOrBehind(position: number): bigint | null {
    const slot = this.offsetIndex.slotAtPosition(position)
    return slot < 0 ? null : this.baseOffset + BigInt(this.offsetIndex.relativeOffsetAt(slot))
  }

  /** The offset after the last written batch: the base offset when there is none. */
  readEndOffset(): bigint {
    const index = this.offsetIndex
    const start = index.count === 0 ? 0 : index.positionAt(index.count - 1)
    const cursor = this.walk(start)
    let end = this.baseOffset
    while (cursor.nextSync()) end = cursor.lastOffset + 1n
    this.assertWalked(cursor)
    return end
  }

  /** Cuts everything from the batch that holds `offset` on. Only when nothing is staged. */
  truncateTo(offset: bigint): void {
    const found = this.find(offset)
    this.indexes.truncate(offset)
    if (found !== null) this.cutAt(found.position)
    this.#bytesSinceIndexEntry = 0
    if (this.sizeBytes === 0) {
      this.#createdMs = this.#services.clock.now()
      this.timestamps.clear()
    } else this.timestamps.reread()
  }

  /** Cuts the file, and nothing else. */
  cutAt(position: number): void {
    this.truncations++
    this.isUnsealed = true
    this.log.truncateSync(position)
    this.sizeBytes = position
    this.writtenBytes = position
    this.indexes.logCutAt(position)
    this.isUnsynced = true
  }

  /** Empties the indexes, for a scan of the whole file that notes every batch again. */
  startRebuild(): void {
    this.#areIndexesChecked = true
    this.indexes.clear()
    this.indexes.clearTransactions()
    this.timestamps.clear()
    this.isUnsealed = true
  }

  /** The batches from `position` on will be noted (again). */
  startNotingAt(position: number): void {
    this.sizeBytes = position
    this.writtenBytes = position
    this.#bytesSinceIndexEntry = 0
    this.indexes.startAt(position)
  }

  /** Writes the last time index entry and complete index files; the segment is rolled or closed. Everything noted must be written. */
  seal(): void {
    if (!this.isUnsealed || !this.exists) return
    // First, as this may rebuild the indexes and read the timestamps anew.
    const { timeIndex } = this
    timeIndex.maybeAppend(this.timestamps.max, Number(this.timestamps.offsetOfMax - this.baseOffset))
    this.indexes.finish(this.writtenBytes)
    this.isUnsealed = false
  }

  /** Makes an empty log file: the only trace of where a log without records begins. */
  createFile(): void {
    if (this.exists) return
    this.log.sizeSync()
    this.#files.exists = true
    this.isUnsealed = true
    this.isUnsynced = true
  }

  async syncLog(): Promise<void> {
    if (!this.isUnsynced || this.isRemoved) return
    this.isUnsynced = false
    await this.log.sync()
  }

  async syncIndexes(): Promise<void> {
    if (!this.isRemoved) await this.indexes.sync()
  }

  /** The files are of a process that died: nobody knows which of their bytes were synced. */
  markUnsynced(): void {
    if (!this.exists) return
    this.isUnsynced = true
    this.isNameSynced = false
    this.indexes.markUnsynced()
  }

  /** Renames all files. Reads under way go on. */
  changeState(to: SegmentFileState): void {
    this.#files.changeState(to)
    this.indexes.moved()
  }

  removeFiles(): void {
    this.isRemoved = true
    this.closeFiles()
    this.#files.remove()
  }

  /** Lets go of descriptors and index memory, writing nothing. */
  closeFiles(): void {
    this.isReleased = true
    this.#files.close()
    this.indexes.close()
  }

  movedTo(directory: string): void {
    this.#files.movedTo(directory)
    this.indexes.moved()
  }

  /** A walk over written bytes that stopped early means that the file is damaged. @throws CorruptSegmentError. */
  assertWalked(cursor: BatchCursor): void {
    if (cursor.problem !== null)
      throw new CorruptSegmentError(
        this.baseOffset,
        `${this.path}: no batch at ${cursor.nextPosition}: ${cursor.problem}`,
      )
  }

  /** Looks at the indexes for the first time, and rebuilds them when they cannot be trusted. */
  #checkIndexes(): void {
    const problem = this.indexes.findProblem(this.sizeBytes)
    this.#areIndexesChecked = true
    if (problem === null) return
    this.#logger.warn('the indexes of a segment are rebuilt', { segment: this.path, problem })
    this.#rebuildOffsetAndTimeIndex()
  }

  /** From the headers alone; the transaction index is left as it is. */
  #rebuildOffsetAndTimeIndex(): void {
    const end = this.writtenBytes
    const size = this.sizeBytes
    this.indexes.clear()
    this.timestamps.clear()
    this.startNotingAt(0)
    const cursor = this.#services.cursor.reset(this.log, 0, end)
    while (cursor.nextSync()) this.noteBatch(cursor.sizeBytes, cursor.lastOffset, cursor.maxTimestamp)
    this.sizeBytes = size
    this.writtenBytes = end
    this.assertWalked(cursor)
    this.seal()
  }
}
