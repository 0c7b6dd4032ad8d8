/** Makes record batches of magic 2, for producers, coordinators and the log cleaner. */
import { writeText } from '../codec/text.ts'
import { ErrorCode, KafkaError } from '../errors.ts'
import {
  BATCH_HEADER_SIZE,
  CONTROL_FLAG,
  DELETE_HORIZON_FLAG,
  LOG_APPEND_TIME_FLAG,
  TRANSACTIONAL_FLAG,
  writeBatchHeader,
  type BatchProducer,
  type TimestampType,
} from './batch.ts'
import { compress, Compression } from './compression.ts'
import type { NewRecord, NewRecordHeader, RecordField } from './record.ts'
import { varintSize, varlongSize, writeVarint, writeVarlong } from './varint.ts'

export interface RecordBatchOptions extends BatchProducer {
  /** Codec number, see `Compression`. */
  readonly compression?: number
  readonly compressionLevel?: number
  /** What a producer leaves at 0n. */
  readonly baseOffset?: bigint
  readonly partitionLeaderEpoch?: number
  /** With LogAppendTime `logAppendTime` becomes the maximum timestamp. */
  readonly timestampType?: TimestampType
  readonly logAppendTime?: bigint
  readonly isControl?: boolean
  /** Set by the log cleaner; then timestamps are stored relative to it. */
  readonly deleteHorizonMs?: bigint
  /** Memory to write into, of the batch's probable size: replaced by a larger one when it does not suffice, see `buffer`. */
  readonly buffer?: Uint8Array
}

const firstCapacity = 512
/** Length (5), attributes (1), timestamp delta (10), offset delta (5), number of headers (5). */
const largestFixedPart = 26
const largestVarint = 5
const noHeaders: readonly never[] = []

/**
 * What a record can take in a batch at most, without the batch's header: to be compared with `max.request.size` before there is a batch.
 */
export function largestRecordSize(
  key: RecordField,
  value: RecordField,
  headers: readonly NewRecordHeader[] = noHeaders,
): number {
  let size = largestFixedPart + 2 * largestVarint + lengthOf(key) + lengthOf(value)
  for (const header of headers) size += 2 * largestVarint + lengthOf(header.key) + lengthOf(header.value)
  return size
}

/**
 * `add` or `append` records, then `build`. `sizeBytes` grows with every record and is the size without compression.
 *
 * Invariant: the first `#at` bytes of `#bytes` are room for the header and `#count` whole records.
 */
export class RecordBatchBuilder {
  readonly #options: RecordBatchOptions
  readonly #baseOffset: bigint
  #bytes: Uint8Array
  #at = BATCH_HEADER_SIZE
  #count = 0
  #lastOffsetDelta = -1
  #baseTimestamp: bigint | null
  /** The same as a number; NaN when there is none yet, or it is not exact as one. */
  #baseTimestampMs: number
  /** The larger of both counts: of the records appended, and of those added. */
  #maxTimestamp = -1n
  #maxTimestampMs = -1

  constructor(options: RecordBatchOptions = {}) {
    this.#options = options
    this.#bytes = options.buffer ?? Buffer.allocUnsafe(firstCapacity)
    this.#baseOffset = options.baseOffset ?? 0n
    this.#baseTimestamp = options.deleteHorizonMs ?? null
    this.#baseTimestampMs = exactNumber(this.#baseTimestamp)
  }

  get recordsCount(): number {
    return this.#count
  }

  get sizeBytes(): number {
    return this.#at
  }

  /** What is written into now: the `buffer` of the options until a record does not fit. To be used again when the built batch is not. */
  get buffer(): Uint8Array {
    return this.#bytes
  }

  /** The records as they are, to be compressed elsewhere and given to `build`. A view, valid until the next record. */
  get records(): Uint8Array {
    return this.#bytes.subarray(BATCH_HEADER_SIZE, this.#at)
  }

  /** The largest timestamp of the records added; -1 without any. */
  get maxTimestampMs(): number {
    return this.#maxTimestampMs
  }

