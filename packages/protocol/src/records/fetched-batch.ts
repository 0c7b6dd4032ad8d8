/**
 * One batch of a Fetch or ShareFetch answer, read record by record with nothing made per record but what is asked for. A record is known by the
 * position where it starts: a number to keep beside the batch for as long as wanted. Its fields are decoded at each call, from bytes that were
 * checked once when the batch was opened.
 */
import { readText } from '../codec/text.ts'
import { ErrorCode, KafkaError } from '../errors.ts'
import {
  baseOffset,
  baseTimestamp,
  compressionOf,
  computeCrc,
  lastOffset,
  magicOf,
  maxTimestamp,
  partitionLeaderEpoch,
  RECORDS_AT,
  recordsCount,
  storedCrc,
  timestampTypeOf,
  type TimestampType,
} from './batch.ts'
import { CODEC_WORKER_FROM_BYTES, type CodecWorker } from './codec-worker.ts'
import { Compression, declaredSize, decompress } from './compression.ts'
import { isMessageIntact, messageTimestampType, readMessages } from './message-set.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'
import { RecordScan, scanRecords } from './record-scan.ts'
import type { RecordHeader } from './record.ts'
import { decodeVarlong } from './varint.ts'

/** Where a batch lies, and how it is to be read. */
export interface FetchedBatchOptions {
  /** Must stay as they are for as long as the batch or a record of it is kept. */
  readonly bytes: Uint8Array
  readonly at: number
  readonly sizeBytes: number
  /** Records below it are passed over: a batch may begin before the offset that was asked for. */
  readonly fromOffset: bigint
  readonly checkCrcs: boolean
  readonly maxDecompressedBytes: number
}

const scan = new RecordScan()
const noHeaders: readonly RecordHeader[] = []
const nothing: Buffer = Buffer.alloc(0)

/**
 * `open` or `openWith` first, then from `first` on: `for (let at = batch.first; at >= 0; at = batch.after(at)) …batch.valueOf(at)…`.
 *
 * Invariant: once open, `#bytes[#start..#end)` are well-formed records of magic 2, whatever magic and codec the batch came with.
 */
export class FetchedBatch {
  readonly #options: FetchedBatchOptions
  readonly sizeBytes: number
  /** Of the last record; of the last one there was, after compaction. */
  readonly lastOffset: bigint
  /** Epoch of the leader that wrote the batch; -1 when the batch does not say. */
  readonly leaderEpoch: number
  readonly timestampType: TimestampType
  #baseOffset: bigint
  #baseTimestampMs = 0
  /** What all records have with LogAppendTime; NaN: each has its own. */
  #commonTimestampMs = NaN
  #bytes = nothing
  #end = 0
  #recordsCount: number
  #first = -1
  #isOpen = false

  constructor(options: FetchedBatchOptions) {
    const { bytes, at, sizeBytes } = options
    this.#options = options
    this.sizeBytes = sizeBytes
    this.#baseOffset = baseOffset(bytes, at)
    if (magicOf(bytes, at) < 2) {
      this.lastOffset = this.#baseOffset
      this.leaderEpoch = -1
      this.timestampType = messageTimestampType(bytes, at)
      this.#recordsCount = 1
    } else {
      this.lastOffset = lastOffset(bytes, at)
      this.leaderEpoch = partitionLeaderEpoch(bytes, at)
      this.timestampType = timestampTypeOf(bytes, at)
      this.#recordsCount = recordsCount(bytes, at)
    }
  }

  /** Of the first record, even if that is gone; before `open`, in the formats before 0.11, of the last one. */
  get baseOffset(): bigint {
    return this.#baseOffset
  }

