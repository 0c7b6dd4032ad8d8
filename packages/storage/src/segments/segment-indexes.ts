/**
 * The indexes of one segment: opened when first needed, written behind the log, synced, cut, and judged.
 *
 * Entries gather in memory and reach the files after the bytes they point at, so an index on disk is right, only perhaps short at the end.
 */
import type { FilePool } from '../file-pool.ts'
import type { IndexBudget } from '../formats/index-budget.ts'
import { OffsetIndex } from '../formats/offset-index.ts'
import type { SegmentFileKind } from '../formats/segment-file-name.ts'
import { TimeIndex } from '../formats/time-index.ts'
import { TransactionIndex } from '../formats/transaction-index.ts'
import { CorruptSegmentError } from './corrupt-segment-error.ts'
import type { SegmentFiles } from './segment-files.ts'

export interface SegmentIndexesOptions {
  readonly services: { readonly files: FilePool; readonly indexes: IndexBudget }
  readonly files: SegmentFiles
  readonly baseOffset: bigint
  readonly logBytes: number
  readonly hasTransactionIndex: boolean
}

/** Entries pending for the index files are written once they make a page… */
const flushBytes = 4096
/** …or once so much log follows the last write: it bounds what a recovery has to check after a crash of the process. */
const flushLogBytes = 4 * 1024 * 1024
/** A segment this large without any index entry has lost its index. */
const suspiciousUnindexedBytes = 4 * flushLogBytes

export class SegmentIndexes {
  readonly #services: SegmentIndexesOptions['services']
  readonly #files: SegmentFiles
  readonly #baseOffset: bigint
  #offsets: OffsetIndex | null = null
  #times: TimeIndex | null = null
  #transactions: TransactionIndex | null = null
  #hasTransactions: boolean
  /** How long the log was when the indexes were last written. */
  #flushedAtBytes: number

  constructor({ services, files, baseOffset, logBytes, hasTransactionIndex }: SegmentIndexesOptions) {
    this.#services = services
    this.#files = files
    this.#baseOffset = baseOffset
    this.#flushedAtBytes = logBytes
    this.#hasTransactions = hasTransactionIndex
  }

  /** As it is; `Segment.offsetIndex` is one that can be trusted. */
  get offsets(): OffsetIndex {
    if (this.#offsets === null) {
      this.#offsets = new OffsetIndex(this.#optionsFor('index'))
      if (this.#files.areNew) this.#offsets.file.startEmpty()
    }
    return this.#offsets
  }

  /** As it is; `Segment.timeIndex` is one that can be trusted. */
  get times(): TimeIndex {
    if (this.#times === null) {
      this.#times = new TimeIndex(this.#optionsFor('timeindex'))
      if (this.#files.areNew) this.#times.file.startEmpty()
    }
    return this.#times
  }

  /** null when no transaction was aborted in this segment. @throws CorruptSegmentError. */
  get transactions(): TransactionIndex | null {
    if (this.#transactions === null && this.#hasTransactions) {
      this.#transactions = new TransactionIndex(this.#optionsFor('txnindex'))
      const problem = this.#transactions.findProblem(this.#baseOffset)
      if (problem !== null)
        throw new CorruptSegmentError(this.#baseOffset, `${this.#transactions.file.path}: ${problem}`)
    }
    return this.#transactions
  }

  /** As `transactions`, made when there is none. */
  get transactionsForWriting(): TransactionIndex {
    const existing = this.transactions
    if (existing !== null) return existing
    this.#transactions = new TransactionIndex(this.#optionsFor('txnindex'))
    this.#transactions.file.startEmpty()
    this.#hasTransactions = true
    return this.#transactions
  }

  /** Why offset and time index cannot be used with a log of this size; null when they can. Changes nothing. */
  findProblem(logBytes: number): string | null {
    if (logBytes === 0) return null
    const { offsets, times } = this
    if (offsets.count === 0) {
      if (!offsets.file.exists) return 'there is no offset index'
      return logBytes > suspiciousUnindexedBytes ? 'the offset index is empty' : null
    }
    if (times.count === 0 && !times.file.exists) return 'there is no time index'
    return offsets.findProblem(logBytes) ?? times.findProblem()
  }

  /** Empties offset and time index. */
  clear(): void {
    this.offsets.file.truncate(0)
    this.times.file.truncate(0)
  }

  /** Empties the transaction index, whatever is in it. */
  clearTransactions(): void {
    if (!this.#hasTransactions) return
    this.#transactions ??= new TransactionIndex(this.#optionsFor('txnindex'))
    this.#transactions.file.truncate(0)
  }

  /** Removes what points at `offset` or behind it. */
  truncate(offset: bigint): void {
    const relative = Number(offset - this.#baseOffset)
    this.offsets.truncate(relative)
    this.times.truncate(relative)
    this.transactions?.truncate(offset)
  }

  /** The log was cut to this length. */
  logCutAt(logBytes: number): void {
    if (logBytes < this.#flushedAtBytes) this.#flushedAtBytes = logBytes
  }

  /** The log is indexed anew from here on. */
  startAt(logBytes: number): void {
    this.#flushedAtBytes = logBytes
  }

  /** Whether the files are to be brought up to date, now that the log has `logBytes` written. */
  wantFlush(logBytes: number): boolean {
    return (
      (this.#offsets?.file.pendingBytes ?? 0) >= flushBytes ||
      logBytes - this.#flushedAtBytes >= flushLogBytes ||
      (this.#transactions?.file.pendingBytes ?? 0) > 0
    )
  }

  /** The offset index goes last: recovery after a crash of the process trusts everything below its last entry. */
  flush(logBytes: number): void {
    this.#transactions?.file.flush()
    this.#times?.file.flush()
    this.#offsets?.file.flush()
    this.#flushedAtBytes = logBytes
  }

  /** As `flush`; the files of offset and time index are there and complete, even when they are empty. */
  finish(logBytes: number): void {
    this.flush(logBytes)
    this.times.file.finish()
    this.offsets.file.finish()
  }

  async sync(): Promise<void> {
    await Promise.all([this.#offsets?.file.sync(), this.#times?.file.sync(), this.#transactions?.file.sync()])
  }

  /** What is in the files now may not be on the disk. */
  markUnsynced(): void {
    this.offsets.file.markUnsynced()
    this.times.file.markUnsynced()
    this.transactions?.file.markUnsynced()
  }

  /** The files have new paths. */
  moved(): void {
    this.#offsets?.file.moved(this.#files.path('index'))
    this.#times?.file.moved(this.#files.path('timeindex'))
    this.#transactions?.file.moved(this.#files.path('txnindex'))
  }

  /** Lets go of descriptors and memory, writing nothing. */
  close(): void {
    this.#offsets?.file.close()
    this.#times?.file.close()
    this.#transactions?.file.close()
  }

  #optionsFor(kind: SegmentFileKind) {
    return { files: this.#services.files, budget: this.#services.indexes, path: this.#files.path(kind) }
  }
}
