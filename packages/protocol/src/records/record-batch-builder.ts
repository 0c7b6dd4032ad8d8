/** Makes record batches of magic 2. */
import { ErrorCode, KafkaError } from '../errors.ts'
import {
  BATCH_HEADER_SIZE,
  CONTROL_FLAG,
  DELETE_HORIZON_FLAG,
  LOG_APPEND_TIME_FLAG,
  TRANSACTIONAL_FLAG,
  writeBatchHeader,
  type TimestampType,
} from './batch.ts'
import { compress, Compression } from './compression.ts'
import type { NewRecord } from './record.ts'
import { varintSize, writeVarint, writeVarlong } from './varint.ts'

export interface RecordBatchOptions {
  /** Codec number, see `Compression`. */
  readonly compression?: number
  readonly compressionLevel?: number
  /** What a producer leaves at 0n. */
  readonly baseOffset?: bigint
  readonly partitionLeaderEpoch?: number
  /** With LogAppendTime `logAppendTime` becomes the maximum timestamp. */
  readonly timestampType?: TimestampType
  readonly logAppendTime?: bigint
  readonly producerId?: bigint
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  readonly isControl?: boolean
  /** Set by the log cleaner; then timestamps are stored relative to it. */
  readonly deleteHorizonMs?: bigint
}

const firstCapacity = 512
/** Length, timestamp and offset deltas, three lengths and the attributes, at their largest. */
const largestRecordOverhead = 5 + 1 + 10 + 5 * 4

/** `append` records, then `build` once. `sizeBytes` grows with every record and is the size without compression. */
export class RecordBatchBuilder {
  readonly #options: RecordBatchOptions
  readonly #baseOffset: bigint
  #bytes: Uint8Array = Buffer.allocUnsafe(firstCapacity)
  #at = BATCH_HEADER_SIZE
  #count = 0
  #lastOffsetDelta = -1
  #baseTimestamp: bigint | null
  #maxTimestamp = -1n

  constructor(options: RecordBatchOptions = {}) {
    this.#options = options
    this.#baseOffset = options.baseOffset ?? 0n
    this.#baseTimestamp = options.deleteHorizonMs ?? null
  }

  get recordsCount(): number {
    return this.#count
  }

  get sizeBytes(): number {
    return this.#at
  }

  /** With the next offset. */
  append(record: NewRecord): void {
    this.appendWithOffset(this.#baseOffset + BigInt(this.#lastOffsetDelta + 1), record)
  }

  /** `offset` must be above that of the record before; gaps come from compaction. */
  appendWithOffset(offset: bigint, { timestamp, key = null, value, headers = [] }: NewRecord): void {
    const offsetDelta = Number(offset - this.#baseOffset)
    if (offsetDelta <= this.#lastOffsetDelta || offsetDelta > 0x7fff_ffff)
      throw new RangeError(`offset ${offset} cannot follow ${this.#lastOffsetDelta} records after ${this.#baseOffset}`)
    if (timestamp < -1n)
      throw new KafkaError(ErrorCode.INVALID_TIMESTAMP, `timestamp ${timestamp} is negative and not -1 (none)`)
    this.#baseTimestamp ??= timestamp
    const timestampDelta = BigInt.asIntN(64, timestamp - this.#baseTimestamp)

    let headersSize = 0
    for (const header of headers)
      headersSize += 10 + Buffer.byteLength(header.key) + (header.value === null ? 0 : header.value.length)
    const keyLength = key === null ? 0 : key.length
    const valueLength = value === null ? 0 : value.length
    this.#reserve(largestRecordOverhead + keyLength + valueLength + headersSize)

    // Written behind the place of a five byte length, then moved to where its real length ends.
    const bytes = this.#bytes
    const bodyAt = this.#at + 5
    let at = bodyAt
    bytes[at++] = 0
    at = writeVarlong(bytes, at, timestampDelta)
    at = writeVarint(bytes, at, offsetDelta)
    at = writeNullable(bytes, at, key)
    at = writeNullable(bytes, at, value)
    at = writeVarint(bytes, at, headers.length)
    for (const header of headers) {
      const headerKey = Buffer.from(header.key)
      at = writeNullable(bytes, at, headerKey)
      at = writeNullable(bytes, at, header.value)
    }
    const length = at - bodyAt
    const lengthSize = varintSize(length)
    if (lengthSize < 5) bytes.copyWithin(this.#at + lengthSize, bodyAt, at)
    writeVarint(bytes, this.#at, length)
    this.#at += lengthSize + length

    this.#count++
    this.#lastOffsetDelta = offsetDelta
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
  }

  /** Lets the batch end at a later offset than its last record, as the cleaner does when it drops the end of a batch. */
  set lastOffset(offset: bigint) {
    this.#lastOffsetDelta = Number(offset - this.#baseOffset)
  }

  /**
   * The finished batch; the builder is used up.
   * @throws KafkaError INVALID_RECORD for a transactional batch without producer id.
   */
  build(): Uint8Array {
    const options = this.#options
    const compression = options.compression ?? Compression.NONE
    if (options.isTransactional === true && (options.producerId ?? -1n) < 0n)
      throw new KafkaError(ErrorCode.INVALID_RECORD, 'a transactional batch needs a producer id')

    let bytes: Uint8Array = this.#bytes.subarray(0, this.#at)
    if (compression !== Compression.NONE)
      bytes = behindHeaderSpace(compress(compression, bytes.subarray(BATCH_HEADER_SIZE), options.compressionLevel))
    let attributes = compression
    if (options.timestampType === 'LogAppendTime') attributes |= LOG_APPEND_TIME_FLAG
    if (options.isTransactional === true) attributes |= TRANSACTIONAL_FLAG
    if (options.isControl === true) attributes |= CONTROL_FLAG
    if (options.deleteHorizonMs !== undefined) attributes |= DELETE_HORIZON_FLAG
    writeBatchHeader(bytes, 0, {
      baseOffset: this.#baseOffset,
      sizeBytes: bytes.length,
      partitionLeaderEpoch: options.partitionLeaderEpoch ?? -1,
      attributes,
      lastOffsetDelta: this.#lastOffsetDelta,
      baseTimestamp: this.#baseTimestamp ?? -1n,
      maxTimestamp: options.timestampType === 'LogAppendTime' ? (options.logAppendTime ?? -1n) : this.#maxTimestamp,
      producerId: options.producerId ?? -1n,
      producerEpoch: options.producerEpoch ?? -1,
      baseSequence: options.baseSequence ?? -1,
      recordsCount: this.#count,
    })
    return bytes
  }

  #reserve(more: number): void {
    const needed = this.#at + more
    if (needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = grown
  }
}

/** A buffer with room for a batch header in front of the given records. */
export function behindHeaderSpace(records: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(BATCH_HEADER_SIZE + records.length)
  bytes.set(records, BATCH_HEADER_SIZE)
  return bytes
}

function writeNullable(bytes: Uint8Array, at: number, value: Uint8Array | null): number {
  if (value === null) return writeVarint(bytes, at, -1)
  at = writeVarint(bytes, at, value.length)
  bytes.set(value, at)
  return at + value.length
}
