/** A range of a segment's bytes, for a fetch. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Clock } from '@millrace/runtime'
import type { Segment } from './segments/segment.ts'

/** Where an offset lies; two of one segment tell the bytes between them. */
export interface OffsetPosition {
  readonly offset: bigint
  readonly segmentBaseOffset: bigint
  readonly position: number
}

export interface FetchedAbort {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

export interface LogSliceOptions {
  readonly clock: Clock
  readonly segment: Segment
  readonly start: OffsetPosition
  readonly length: number
  readonly firstBatchIncomplete: boolean
  readonly moreFollows: boolean
  readonly abortedTransactions: readonly FetchedAbort[] | null
}

/** A synchronous read that took longer came from the disk. */
const slowReadMs = 2
/** An asynchronous read this fast came from the page cache, whatever its size up to 1 MiB. */
const fastReadMs = 0.6
/** What was written last is in the page cache. */
const recentBytes = 64 * 1024 * 1024

/**
 * Reads what was there when it was located: the bytes survive the segment being rolled, renamed and deleted, for `file.delete.delay.ms` at
 * least. Only truncation, by which the bytes change, makes a read fail.
 */
export class LogSlice {
  /** Bytes; 0 when there is nothing to read. The last batch may be cut. */
  readonly length: number
  readonly start: OffsetPosition
  /** Not even the first batch fits; only without `minOneBatch`. */
  readonly firstBatchIncomplete: boolean
  /** Later segments hold more below the limit: a fetch of this one is as long as it will ever be. */
  readonly moreFollows: boolean
  /** For `upTo: 'last-stable-offset'`, those that overlap the slice; else null. */
  readonly abortedTransactions: readonly FetchedAbort[] | null
  readonly #clock: Clock
  readonly #segment: Segment
  readonly #truncations: number

  constructor(options: LogSliceOptions) {
    this.#clock = options.clock
    this.#segment = options.segment
    this.#truncations = options.segment.truncations
    this.start = options.start
    this.length = options.length
    this.firstBatchIncomplete = options.firstBatchIncomplete
    this.moreFollows = options.moreFollows
    this.abortedTransactions = options.abortedTransactions
  }

  /** Probably in the page cache: written lately, or the last reads of the segment were fast. Then `readSync` is the cheaper one. */
  get recentlyWritten(): boolean {
    const segment = this.#segment
    const { position } = this.start
    return segment.isWarm || (position >= segment.openedBytes && segment.writtenBytes - position <= recentBytes)
  }

  /**
   * Fills `into`, which has exactly `length` bytes.
   * @throws KafkaError NOT_LEADER_OR_FOLLOWER when the log was truncated since, or the file has gone and another has its records;
   * OFFSET_OUT_OF_RANGE when the file has gone with them.
   */
  readSync(into: Uint8Array): void {
    this.#check()
    const startMs = this.#clock.monotonicMs()
    const read = this.#segment.log.readSync(into, this.start.position)
    if (this.#clock.monotonicMs() - startMs > slowReadMs) this.#segment.isWarm = false
    this.#checkRead(read, into)
  }

  async read(into: Uint8Array): Promise<void> {
    this.#check()
    const startMs = this.#clock.monotonicMs()
    const read = await this.#segment.log.read(into, this.start.position)
    this.#segment.isWarm = this.#clock.monotonicMs() - startMs < fastReadMs
    this.#check()
    this.#checkRead(read, into)
  }

  #check(): void {
    const segment = this.#segment
    if (segment.truncations !== this.#truncations)
      throw new KafkaError(
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        `${segment.path}: was truncated between lookup and read of ${this.start.offset}`,
      )
    if (segment.isReleased && !segment.isRemoved)
      throw new KafkaError(
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        `${segment.path}: was closed before ${this.start.offset} was read`,
      )
    if (segment.isReplaced && segment.isRemoved)
      throw new KafkaError(
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        `${segment.path}: was compacted, and removed before ${this.start.offset} was read`,
      )
    if (segment.isRemoved)
      throw new KafkaError(
        ErrorCode.OFFSET_OUT_OF_RANGE,
        `${segment.path}: was removed before ${this.start.offset} was read`,
      )
  }

  #checkRead(read: number, into: Uint8Array): void {
    if (into.length !== this.length) throw new Error(`expected a buffer of ${this.length} bytes, got ${into.length}`)
    if (read !== this.length)
      throw new KafkaError(
        ErrorCode.KAFKA_STORAGE_ERROR,
        `${this.#segment.path}: expected ${this.length} bytes at ${this.start.position}, got ${read}`,
      )
  }
}
