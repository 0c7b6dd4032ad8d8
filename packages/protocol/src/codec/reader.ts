/** Reads Kafka's primitive types, big-endian, from a stretch of bytes, and never beyond it. */
import { MalformedMessageError } from '../malformed-message-error.ts'
import { readText, readUuid } from './text.ts'

/** Invariant: start <= position <= end <= bytes.length. Every method throws MalformedMessageError rather than break it. */
export class Reader {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly start: number
  readonly end: number
  /** Index into `bytes` of the next byte to read. */
  position: number

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    if (!(start >= 0 && start <= end && end <= bytes.length))
      throw new RangeError(`${start} to ${end} is no part of ${bytes.length} bytes`)
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.start = start
    this.end = end
    this.position = start
  }

  get remaining(): number {
    return this.end - this.position
  }

  bool(): boolean {
    return this.view.getInt8(this.#take(1)) !== 0
  }
  int8(): number {
    return this.view.getInt8(this.#take(1))
  }
  int16(): number {
    return this.view.getInt16(this.#take(2))
  }
  uint16(): number {
    return this.view.getUint16(this.#take(2))
  }
  int32(): number {
    return this.view.getInt32(this.#take(4))
  }
  uint32(): number {
    return this.view.getUint32(this.#take(4))
  }
  int64(): bigint {
    return this.view.getBigInt64(this.#take(8))
  }
  float64(): number {
    return this.view.getFloat64(this.#take(8))
  }
  uuid(): string {
    return readUuid(this.bytes, this.#take(16))
  }

  /** Up to 5 bytes, 0 … 2^32-1. */
  unsignedVarint(): number {
    const start = this.position
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[this.#take(1)]!
      if (shift === 28 && byte > 0x0f) break
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new MalformedMessageError('varint does not fit 32 bits', start - this.start)
  }

  /** `length` bytes of UTF-8. */
  text(length: number): string {
    const start = this.#take(length)
    return readText(this.bytes, start, start + length)
  }

  /** A view of the next `length` bytes. */
  view8(length: number): Uint8Array {
    const start = this.#take(length)
    return this.bytes.subarray(start, start + length)
  }

  /** int16 length and UTF-8; a negative length is null. The classic (not flexible) nullable string. */
  nullableString(): string | null {
    const length = this.int16()
    return length < 0 ? null : this.text(length)
  }

  /** The tagged section of a flexible struct of which no tag is known. */
  skipTaggedFields(): void {
    for (let count = this.unsignedVarint(); count > 0; count--) {
      this.unsignedVarint()
      this.#take(this.unsignedVarint())
    }
  }

  /** @throws MalformedMessageError when bytes are left over. */
  expectEnd(): void {
    if (this.position === this.end) return
    throw new MalformedMessageError(`${this.end - this.position} bytes too many`, this.position - this.start)
  }

  #take(length: number): number {
    const at = this.position
    if (length > this.end - at)
      throw new MalformedMessageError(`${length} bytes expected, ${this.end - at} left`, at - this.start)
    this.position = at + length
    return at
  }
}
