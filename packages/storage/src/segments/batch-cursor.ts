/**
 * Walks the batches of a segment file from one position on, of any magic, reading only headers unless whole batches are asked for.
 *
 *     while ((step = cursor.step()) !== 'end') {
 *       if (step === 'fill') await cursor.fill()      // or fillSync()
 *       else use(cursor.position, cursor.lastOffset, …)
 *     }
 *     if (cursor.problem !== null) …                  // it ended before `end`: what lies at `nextPosition` is no batch
 *
 * Steps are synchronous, so that thousands of small batches in one chunk cost no promise each.
 */
import {
  BATCH_HEADER_SIZE,
  baseOffset,
  baseSequence,
  batchSizeBytes,
  crc32c,
  ATTRIBUTES_AT,
  isControl,
  isTransactional,
  LOG_OVERHEAD,
  lastOffset,
  lastOffsetDelta,
  MAGIC_AT,
  magicOf,
  maxTimestamp,
  partitionLeaderEpoch,
  producerEpoch,
  producerId,
  storedCrc,
} from '@millrace/protocol'
import { crc32 } from 'node:zlib'

/** What a cursor reads from: an open or pooled file. */
export interface ReadableFile {
  readSync(into: Uint8Array, position: number): number
  read(into: Uint8Array, position: number): Promise<number>
}

const smallestSizeByMagic = [LOG_OVERHEAD + 14, LOG_OVERHEAD + 22, BATCH_HEADER_SIZE]
const headerReadBytes = 4096
const legacyTimestampAt = 18
const legacyCrcAt = 12

export class BatchCursor {
  /** Where the current batch begins in the file. */
  position = 0
  /** Bytes of the current batch. */
  sizeBytes = 0
  /** Why the walk ended before `end`; null when it did not. */
  problem: string | null = null
  /** The current batch's header begins at `bytes[at]`; of this step only. */
  bytes: Uint8Array
  at = 0
  readonly #buffer: Uint8Array
  /** Keeps the header of a batch whose later parts have taken its place in the buffer. */
  readonly #header = new Uint8Array(BATCH_HEADER_SIZE)
  #file!: ReadableFile
  #end = 0
  /** The buffer holds file bytes [#bufferStart, #bufferStart + #bufferLength). */
  #bufferStart = 0
  #bufferLength = 0
  #fillFrom = 0
  #fillBytes = 0
  #readAhead = headerReadBytes

  /** `buffer` is owned by the cursor until the walk is over; at least 4 KiB. */
  constructor(buffer: Uint8Array) {
    this.#buffer = buffer
    this.bytes = buffer
  }

  /** Begins at `start`, which must be the start of a batch; nothing from `end` on is looked at. */
  reset(file: ReadableFile, start: number, end: number): this {
    this.#file = file
    this.position = start
    this.sizeBytes = 0
    this.problem = null
    this.#end = end
    this.#bufferStart = start
    this.#bufferLength = 0
    this.#readAhead = headerReadBytes
    return this
  }

  /** Where the next batch begins, or should. */
  get nextPosition(): number {
    return this.position + this.sizeBytes
  }

