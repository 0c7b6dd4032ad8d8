/**
 * One segment of a log: a file of batches and the indexes into it. Source: Kafka's LogSegment.
 *
 * Appends are two steps: `noteBatch` counts a batch and indexes it when it is staged, `wrote` tells that its bytes are in the file. Readers
 * see only what is written. Index entries reach their files after the bytes they point at, so at any time an index on disk is right,
 * only perhaps short at the end.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Logger } from '@millrace/runtime'
import type { PooledFile } from '../file-pool.ts'
import { maxRelativeOffset, OffsetIndex } from '../formats/offset-index.ts'
import { segmentFileName, type SegmentFileKind, type SegmentFileState } from '../formats/segment-file-name.ts'
import { TimeIndex } from '../formats/time-index.ts'
import { TransactionIndex } from '../formats/transaction-index.ts'
import type { LogConfig } from '../log-config.ts'
import type { LogServices } from '../log-services.ts'
import { BatchCursor } from './batch-cursor.ts'

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

/** What should be batches is not. */
export class CorruptSegmentError extends KafkaError {
  readonly segment: Segment

  constructor(segment: Segment, message: string) {
    super(ErrorCode.CORRUPT_MESSAGE, message)
    this.segment = segment
  }
}

/** Entries pending for the index files are written once they make a page… */
const indexFlushBytes = 4096
/** …or once so much log follows the last write: it bounds what a recovery has to check after a crash of the process. */
const indexFlushLogBytes = 4 * 1024 * 1024
/** A segment this large without any index entry has lost its index. */
const suspiciousUnindexedBytes = 4 * indexFlushLogBytes

/** Invariant: writtenBytes ≤ sizeBytes; the file holds at least `writtenBytes` bytes, whole batches with ascending offsets. */
export class Segment {
  readonly baseOffset: bigint
  /** Taken off `segment.ms`. */
  readonly jitterMs: number
  sizeBytes: number
  writtenBytes: number
  /** Counts truncations: a slice located before one must not be read after it. */
  truncations = 0
  /** The files are gone, or about to go: nothing may create them again. */
  isRemoved = false
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
  readonly #indexIntervalBytes: number
  #directory: string
  #state: SegmentFileState
  #createdMs: number
  #log: PooledFile | null = null
  #offsetIndex: OffsetIndex | null = null
  #timeIndex: TimeIndex | null = null
  #transactionIndex: TransactionIndex | null = null
  #hasTransactionIndex: boolean
  #exists: boolean
  #areIndexesChecked: boolean
  #bytesSinceIndexEntry = 0
  #indexFlushedAtBytes: number
  /** null until read from the time index. */
  #maxTimestamp: bigint | null
  #offsetOfMaxTimestamp: bigint
  /** Of the first batch; null until known. */
  #firstTimestamp: bigint | null = null

  constructor(options: SegmentOptions) {
    const { services, config } = options
    this.#services = services
    this.#logger = options.logger
    this.#directory = options.directory
    this.#state = options.state ?? 'live'
    this.#indexIntervalBytes = config.indexIntervalBytes
    this.baseOffset = options.baseOffset
    this.jitterMs =
      config.segmentJitterMs <= 0
        ? 0
        : Math.floor(services.random.next() * Math.min(config.segmentJitterMs, config.segmentMs))
    this.sizeBytes = options.sizeBytes
    this.writtenBytes = options.sizeBytes
    this.openedBytes = options.sizeBytes
    this.#indexFlushedAtBytes = options.sizeBytes
    this.#createdMs = services.clock.now()
    this.#exists = options.exists
    this.#hasTransactionIndex = options.hasTransactionIndex
    this.#areIndexesChecked = !options.exists
    this.#maxTimestamp = options.exists ? null : -1n
    this.#offsetOfMaxTimestamp = options.baseOffset
    this.isWarm = !options.exists
    this.isNameSynced = options.exists
  }

  /** Whether the log file is on disk. A segment's first bytes create it. */
  get exists(): boolean {
    return this.#exists
  }

  get path(): string {
    return this.#path('log')
  }

