/** What one Fetch answer brought of one partition, taken out of it record by record. */
import {
  baseOffset,
  ErrorCode,
  FetchedBatches,
  KafkaError,
  isControl,
  lastOffset,
  magicOf,
  partitionLeaderEpoch,
  recordsCount,
  wholeBatchSize,
  type AbortedTransaction,
  type CodecWorker,
  type FetchedBatch,
} from '@millrace/protocol'
import type { ConsumerRecord } from '../../record.ts'
import { FetchedRecord } from '../records/fetched-record.ts'
import type { Place } from '../records/fetched-records.ts'
import type { RecordOrigin } from '../records/record-origin.ts'

export interface FetchedPartOptions {
  /** Not to be changed: records are views of them. */
  readonly bytes: Uint8Array
  readonly fetchOffset: bigint
  readonly isolationLevel: 'read_uncommitted' | 'read_committed'
  readonly abortedTransactions: readonly AbortedTransaction[] | null
  readonly checkCrcs: boolean
  /** Unpacks what is large. */
  readonly codecs: CodecWorker
  /** A batch that `take` stopped at has been unpacked. */
  readonly onUnpacked: () => void
}

/**
 * Invariant: records before `#at` of `#batch` are taken, `#next` is the batch behind it where that is looked at already, all others are still in
 * `#batches`.
 */
export class FetchedPart {
  readonly sizeBytes: number
  /** As its batches have it: some may be of aborted transactions, or before the offset that was asked for. */
  readonly recordsCount: number
  /** Where to fetch next: behind the last whole batch. */
  readonly end: Place
  /** Behind what has been taken. */
  reached: Place
  readonly #batches: FetchedBatches
  readonly #codecs: CodecWorker
  readonly #onUnpacked: () => void
  #batch: FetchedBatch | null = null
  #at = -1
  #next: FetchedBatch | null = null
  /** Under way in the codec thread, and what went wrong there. */
  #unpacking: FetchedBatch | null = null
  #unpackingFailure: Error | null = null
  #isDone = false

  /** @throws KafkaError CORRUPT_MESSAGE when there is no batch where one should begin, MESSAGE_TOO_LARGE when there is no whole one. */
  constructor(options: FetchedPartOptions) {
    const { bytes, fetchOffset, isolationLevel, abortedTransactions, checkCrcs } = options
    this.sizeBytes = bytes.length
    const survey = surveyed(bytes, fetchOffset)
    this.end = survey.end
    this.recordsCount = survey.recordsCount
    this.reached = { offset: fetchOffset, leaderEpoch: -1 }
    this.#batches = new FetchedBatches({ bytes, fetchOffset, isolationLevel, abortedTransactions, checkCrcs })
    this.#codecs = options.codecs
    this.#onUnpacked = options.onUnpacked
  }

  /** Everything has been taken. */
  get isDone(): boolean {
    return this.#isDone
  }

  /** Nothing can be taken before `onUnpacked`. */
  get isUnpacking(): boolean {
    return this.#unpacking !== null && this.#unpacking === this.#batch
  }

  get remainingBytes(): number {
    if (this.#isDone) return 0
    return this.#batches.remainingBytes + (this.#batch?.sizeBytes ?? 0) + (this.#next?.sizeBytes ?? 0)
  }

  /**
   * Adds up to `max` records to `records`: fewer when there are no more, or when a large batch has to be unpacked first.
   * @throws KafkaError for a batch that cannot be read; what was added before it is good, and every further call throws again.
   */
  take<K, V>(origin: RecordOrigin<K, V>, max: number, records: ConsumerRecord<K, V>[]): void {
    for (let wanted = max; wanted > 0;) {
      const batch = this.#current()
      if (batch === null) return
      let at = this.#at
      let lastAt = at
      for (; wanted > 0 && at >= 0; wanted--) {
        records.push(new FetchedRecord(origin, batch, at))
        lastAt = at
        at = batch.after(at)
      }
      this.#at = at
      if (at < 0) this.#passBatch(batch)
      else this.reached = { offset: batch.offsetOf(lastAt) + 1n, leaderEpoch: batch.leaderEpoch }
    }
    if (this.#batch === null && this.#next === null && this.#batches.remainingBytes === 0) this.#finish()
  }

  /** The batch to take from, open; null when there is none now. */
  #current(): FetchedBatch | null {
    for (;;) {
      this.#batch ??= this.#next ?? this.#batches.next()
      const batch = this.#batch
      if (batch === null) {
        this.#finish()
        return null
      }
      if (this.#next === batch) this.#next = null
      if (!batch.isOpen && !this.#open(batch)) return null
      if (this.#at >= 0) return batch
      this.#at = batch.first
      this.#lookAhead()
      if (this.#at >= 0) return batch
      this.#passBatch(batch)
    }
  }

  /** False when that takes a while. */
  #open(batch: FetchedBatch): boolean {
    if (this.#unpacking === batch) return false
    if (this.#unpackingFailure !== null) throw this.#unpackingFailure
    if (!batch.isLarge) {
      batch.open()
      return true
    }
    this.#unpack(batch)
    return false
  }

  #passBatch(batch: FetchedBatch): void {
    this.reached = { offset: batch.lastOffset + 1n, leaderEpoch: batch.leaderEpoch }
    this.#batch = null
    this.#at = -1
  }

  #finish(): void {
    this.#isDone = true
    this.reached = this.end
  }

  /** Has the batch behind the present one unpacked meanwhile. */
  #lookAhead(): void {
    if (this.#next !== null) return
    try {
      this.#next = this.#batches.next()
    } catch {
      // Thrown again when it is its turn.
      return
    }
    if (this.#next?.isLarge === true && this.#unpacking === null) this.#unpack(this.#next)
  }

  #unpack(batch: FetchedBatch): void {
    this.#unpacking = batch
    const settle = (failure: Error | null): void => {
      this.#unpacking = null
      this.#unpackingFailure = failure
      this.#onUnpacked()
    }
    batch.openWith(this.#codecs).then(
      () => settle(null),
      (error: unknown) => settle(error as Error),
    )
  }
}

/** By a walk over the headers, so that the next fetch need not wait until records are taken. */
function surveyed(bytes: Uint8Array, fetchOffset: bigint): { end: Place; recordsCount: number } {
  let offset = fetchOffset
  let leaderEpoch = -1
  let count = 0
  let at = 0
  for (;;) {
    let sizeBytes = 0
    try {
      sizeBytes = wholeBatchSize(bytes, at, bytes.length)
    } catch (error) {
      // What comes before it is good; `take` throws when it gets there.
      if (at === 0) throw error
    }
    if (sizeBytes === 0) break
    const isOld = magicOf(bytes, at) < 2
    const last = isOld ? baseOffset(bytes, at) : lastOffset(bytes, at)
    if (last >= offset) offset = last + 1n
    leaderEpoch = isOld ? -1 : partitionLeaderEpoch(bytes, at)
    // Old formats do not tell how many are compressed together.
    if (isOld) count++
    else if (!isControl(bytes, at)) count += recordsCount(bytes, at)
    at += sizeBytes
  }
  if (at === 0 && bytes.length > 0)
    throw new KafkaError(
      ErrorCode.MESSAGE_TOO_LARGE,
      `the answer holds ${bytes.length} bytes of a batch at offset ${fetchOffset}, and no whole one`,
    )
  return { end: { offset, leaderEpoch }, recordsCount: count }
}