  /** 'batch': the cursor stands on the next batch. 'fill': bytes have to be read first. 'end': no more, see `problem`. */
  step(): 'batch' | 'fill' | 'end' {
    const next = this.position + this.sizeBytes
    const remaining = this.#end - next
    if (remaining <= 0 || this.problem !== null) return 'end'
    if (remaining <= MAGIC_AT) return this.#fail(`${remaining} bytes are left, too few for a batch`)
    const at = next - this.#bufferStart
    const have = this.#bufferLength - at
    if (have < BATCH_HEADER_SIZE && have < remaining) return this.#want(next, BATCH_HEADER_SIZE)
    const size = batchSizeBytes(this.#buffer, at)
    const magic = magicOf(this.#buffer, at)
    const smallest = smallestSizeByMagic[magic]
    if (smallest === undefined) return this.#fail(`magic ${magic} is neither 0, 1 nor 2`)
    if (size < smallest) return this.#fail(`a batch of ${size} bytes is smaller than any of magic ${magic}`)
    if (size > remaining) return this.#fail(`a batch of ${size} bytes where only ${remaining} are left`)
    this.position = next
    this.sizeBytes = size
    this.bytes = this.#buffer
    this.at = at
    return 'batch'
  }

  /** step() with synchronous reads. */
  nextSync(): boolean {
    for (;;) {
      const step = this.step()
      if (step !== 'fill') return step === 'batch'
      this.fillSync()
    }
  }

  /** Reads what the last step asked for. */
  fillSync(): void {
    this.#filled(this.#file.readSync(this.#buffer.subarray(0, this.#fillLength()), this.#fillFrom))
  }

  async fill(): Promise<void> {
    this.#filled(await this.#file.read(this.#buffer.subarray(0, this.#fillLength()), this.#fillFrom))
  }

  /** Reads all of the current batch into `buffer`, which must hold `sizeBytes`. */
  async readWhole(buffer: Uint8Array): Promise<Uint8Array> {
    const whole = buffer.subarray(0, this.sizeBytes)
    const read = await this.#file.read(whole, this.position)
    if (read !== this.sizeBytes) throw new Error(`batch at ${this.position} has ${read} of ${this.sizeBytes} bytes`)
    return whole
  }

  /** The same at once. */
  readWholeSync(buffer: Uint8Array): Uint8Array {
    const whole = buffer.subarray(0, this.sizeBytes)
    const read = this.#file.readSync(whole, this.position)
    if (read !== this.sizeBytes) throw new Error(`batch at ${this.position} has ${read} of ${this.sizeBytes} bytes`)
    return whole
  }

  /** Whether the current batch's checksum is that of its bytes. Reads a large batch in pieces. */
  async hasValidCrc(): Promise<boolean> {
    const { position, sizeBytes } = this
    const legacy = this.magic < 2
    const stored = legacy ? readCrc(this.bytes, this.at + legacyCrcAt) : storedCrc(this.bytes, this.at)
    const end = position + sizeBytes
    let from = position + (legacy ? legacyCrcAt + 4 : ATTRIBUTES_AT)
    let crc = 0
    for (;;) {
      const pieceStart = from - this.#bufferStart
      const pieceEnd = Math.min(this.#bufferLength, end - this.#bufferStart)
      crc = legacy
        ? crc32(this.#buffer.subarray(pieceStart, pieceEnd), crc)
        : crc32c(this.#buffer, pieceStart, pieceEnd, crc)
      from += pieceEnd - pieceStart
      if (from === end) return crc === stored
      if (this.bytes === this.#buffer) {
        this.#header.set(this.#buffer.subarray(this.at, Math.min(this.at + BATCH_HEADER_SIZE, this.#bufferLength)))
        this.bytes = this.#header
        this.at = 0
      }
      this.#fillFrom = from
      this.#fillBytes = 1
      this.#readAhead = this.#buffer.length
      await this.fill()
      if (this.problem !== null) return false
    }
  }

  get magic(): number {
    return magicOf(this.bytes, this.at)
  }

  /** Of magic 0 and 1, where a wrapper carries its last offset, the same as `lastOffset`. */
  get baseOffset(): bigint {
    return baseOffset(this.bytes, this.at)
  }

  get lastOffset(): bigint {
    return this.magic < 2 ? baseOffset(this.bytes, this.at) : lastOffset(this.bytes, this.at)
  }

  /** -1n for none. */
  get maxTimestamp(): bigint {
    const { magic } = this
    if (magic === 2) return maxTimestamp(this.bytes, this.at)
    if (magic === 0) return -1n
    return new DataView(this.bytes.buffer, this.bytes.byteOffset).getBigInt64(this.at + legacyTimestampAt)
  }

  /** -1 for none, as all below are for magic 0 and 1. */
  get leaderEpoch(): number {
    return this.magic < 2 ? -1 : partitionLeaderEpoch(this.bytes, this.at)
  }

  get producerId(): bigint {
    return this.magic < 2 ? -1n : producerId(this.bytes, this.at)
  }

  get producerEpoch(): number {
    return producerEpoch(this.bytes, this.at)
  }

  get baseSequence(): number {
    return baseSequence(this.bytes, this.at)
  }

  get lastOffsetDelta(): number {
    return this.magic < 2 ? 0 : lastOffsetDelta(this.bytes, this.at)
  }

  get isTransactional(): boolean {
    return this.magic === 2 && isTransactional(this.bytes, this.at)
  }

  get isControl(): boolean {
    return this.magic === 2 && isControl(this.bytes, this.at)
  }

  #fail(problem: string): 'end' {
    this.problem = problem
    return 'end'
  }

  #want(from: number, bytes: number): 'fill' {
    // Batches close together are read many at a time; between large ones only the headers are.
    const hop = from - (this.#bufferStart + this.#bufferLength)
    if (this.#bufferLength > 0)
      this.#readAhead = hop > 0 ? headerReadBytes : Math.min(this.#buffer.length, this.#readAhead * 4)
    this.#fillFrom = from
    this.#fillBytes = bytes
    return 'fill'
  }

  #fillLength(): number {
    return Math.min(this.#buffer.length, this.#end - this.#fillFrom, Math.max(this.#fillBytes, this.#readAhead))
  }

  #filled(read: number): void {
    this.#bufferStart = this.#fillFrom
    this.#bufferLength = read
    if (read < Math.min(this.#fillBytes, this.#end - this.#fillFrom))
      this.problem = `the file ends at ${this.#fillFrom + read}, expected ${this.#end} bytes`
  }
}

function readCrc(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}