  /** As the batch says, with records before the offset asked for; before `open` not known in the formats before 0.11. */
  get recordsCount(): number {
    return this.#recordsCount
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Whether it takes so long to unpack that it should be done by `openWith`. */
  get isLarge(): boolean {
    const { bytes, at } = this.#options
    if (magicOf(bytes, at) < 2 || compressionOf(bytes, at) === Compression.NONE) return false
    const packed = this.#section()
    return Math.max(packed.length, declaredSize(compressionOf(bytes, at), packed)) >= CODEC_WORKER_FROM_BYTES
  }

  /**
   * Checks and unpacks the batch. Safe to call again.
   * @throws KafkaError CORRUPT_MESSAGE for a wrong checksum or bad compressed data, INVALID_RECORD for malformed records, MESSAGE_TOO_LARGE for what
   * would take more than `maxDecompressedBytes`. Base and last offset tell which records are lost.
   */
  open(): void {
    if (this.#isOpen) return
    const { bytes, at, maxDecompressedBytes } = this.#options
    this.#check()
    if (magicOf(bytes, at) < 2) this.#convert()
    else if (compressionOf(bytes, at) === Compression.NONE) this.#read(bytes, at + RECORDS_AT, at + this.sizeBytes)
    else {
      const section = decompress(compressionOf(bytes, at), this.#section(), maxDecompressedBytes)
      this.#read(section, 0, section.length)
    }
  }

  /** As `open`, unpacking in the worker. */
  async openWith(worker: CodecWorker): Promise<void> {
    if (this.#isOpen) return
    if (!this.isLarge) return this.open()
    const { bytes, at, maxDecompressedBytes } = this.#options
    this.#check()
    const section = await worker.decompress(compressionOf(bytes, at), this.#section(), maxDecompressedBytes)
    this.#read(section, 0, section.length)
  }

  /** Position of the first record that was asked for; -1 when there is none. */
  get first(): number {
    return this.#first
  }

  /** Position of the record behind the one at `at`; -1 behind the last one. */
  after(at: number): number {
    const bytes = this.#bytes
    let byte = bytes[at++]!
    let raw = byte & 0x7f
    for (let shift = 7; byte > 0x7f; shift += 7) {
      byte = bytes[at++]!
      raw |= (byte & 0x7f) << shift
    }
    at += raw >>> 1
    return at < this.#end ? at : -1
  }

  /** What the record at `at` takes, unpacked. */
  sizeOf(at: number): number {
    const next = this.after(at)
    return (next < 0 ? this.#end : next) - at
  }

  /** To be added to `baseOffset`; where numbers will do it spares a bigint. */
  offsetDeltaOf(at: number): number {
    const bytes = this.#bytes
    return readVarint(bytes, skipVarint(bytes, skipVarint(bytes, at) + 1))
  }

  offsetOf(at: number): bigint {
    return this.#baseOffset + BigInt(this.offsetDeltaOf(at))
  }

  /** Milliseconds since 1970, -1 for none; not exact beyond 2^53. */
  timestampOf(at: number): number {
    if (!Number.isNaN(this.#commonTimestampMs)) return this.#commonTimestampMs
    const bytes = this.#bytes
    const start = skipVarint(bytes, at) + 1
    const end = skipVarint(bytes, start)
    if (end - start <= 4) return this.#baseTimestampMs + readVarint(bytes, start)
    return this.#baseTimestampMs + Number(decodeVarlong(bytes, start, end))
  }

  /** A view of the batch's memory, not a copy. */
  keyOf(at: number): Buffer | null {
    const bytes = this.#bytes
    return viewAt(bytes, skipToKey(bytes, at))
  }

  /** A view of the batch's memory, not a copy. */
  valueOf(at: number): Buffer | null {
    const bytes = this.#bytes
    return viewAt(bytes, skipField(bytes, skipToKey(bytes, at)))
  }

  /** The key read as UTF-8, without a view in between. */
  keyTextOf(at: number): string | null {
    const bytes = this.#bytes
    return textAt(bytes, skipToKey(bytes, at))
  }

  /** The value read as UTF-8, without a view in between. */
  valueTextOf(at: number): string | null {
    const bytes = this.#bytes
    return textAt(bytes, skipField(bytes, skipToKey(bytes, at)))
  }

  /** In the order in which they were written; their values are views of the batch's memory. */
  headersOf(at: number): readonly RecordHeader[] {
    const bytes = this.#bytes
    let header = skipField(bytes, skipField(bytes, skipToKey(bytes, at)))
    const count = readVarint(bytes, header)
    if (count === 0) return noHeaders
    header = skipVarint(bytes, header)
    const headers: RecordHeader[] = []
    for (let index = 0; index < count; index++) {
      const key = textAt(bytes, header)!
      header = skipField(bytes, header)
      headers.push({ key, value: viewAt(bytes, header) })
      header = skipField(bytes, header)
    }
    return headers
  }

  /** The packed or plain records. */
  #section(): Uint8Array {
    const { bytes, at, sizeBytes } = this.#options
    return bytes.subarray(at + RECORDS_AT, at + sizeBytes)
  }

  #check(): void {
    const { bytes, at, checkCrcs } = this.#options
    if (!checkCrcs) return
    if (magicOf(bytes, at) < 2) {
      if (isMessageIntact(bytes, at)) return
      throw this.#failure(ErrorCode.CORRUPT_MESSAGE, 'its checksum is wrong')
    }
    verifyCrc(bytes, at)
  }

  /** Takes over unpacked records. */
  #read(bytes: Uint8Array, start: number, end: number): void {
    const { bytes: batch, at } = this.#options
    const count = this.#recordsCount
    if (!scanRecords(bytes, start, end, count, scan))
      throw this.#failure(ErrorCode.INVALID_RECORD, `record ${scan.problemIndex} is malformed: ${scan.problem}`)
    this.#baseTimestampMs = Number(baseTimestamp(batch, at))
    if (this.timestampType === 'LogAppendTime') this.#commonTimestampMs = Number(maxTimestamp(batch, at))
    this.#adopt(bytes, start, end)
  }

  /** Messages of magic 0 and 1 are written anew as records, so that there is one way to read them. */
  #convert(): void {
    const { bytes, at, maxDecompressedBytes } = this.#options
    let builder: RecordBatchBuilder | null = null
    for (const message of readMessages(bytes, at, maxDecompressedBytes)) {
      // Below -1 nothing is meant, and a builder takes nothing.
      const timestamp = message.timestamp < -1n ? -1n : message.timestamp
      if (builder === null) {
        this.#baseOffset = message.offset
        this.#baseTimestampMs = Number(timestamp)
        builder = new RecordBatchBuilder({ baseOffset: message.offset })
      }
      try {
        builder.appendWithOffset(message.offset, { timestamp, key: message.key, value: message.value })
      } catch (error) {
        throw this.#failure(ErrorCode.INVALID_RECORD, (error as Error).message)
      }
    }
    this.#recordsCount = builder?.recordsCount ?? 0
    const records = builder?.records ?? new Uint8Array(0)
    this.#adopt(records, 0, records.length)
  }

  #adopt(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#end = end
    let first = start < end ? start : -1
    const fromDelta = Number(this.#options.fromOffset - this.#baseOffset)
    if (fromDelta > 0) while (first >= 0 && this.offsetDeltaOf(first) < fromDelta) first = this.after(first)
    this.#first = first
    this.#isOpen = true
  }

  #failure(code: number, problem: string): KafkaError {
    return new KafkaError(code, `the batch at offset ${this.#baseOffset}: ${problem}`)
  }
}

/** @throws KafkaError CORRUPT_MESSAGE when the checksum of the batch of magic 2 at `at` is wrong. */
export function verifyCrc(bytes: Uint8Array, at: number): void {
  const stored = storedCrc(bytes, at)
  const computed = computeCrc(bytes, at)
  if (stored === computed) return
  throw new KafkaError(
    ErrorCode.CORRUPT_MESSAGE,
    `the batch at offset ${baseOffset(bytes, at)} has crc ${stored.toString(16)}, its bytes give ${computed.toString(16)}`,
  )
}

// All below read bytes that have been scanned: varints end, lengths fit.

function readVarint(bytes: Uint8Array, at: number): number {
  let byte = bytes[at++]!
  let raw = byte & 0x7f
  for (let shift = 7; byte > 0x7f; shift += 7) {
    byte = bytes[at++]!
    raw |= (byte & 0x7f) << shift
  }
  return (raw >>> 1) ^ -(raw & 1)
}

function skipVarint(bytes: Uint8Array, at: number): number {
  while (bytes[at]! > 0x7f) at++
  return at + 1
}

/** From the start of a record to the length of its key. */
function skipToKey(bytes: Uint8Array, at: number): number {
  return skipVarint(bytes, skipVarint(bytes, skipVarint(bytes, at) + 1))
}

/** From the length of a field to behind its bytes. */
function skipField(bytes: Uint8Array, at: number): number {
  const length = readVarint(bytes, at)
  return skipVarint(bytes, at) + (length < 0 ? 0 : length)
}

/** The field whose length is at `at`. */
function viewAt(bytes: Buffer, at: number): Buffer | null {
  const length = readVarint(bytes, at)
  if (length < 0) return null
  const start = skipVarint(bytes, at)
  return bytes.subarray(start, start + length)
}

function textAt(bytes: Buffer, at: number): string | null {
  const length = readVarint(bytes, at)
  if (length < 0) return null
  const start = skipVarint(bytes, at)
  return readText(bytes, start, start + length)
}
