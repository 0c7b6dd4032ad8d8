/**
 * Whole batches of a segment file, one after another, through one buffer that grows for a large batch and is small again at the next file.
 *
 *     reader.open(file, start, end)
 *     while (reader.fill()) {                          // reads
 *       while (reader.next()) use(reader.bytes, reader.at, reader.sizeBytes)
 *     }
 *
 * @throws BatchReaderError where no batch is; a log is never cleaned over damage.
 */
import { batchSizeBytes, BATCH_HEADER_SIZE, LOG_OVERHEAD, MAGIC_AT, magicOf } from '@millrace/protocol'

export interface SourceFile {
  readonly path: string
  readSync(into: Uint8Array, position: number): number
}

const smallestSizeByMagic = [LOG_OVERHEAD + 14, LOG_OVERHEAD + 22, BATCH_HEADER_SIZE]
const leastBufferBytes = 4096

export class BatchReaderError extends Error {
  override readonly name = 'BatchReaderError'
}

export class BatchReader {
  /** Where the present batch begins in `bytes`; until the next `fill`. */
  at = 0
  sizeBytes = 0
  readonly #bufferBytes: number
  #buffer: Uint8Array
  #file: SourceFile | null = null
  #end = 0
  /** The buffer holds the file's bytes from here on. */
  #bufferStart = 0
  #bufferLength = 0

  constructor(bufferBytes: number) {
    this.#bufferBytes = Math.max(leastBufferBytes, bufferBytes)
    this.#buffer = new Uint8Array(this.#bufferBytes)
  }

  get bytes(): Uint8Array {
    return this.#buffer
  }

  /** Bytes that the last `fill` read. */
  filledBytes = 0

  /** Where the present batch ends in the file. */
  get nextPosition(): number {
    return this.#bufferStart + this.at + this.sizeBytes
  }

  /** `start` must be the start of a batch. */
  open(file: SourceFile, start: number, end: number): void {
    if (this.#buffer.length > this.#bufferBytes) this.#buffer = new Uint8Array(this.#bufferBytes)
    this.#file = file
    this.#end = end
    this.#bufferStart = start
    this.#bufferLength = 0
    this.at = 0
    this.sizeBytes = 0
  }

  /** Reads on; false at the end. To be called when `next` has returned false. */
  fill(): boolean {
    const position = this.nextPosition
    if (position >= this.#end) return false
    const rest = this.#bufferStart + this.#bufferLength - position
    const wanted = rest > MAGIC_AT ? this.#sizeAt(this.at + this.sizeBytes, position) : 0
    const buffer = this.#buffer
    if (wanted > buffer.length) this.#buffer = new Uint8Array(wanted)
    if (rest > 0) this.#buffer.set(buffer.subarray(this.#bufferLength - rest, this.#bufferLength))
    const into = this.#buffer.subarray(rest, Math.min(this.#buffer.length, this.#end - position))
    const read = this.#file!.readSync(into, position + rest)
    if (read !== into.length) throw this.#error(position, `the file ends at ${position + rest + read}`)
    this.#bufferStart = position
    this.#bufferLength = rest + read
    this.at = 0
    this.sizeBytes = 0
    this.filledBytes = read
    return true
  }

  /** Moves to the next batch if all of it is in the buffer. */
  next(): boolean {
    const at = this.at + this.sizeBytes
    const have = this.#bufferLength - at
    const position = this.#bufferStart + at
    if (have <= MAGIC_AT) {
      if (have > 0 && position + have >= this.#end) throw this.#error(position, `only ${have} bytes are left`)
      return false
    }
    const size = this.#sizeAt(at, position)
    if (size > have) return false
    this.at = at
    this.sizeBytes = size
    return true
  }

  #sizeAt(at: number, position: number): number {
    const magic = magicOf(this.#buffer, at)
    const size = batchSizeBytes(this.#buffer, at)
    const smallest = smallestSizeByMagic[magic]
    if (smallest === undefined) throw this.#error(position, `magic ${magic} is neither 0, 1 nor 2`)
    if (size < smallest || size > this.#end - position)
      throw this.#error(position, `its size would be ${size}, ${this.#end - position} bytes are left`)
    return size
  }

  #error(position: number, problem: string): BatchReaderError {
    return new BatchReaderError(`${this.#file!.path}: no batch at ${position}: ${problem}`)
  }
}