  get log(): PooledFile {
    if (this.#log === null) this.#log = this.#services.files.file(this.#path('log'), 'create')
    return this.#log
  }

  get offsetIndex(): OffsetIndex {
    if (!this.#areIndexesChecked) this.#checkIndexes()
    return this.#offsets
  }

  get timeIndex(): TimeIndex {
    if (!this.#areIndexesChecked) this.#checkIndexes()
    return this.#times
  }

  /** null when no transaction was aborted in this segment. */
  get transactionIndex(): TransactionIndex | null {
    if (this.#transactionIndex === null && this.#hasTransactionIndex) {
      this.#transactionIndex = new TransactionIndex(this.#indexOptions('txnindex'))
      const problem = this.#transactionIndex.findProblem(this.baseOffset)
      if (problem !== null) throw new CorruptSegmentError(this, `${this.#transactionIndex.file.path}: ${problem}`)
    }
    return this.#transactionIndex
  }

  /** As `transactionIndex`, made when there is none. */
  get transactionIndexForWriting(): TransactionIndex {
    const existing = this.transactionIndex
    if (existing !== null) return existing
    this.#transactionIndex = new TransactionIndex(this.#indexOptions('txnindex'))
    this.#transactionIndex.file.startEmpty()
    this.#hasTransactionIndex = true
    return this.#transactionIndex
  }

  /** -1n when no record has a timestamp. */
  get maxTimestamp(): bigint {
    if (this.#maxTimestamp === null) {
      const last = this.sizeBytes === 0 ? null : this.#times.last()
      this.#maxTimestamp = last?.timestamp ?? -1n
      this.#offsetOfMaxTimestamp = this.baseOffset + BigInt(last?.relativeOffset ?? 0)
    }
    return this.#maxTimestamp
  }

  /** The last offset of the batch with the largest timestamp. */
  get offsetOfMaxTimestamp(): bigint {
    void this.maxTimestamp
    return this.#offsetOfMaxTimestamp
  }

  /** What retention goes by: the largest timestamp, or when the file was last changed if no record has one. */
  largestTimestampMs(): number {
    if (this.maxTimestamp >= 0n) return Number(this.maxTimestamp)
    return this.modifiedMs()
  }

  modifiedMs(): number {
    return this.#services.disk.statusSync(this.#path('log'))?.modifiedMs ?? this.#createdMs
  }

  /** Of the first batch; null when there is none or it has no timestamp. */
  firstBatchTimestamp(): bigint | null {
    if (this.#firstTimestamp === null && this.sizeBytes > 0) {
      const cursor = this.#services.cursor.reset(this.log, 0, this.writtenBytes)
      if (cursor.nextSync()) this.#firstTimestamp = cursor.maxTimestamp
    }
    return this.#firstTimestamp !== null && this.#firstTimestamp >= 0n ? this.#firstTimestamp : null
  }

  canHold(offset: bigint): boolean {
    const relative = offset - this.baseOffset
    return relative >= 0n && relative <= maxRelativeOffset
  }

  shouldRoll({ sizeBytes, lastOffset, maxTimestamp, nowMs, config }: RollQuestion): boolean {
    if (this.sizeBytes > config.segmentBytes - sizeBytes) return true
    if (this.sizeBytes > 0) {
      const first = this.firstBatchTimestamp()
      const waitedMs = first === null ? nowMs - this.#createdMs : Number(maxTimestamp - first)
      if (waitedMs > config.segmentMs - this.jitterMs) return true
    }
    return (
      this.offsetIndex.isFull(config.segmentIndexBytes) ||
      this.timeIndex.isFull(config.segmentIndexBytes) ||
      !this.canHold(lastOffset)
    )
  }

  /** Counts a batch that will be written at `sizeBytes`, and indexes it when enough was appended since the last entry. */
  noteBatch(batchBytes: number, lastOffset: bigint, maxTimestamp: bigint): void {
    if (this.sizeBytes === 0) this.#firstTimestamp = maxTimestamp
    if (maxTimestamp > this.maxTimestamp) {
      this.#maxTimestamp = maxTimestamp
      this.#offsetOfMaxTimestamp = lastOffset
    }
    if (this.#bytesSinceIndexEntry > this.#indexIntervalBytes) {
      this.offsetIndex.append(Number(lastOffset - this.baseOffset), this.sizeBytes)
      this.timeIndex.maybeAppend(this.maxTimestamp, Number(this.#offsetOfMaxTimestamp - this.baseOffset))
      this.#bytesSinceIndexEntry = 0
    }
    this.isUnsealed = true
    this.sizeBytes += batchBytes
    this.#bytesSinceIndexEntry += batchBytes
  }

  /** The bytes up to `endPosition` are in the file now. */
  wrote(endPosition: number): void {
    this.writtenBytes = endPosition
    this.#exists = true
    this.isUnsynced = true
  }

  /** Whether the index files are to be brought up to date, now that everything noted is written. */
  get wantsIndexFlush(): boolean {
    return (
      (this.#offsetIndex?.file.pendingBytes ?? 0) >= indexFlushBytes ||
      this.writtenBytes - this.#indexFlushedAtBytes >= indexFlushLogBytes ||
      (this.#transactionIndex?.file.pendingBytes ?? 0) > 0
    )
  }

  /** The offset index goes last: recovery after a crash of the process trusts everything below its last entry. */
  flushIndexes(): void {
    this.#transactionIndex?.file.flush()
    this.#timeIndex?.file.flush()
    this.#offsetIndex?.file.flush()
    this.#indexFlushedAtBytes = this.writtenBytes
  }

  /** The batch that holds `offset`, or the first one behind it, among the first `limitBytes`; null when there is none. */
  find(offset: bigint, limitBytes: number): FoundBatch | null {
    const cursor = this.#services.cursor.reset(this.log, this.positionBelow(offset), limitBytes)
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
    const cursor = this.#services.cursor.reset(this.log, start, this.writtenBytes)
    let end = this.baseOffset
    while (cursor.nextSync()) end = cursor.lastOffset + 1n
    this.assertWalked(cursor)
    return end
  }

  /** Cuts everything from the batch that holds `offset` on. Only when nothing is staged. Returns the bytes cut. */
  truncateTo(offset: bigint): number {
    const found = this.find(offset, this.writtenBytes)
    const relative = offset - this.baseOffset
    const limit = relative > maxRelativeOffset ? maxRelativeOffset : Number(relative)
    this.offsetIndex.truncate(limit)
    this.timeIndex.truncate(limit)
    this.transactionIndex?.truncate(offset)
    const before = this.writtenBytes
    if (found !== null) this.cutAt(found.position)
    this.#bytesSinceIndexEntry = 0
    this.#maxTimestamp = null
    if (this.sizeBytes === 0) {
      this.#createdMs = this.#services.clock.now()
      this.#firstTimestamp = null
      this.#maxTimestamp = -1n
      this.#offsetOfMaxTimestamp = this.baseOffset
    } else this.#rereadMaxTimestamp()
    return before - this.writtenBytes
  }

  /** After `cutAt`: nothing in the indexes may point behind the cut. */
  dropIndexEntriesFrom(offset: bigint): void {
    const relative = Number(offset - this.baseOffset)
    this.offsetIndex.truncate(relative)
    this.timeIndex.truncate(relative)
    this.transactionIndex?.truncate(offset)
  }

  /** Cuts the file, and nothing else. */
  cutAt(position: number): void {
    this.truncations++
    this.isUnsealed = true
    this.log.truncateSync(position)
    this.sizeBytes = position
    this.writtenBytes = position
    this.#indexFlushedAtBytes = Math.min(this.#indexFlushedAtBytes, position)
    this.isUnsynced = true
  }

  /** Reads the indexes and says why they cannot be used, without doing anything about it; null when they can. */
  findIndexProblem(): string | null {
    if (this.sizeBytes === 0) return null
    const offsets = this.#offsets
    const times = this.#times
    if (offsets.count === 0) {
      if (!offsets.file.exists) return 'there is no offset index'
      return this.sizeBytes > suspiciousUnindexedBytes ? 'the offset index is empty' : null
    }
    if (times.count === 0 && !times.file.exists) return 'there is no time index'
    return offsets.findProblem(this.sizeBytes) ?? times.findProblem()
  }

  /** Empties the indexes, for a scan of the whole file that notes every batch again. */
  startRebuild(): void {
    this.#areIndexesChecked = true
    this.#offsets.file.truncate(0)
    this.#times.file.truncate(0)
    if (this.#hasTransactionIndex) {
      this.#transactionIndex ??= new TransactionIndex(this.#indexOptions('txnindex'))
      this.#transactionIndex.file.truncate(0)
    }
    this.#maxTimestamp = -1n
    this.#offsetOfMaxTimestamp = this.baseOffset
    this.#firstTimestamp = null
    this.isUnsealed = true
  }

  /** The batches from `position` on will be noted (again). */
  startNotingAt(position: number): void {
    this.sizeBytes = position
    this.writtenBytes = position
    this.#bytesSinceIndexEntry = 0
    this.#indexFlushedAtBytes = position
  }

  /** Writes the last time index entry and complete index files; the segment is rolled or closed. Everything noted must be written. */
  seal(): void {
    if (!this.isUnsealed || !this.#exists) return
    this.timeIndex.maybeAppend(this.maxTimestamp, Number(this.offsetOfMaxTimestamp - this.baseOffset))
    this.flushIndexes()
    this.#times.file.finish()
    this.#offsets.file.finish()
    this.isUnsealed = false
  }

  /** Makes an empty log file: the only trace of where a log without records begins. */
  createFile(): void {
    if (this.#exists) return
    this.log.sizeSync()
    this.#exists = true
    this.isUnsealed = true
    this.isUnsynced = true
  }

  async syncLog(): Promise<void> {
    if (!this.isUnsynced || this.isRemoved) return
    this.isUnsynced = false
    await this.log.sync()
  }

  async syncIndexes(): Promise<void> {
    if (this.isRemoved) return
    await Promise.all([
      this.#offsetIndex?.file.sync(),
      this.#timeIndex?.file.sync(),
      this.#transactionIndex?.file.sync(),
    ])
  }

  /** The files are of a process that died: nobody knows which of their bytes were synced. */
  markUnsynced(): void {
    if (!this.#exists) return
    this.isUnsynced = true
    this.isNameSynced = false
    this.#offsets.file.markUnsynced()
    this.#times.file.markUnsynced()
    this.transactionIndex?.file.markUnsynced()
  }

  /** Renames all files. Reads under way go on. */
  changeState(to: SegmentFileState): void {
    for (const kind of ['log', 'index', 'timeindex', 'txnindex'] as const) this.#rename(kind, to)
    this.#state = to
    this.#log?.moved(this.#path('log'))
    this.#offsetIndex?.file.moved(this.#path('index'))
    this.#timeIndex?.file.moved(this.#path('timeindex'))
    this.#transactionIndex?.file.moved(this.#path('txnindex'))
  }

  removeFiles(): void {
    this.isRemoved = true
    this.closeFiles()
    for (const kind of ['log', 'index', 'timeindex', 'txnindex'] as const)
      this.#services.disk.removeSync(this.#path(kind))
  }

  /** Lets go of descriptors and index memory, writing nothing. */
  closeFiles(): void {
    this.isReleased = true
    this.#log?.close()
    this.#offsetIndex?.file.close()
    this.#timeIndex?.file.close()
    this.#transactionIndex?.file.close()
  }

  movedTo(directory: string): void {
    this.#directory = directory
    this.#log?.moved(this.#path('log'))
    this.#offsetIndex?.file.moved(this.#path('index'))
    this.#timeIndex?.file.moved(this.#path('timeindex'))
    this.#transactionIndex?.file.moved(this.#path('txnindex'))
  }

  /** Offset of the first record at or after both; null when this segment has none. Reads without blocking. */
  async findByTimestamp(
    timestamp: bigint,
    startOffset: bigint,
    visit: (batch: Uint8Array, leaderEpoch: number) => boolean,
  ): Promise<void> {
    const slot = this.timeIndex.slotFor(timestamp)
    const fromTime = slot < 0 ? this.baseOffset : this.baseOffset + BigInt(this.timeIndex.relativeOffsetAt(slot))
    const start = this.positionBelow(fromTime > startOffset ? fromTime : startOffset)
    await this.walkBatchesWith((cursor) => cursor.maxTimestamp >= timestamp, start, visit)
  }

  /** Reads whole the batches from `start` on whose header `wants`, until `visit` returns true. */
  async walkBatchesWith(
    wants: (cursor: BatchCursor) => boolean,
    start: number,
    visit: (batch: Uint8Array, leaderEpoch: number) => boolean,
  ): Promise<void> {
    const { chunks } = this.#services
    const buffer = chunks.acquire(lookupChunkBytes)
    try {
      const cursor = new BatchCursor(buffer).reset(this.log, start, this.writtenBytes)
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
      this.assertWalked(cursor)
    } finally {
      chunks.release(buffer)
    }
  }

  /** A walk over written bytes that stopped early means that the file is damaged. @throws CorruptSegmentError. */
  assertWalked(cursor: BatchCursor): void {
    if (cursor.problem !== null)
      throw new CorruptSegmentError(this, `${this.path}: no batch at ${cursor.nextPosition}: ${cursor.problem}`)
  }

  get #offsets(): OffsetIndex {
    this.#offsetIndex ??= this.#newIndex(new OffsetIndex(this.#indexOptions('index')))
    return this.#offsetIndex
  }

  get #times(): TimeIndex {
    this.#timeIndex ??= this.#newIndex(new TimeIndex(this.#indexOptions('timeindex')))
    return this.#timeIndex
  }

  #newIndex<Index extends OffsetIndex | TimeIndex>(index: Index): Index {
    if (!this.#exists && this.#state === 'live') index.file.startEmpty()
    return index
  }

  /** Reads the indexes for the first time, and rebuilds them when they cannot be trusted. */
  #checkIndexes(): void {
    const problem = this.findIndexProblem()
    this.#areIndexesChecked = true
    if (problem === null) return
    this.#logger.warn('the indexes of a segment are rebuilt', { segment: this.#path('log'), problem })
    this.rebuildOffsetAndTimeIndex()
  }

  /** From the headers alone; the transaction index is left as it is. */
  rebuildOffsetAndTimeIndex(): void {
    const end = this.writtenBytes
    const size = this.sizeBytes
    this.#offsets.file.truncate(0)
    this.#times.file.truncate(0)
    this.#maxTimestamp = -1n
    this.#offsetOfMaxTimestamp = this.baseOffset
    this.startNotingAt(0)
    const cursor = this.#services.cursor.reset(this.log, 0, end)
    while (cursor.nextSync()) this.noteBatch(cursor.sizeBytes, cursor.lastOffset, cursor.maxTimestamp)
    this.sizeBytes = size
    this.writtenBytes = end
    this.assertWalked(cursor)
    this.seal()
  }

  /** After a cut: the last time index entry, or what lies behind it. */
  #rereadMaxTimestamp(): void {
    void this.maxTimestamp
    const start = this.positionBelow(this.#offsetOfMaxTimestamp)
    const cursor = this.#services.cursor.reset(this.log, start, this.writtenBytes)
    while (cursor.nextSync())
      if (cursor.maxTimestamp > this.maxTimestamp) {
        this.#maxTimestamp = cursor.maxTimestamp
        this.#offsetOfMaxTimestamp = cursor.lastOffset
      }
    this.assertWalked(cursor)
  }

  #rename(kind: SegmentFileKind, to: SegmentFileState): void {
    try {
      this.#services.disk.renameSync(
        this.#path(kind),
        `${this.#directory}/${segmentFileName(this.baseOffset, kind, to)}`,
      )
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOENT') throw error
    }
  }

  #path(kind: SegmentFileKind): string {
    return `${this.#directory}/${segmentFileName(this.baseOffset, kind, this.#state)}`
  }

  #indexOptions(kind: SegmentFileKind) {
    return { files: this.#services.files, budget: this.#services.indexes, path: this.#path(kind) }
  }
}

const lookupChunkBytes = 64 * 1024