  /**
   * Adds a record with the next offset and returns the bytes it takes; 0, adding nothing, when `sizeBytes` would pass `limitBytes`. An empty
   * batch takes any record. Texts are written as UTF-8.
   * @throws KafkaError INVALID_TIMESTAMP for a negative timestamp other than -1 (none).
   */
  add(
    timestampMs: number,
    key: RecordField,
    value: RecordField,
    headers: readonly NewRecordHeader[] = noHeaders,
    limitBytes = Infinity,
  ): number {
    if (!(timestampMs >= -1)) throw invalidTimestamp(timestampMs)
    if (this.#baseTimestamp === null) {
      this.#baseTimestamp = BigInt(timestampMs)
      this.#baseTimestampMs = timestampMs
    }
    const delta = timestampMs - this.#baseTimestampMs
    const offsetDelta = this.#lastOffsetDelta + 1
    const limit = this.#count === 0 ? Infinity : limitBytes
    const isShort = delta >= -0x4000_0000 && delta < 0x4000_0000
    const size = isShort
      ? this.#write(offsetDelta, delta, null, key, value, headers, limit)
      : this.#write(offsetDelta, 0, BigInt(timestampMs) - this.#baseTimestamp, key, value, headers, limit)
    if (size > 0 && timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs
    return size
  }

  /** Adds a record with the next offset. */
  append(record: NewRecord): void {
    this.appendWithOffset(this.#baseOffset + BigInt(this.#lastOffsetDelta + 1), record)
  }

  /** `offset` must be above that of the record before; gaps come from compaction. */
  appendWithOffset(offset: bigint, { timestamp, key = null, value, headers = noHeaders }: NewRecord): void {
    const offsetDelta = Number(offset - this.#baseOffset)
    if (offsetDelta <= this.#lastOffsetDelta || offsetDelta > 0x7fff_ffff)
      throw new RangeError(`offset ${offset} cannot follow ${this.#lastOffsetDelta} records after ${this.#baseOffset}`)
    if (timestamp < -1n) throw invalidTimestamp(timestamp)
    if (this.#baseTimestamp === null) {
      this.#baseTimestamp = timestamp
      this.#baseTimestampMs = exactNumber(timestamp)
    }
    const delta = BigInt.asIntN(64, timestamp - this.#baseTimestamp)
    if (delta >= -0x4000_0000n && delta < 0x4000_0000n)
      this.#write(offsetDelta, Number(delta), null, key, value, headers, Infinity)
    else this.#write(offsetDelta, 0, delta, key, value, headers, Infinity)
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
  }

  /** Lets the batch end at a later offset than its last record, as the cleaner does when it drops the end of a batch. */
  set lastOffset(offset: bigint) {
    this.#lastOffsetDelta = Number(offset - this.#baseOffset)
  }

  /**
   * The finished batch; the builder is used up. Without compression it lies in `buffer`. `producer` is who writes it, when that was not
   * known before (and see `setBatchProducer` for later), `packed` the compressed `records`.
   * @throws KafkaError INVALID_RECORD for a transactional batch without producer id.
   */
  build(producer: BatchProducer = this.#options, packed: Uint8Array | null = null): Uint8Array {
    const options = this.#options
    const compression = options.compression ?? Compression.NONE
    if (producer.isTransactional === true && (producer.producerId ?? -1n) < 0n)
      throw new KafkaError(ErrorCode.INVALID_RECORD, 'a transactional batch needs a producer id')

    let bytes: Uint8Array = this.#bytes.subarray(0, this.#at)
    if (compression !== Compression.NONE)
      bytes = behindHeaderSpace(packed ?? compress(compression, this.records, options.compressionLevel))
    let attributes = compression
    if (options.timestampType === 'LogAppendTime') attributes |= LOG_APPEND_TIME_FLAG
    if (producer.isTransactional === true) attributes |= TRANSACTIONAL_FLAG
    if (options.isControl === true) attributes |= CONTROL_FLAG
    if (options.deleteHorizonMs !== undefined) attributes |= DELETE_HORIZON_FLAG
    writeBatchHeader(bytes, 0, {
      baseOffset: this.#baseOffset,
      sizeBytes: bytes.length,
      partitionLeaderEpoch: options.partitionLeaderEpoch ?? -1,
      attributes,
      lastOffsetDelta: this.#lastOffsetDelta,
      baseTimestamp: this.#baseTimestamp ?? -1n,
      maxTimestamp: this.#largestTimestamp(),
      producerId: producer.producerId ?? -1n,
      producerEpoch: producer.producerEpoch ?? -1,
      baseSequence: producer.baseSequence ?? -1,
      recordsCount: this.#count,
    })
    return bytes
  }

  #largestTimestamp(): bigint {
    const { timestampType, logAppendTime } = this.#options
    if (timestampType === 'LogAppendTime') return logAppendTime ?? -1n
    const added = BigInt(this.#maxTimestampMs)
    return added > this.#maxTimestamp ? added : this.#maxTimestamp
  }

  /** Writes a record whose timestamp delta is `wideDelta`, or without one `delta`. Returns its size; 0 when it would pass `limit`. */
  #write(
    offsetDelta: number,
    delta: number,
    wideDelta: bigint | null,
    key: RecordField,
    value: RecordField,
    headers: readonly NewRecordHeader[],
    limit: number,
  ): number {
    const keyLength = key === null ? -1 : lengthOf(key)
    const valueLength = value === null ? -1 : lengthOf(value)
    let length =
      1 +
      (wideDelta === null ? varintSize(delta) : varlongSize(wideDelta)) +
      varintSize(offsetDelta) +
      nullableSize(keyLength) +
      nullableSize(valueLength) +
      1
    if (headers.length > 0) length += headersSize(headers)
    const size = varintSize(length) + length
    const end = this.#at + size
    if (end > limit) return 0
    if (end > this.#bytes.length) this.#grow(end)

    const bytes = this.#bytes
    let at = writeVarint(bytes, this.#at, length)
    bytes[at++] = 0
    at = wideDelta === null ? writeVarint(bytes, at, delta) : writeVarlong(bytes, at, wideDelta)
    at = writeVarint(bytes, at, offsetDelta)
    at = writeNullable(bytes, at, key, keyLength)
    at = writeNullable(bytes, at, value, valueLength)
    if (headers.length === 0) bytes[at] = 0
    else writeHeaders(bytes, at, headers)
    this.#at = end
    this.#count++
    this.#lastOffsetDelta = offsetDelta
    return size
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = grown
  }
}

/** A buffer with room for a batch header in front of the given records. */
export function behindHeaderSpace(records: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(BATCH_HEADER_SIZE + records.length)
  bytes.set(records, BATCH_HEADER_SIZE)
  return bytes
}

/** As bytes; 0 for null. */
function lengthOf(value: RecordField): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  return value === null ? 0 : value.length
}

/** With its length prefix; -1: null. */
function nullableSize(length: number): number {
  return length < 0 ? 1 : varintSize(length) + length
}

/** Without the one byte that their number takes at least. */
function headersSize(headers: readonly NewRecordHeader[]): number {
  let size = varintSize(headers.length) - 1
  for (const { key, value } of headers)
    size += nullableSize(lengthOf(key)) + nullableSize(value === null ? -1 : lengthOf(value))
  return size
}

function writeHeaders(bytes: Uint8Array, at: number, headers: readonly NewRecordHeader[]): void {
  at = writeVarint(bytes, at, headers.length)
  for (const { key, value } of headers) {
    at = writeNullable(bytes, at, key, lengthOf(key))
    at = writeNullable(bytes, at, value, value === null ? -1 : lengthOf(value))
  }
}

function writeNullable(bytes: Uint8Array, at: number, value: RecordField, length: number): number {
  at = writeVarint(bytes, at, length)
  if (value === null) return at
  if (typeof value === 'string') return writeText(bytes, at, value)
  bytes.set(value, at)
  return at + length
}

function exactNumber(value: bigint | null): number {
  const number = Number(value ?? NaN)
  return Number.isSafeInteger(number) ? number : NaN
}

function invalidTimestamp(timestamp: bigint | number): KafkaError {
  return new KafkaError(ErrorCode.INVALID_TIMESTAMP, `timestamp ${timestamp} is negative and not -1 (none)`)
}
