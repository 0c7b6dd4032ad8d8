/**
 * The batches in the records of one partition in a Fetch or ShareFetch answer, one after the other, without what an application must not see:
 * control batches, records of aborted transactions (for read_committed), batches before the offset asked for, the cut batch at the end.
 */
import { ErrorCode, KafkaError } from '../errors.ts'
import {
  batchSizeBytes,
  isControl,
  isTransactional,
  lastOffset,
  LAST_OFFSET_DELTA_AT,
  lastOffsetDelta,
  magicOf,
  producerId,
  recordsCount,
} from './batch.ts'
import { wholeBatchSize } from './batches.ts'
import { readInt64 } from './big-endian.ts'
import { ControlType, readControlRecord } from './control-records.ts'
import { FetchedBatch, verifyCrc } from './fetched-batch.ts'
import { DEFAULT_MAX_DECOMPRESSED_BYTES } from './read-records.ts'

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

export interface FetchedBatchesOptions {
  /** What the answer holds for the partition. Must stay as they are for as long as a batch or a record is kept. */
  readonly bytes: Uint8Array
  /** The offset that was asked for; records below it are passed over. Default: all records. */
  readonly fetchOffset?: bigint
  /** Default 'read_uncommitted'. Share consumers leave it: their brokers hand out nothing else. */
  readonly isolationLevel?: 'read_uncommitted' | 'read_committed'
  /** From the answer. */
  readonly abortedTransactions?: readonly AbortedTransaction[] | null
  /** Default true. */
  readonly checkCrcs?: boolean
  /** Most bytes that a batch may unpack to. */
  readonly maxDecompressedBytes?: number
}

export class FetchedBatches {
  readonly #bytes: Uint8Array
  readonly #fetchOffset: bigint
  readonly #checkCrcs: boolean
  readonly #maxDecompressedBytes: number
  /** Of read_committed: those not yet begun, by offset; null when nothing is left out. */
  readonly #aborted: readonly AbortedTransaction[] | null
  #abortedBegun = 0
  readonly #abortedProducers = new Set<bigint>()
  #at = 0
  #nextOffset: bigint

  constructor(options: FetchedBatchesOptions) {
    const { bytes, fetchOffset = 0n, isolationLevel = 'read_uncommitted', abortedTransactions } = options
    this.#bytes = bytes
    this.#fetchOffset = fetchOffset
    this.#nextOffset = fetchOffset
    this.#checkCrcs = options.checkCrcs ?? true
    this.#maxDecompressedBytes = options.maxDecompressedBytes ?? DEFAULT_MAX_DECOMPRESSED_BYTES
    const leavesOut = isolationLevel === 'read_committed' && (abortedTransactions?.length ?? 0) > 0
    this.#aborted = leavesOut ? abortedTransactions!.toSorted(byFirstOffset) : null
  }

  /**
   * Where to go on when all of the batch handed out last is done, and after the last one: behind everything in the answer, however little of it was
   * for the application. After compaction that can be further than the last record.
   */
  get nextOffset(): bigint {
    return this.#nextOffset
  }

  /** Bytes of the answer not looked at yet. */
  get remainingBytes(): number {
    return this.#bytes.length - this.#at
  }

  /**
   * The next batch with records for the application, to be opened; null when there is no more whole one. An opened batch may still turn out to
   * have no record from the offset asked for.
   * @throws KafkaError CORRUPT_MESSAGE when there is no batch where one should begin, or a control batch cannot be read; MESSAGE_TOO_LARGE when the
   * answer does not hold even one batch whole, which only brokers before 0.10.1 do. Reading cannot go on then.
   */
  next(): FetchedBatch | null {
    const bytes = this.#bytes
    for (;;) {
      const at = this.#at
      const sizeBytes = wholeBatchSize(bytes, at, bytes.length)
      if (sizeBytes === 0) {
        if (at === 0 && bytes.length > 0) throw tooLarge(bytes, this.#fetchOffset)
        return null
      }
      const last = this.#lastOffset(at)
      const isForApplication = this.#isForApplication(at) && last >= this.#fetchOffset
      this.#at += sizeBytes
      if (last >= this.#nextOffset) this.#nextOffset = last + 1n
      if (isForApplication)
        return new FetchedBatch({
          bytes,
          at,
          sizeBytes,
          fromOffset: this.#fetchOffset,
          checkCrcs: this.#checkCrcs,
          maxDecompressedBytes: this.#maxDecompressedBytes,
        })
    }
  }

  #lastOffset(at: number): bigint {
    const bytes = this.#bytes
    if (magicOf(bytes, at) < 2) return readInt64(bytes, at)
    if (lastOffsetDelta(bytes, at) < 0)
      throw new KafkaError(
        ErrorCode.CORRUPT_MESSAGE,
        `the batch at offset ${readInt64(bytes, at)} has a last offset delta of ${lastOffsetDelta(bytes, at)}`,
      )
    return lastOffset(bytes, at)
  }

  /** Keeps count of the aborted transactions, so that it has to be asked about every batch in turn. */
  #isForApplication(at: number): boolean {
    const bytes = this.#bytes
    if (magicOf(bytes, at) < 2) return true
    if (!isControl(bytes, at)) return recordsCount(bytes, at) !== 0 && !this.#isAborted(at)
    if (this.#aborted !== null) this.#passMarker(at)
    return false
  }

  #isAborted(at: number): boolean {
    if (this.#aborted === null || !isTransactional(this.#bytes, at)) return false
    this.#beginAborted(at)
    return this.#abortedProducers.has(producerId(this.#bytes, at))
  }

  /** An abort marker ends the aborted transaction of its producer; later batches may belong to a committed one. */
  #passMarker(at: number): void {
    const bytes = this.#bytes
    this.#beginAborted(at)
    if (this.#checkCrcs) verifyCrc(bytes, at)
    if (readControlRecord(bytes, at)?.type === ControlType.ABORT) this.#abortedProducers.delete(producerId(bytes, at))
  }

  #beginAborted(at: number): void {
    const aborted = this.#aborted!
    if (this.#abortedBegun === aborted.length) return
    const last = lastOffset(this.#bytes, at)
    for (let next = aborted[this.#abortedBegun]; next !== undefined && next.firstOffset <= last;) {
      this.#abortedProducers.add(next.producerId)
      next = aborted[++this.#abortedBegun]
    }
  }
}

function byFirstOffset(a: AbortedTransaction, b: AbortedTransaction): number {
  if (a.firstOffset === b.firstOffset) return 0
  return a.firstOffset < b.firstOffset ? -1 : 1
}

function tooLarge(bytes: Uint8Array, fetchOffset: bigint): KafkaError {
  const needed = bytes.length < LAST_OFFSET_DELTA_AT ? '' : ` of ${batchSizeBytes(bytes, 0)} bytes`
  return new KafkaError(
    ErrorCode.MESSAGE_TOO_LARGE,
    `the answer holds ${bytes.length} bytes of a batch${needed} at offset ${fetchOffset}, and no whole one: ask for more bytes`,
  )
}
