/** Writes Kafka's primitive types, big-endian, into a buffer that grows. Large payloads are referenced instead of copied. */
import { writeText, writeUuid } from './text.ts'

/** From this size on a payload costs less as a buffer of its own in the scatter list than as a copy. */
export const REFERENCE_FROM_BYTES = 4096

/**
 * Everything written goes to one buffer, which doubles when full; referenced payloads are remembered with the place where
 * they belong. Not to be used after finish().
 */
export class Writer {
  /** Own bytes; valid up to `position`. Replaced when it grows. */
  bytes: Buffer
  view: DataView
  position = 0
  #referenced: { readonly at: number; readonly payload: Uint8Array }[] | null = null
  #referencedBytes = 0

  /** @param capacity bytes to start with. */
  constructor(capacity = 256) {
    this.bytes = Buffer.allocUnsafe(capacity)
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, capacity)
  }

  /** Bytes written so far, referenced payloads included. */
  get length(): number {
    return this.position + this.#referencedBytes
  }

  /** Makes room for `count` more bytes; `bytes` and `view` may be replaced. */
  reserve(count: number): void {
    if (this.position + count <= this.bytes.length) return
    const bytes = Buffer.allocUnsafe(Math.max(this.position + count, this.bytes.length * 2))
    bytes.set(this.bytes.subarray(0, this.position))
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  bool(value: boolean): void {
    const at = this.#advance(1)
    this.view.setInt8(at, value ? 1 : 0)
  }
  int8(value: number): void {
    const at = this.#advance(1)
    this.view.setInt8(at, value)
  }
  int16(value: number): void {
    const at = this.#advance(2)
    this.view.setInt16(at, value)
  }
  uint16(value: number): void {
    const at = this.#advance(2)
    this.view.setUint16(at, value)
  }
  int32(value: number): void {
    const at = this.#advance(4)
    this.view.setInt32(at, value)
  }
  uint32(value: number): void {
    const at = this.#advance(4)
    this.view.setUint32(at, value)
  }
  int64(value: bigint): void {
    const at = this.#advance(8)
    this.view.setBigInt64(at, value)
  }
  float64(value: number): void {
    const at = this.#advance(8)
    this.view.setFloat64(at, value)
  }
  uuid(value: string): void {
    const at = this.#advance(16)
    writeUuid(this.bytes, at, value)
  }

  /** 0 … 2^32-1 in up to 5 bytes. */
  unsignedVarint(value: number): void {
    this.reserve(5)
    this.position = writeUnsignedVarint(this.bytes, this.position, value)
  }

  /** UTF-8 without a length. */
  text(value: string): void {
    this.reserve(value.length * 3)
    this.position = writeText(this.bytes, this.position, value)
  }

  /** A copy of `value`, without a length. */
  raw(value: Uint8Array): void {
    const at = this.#advance(value.length)
    this.bytes.set(value, at)
  }

  /** `value` without a length and without a copy: it must not change until the bytes have been sent. */
  reference(value: Uint8Array): void {
    this.#referenced ??= []
    this.#referenced.push({ at: this.position, payload: value })
    this.#referencedBytes += value.length
  }

  /** int16 length and UTF-8, length -1 for null. The classic (not flexible) nullable string. @throws RangeError above 32767 bytes. */
  nullableString(value: string | null): void {
    if (value === null) return this.int16(-1)
    const at = this.#advance(2)
    this.text(value)
    const length = this.position - at - 2
    if (length > 0x7fff) throw new RangeError(`a string may have 32767 bytes, got ${length}`)
    this.view.setInt16(at, length)
  }

  /** What was written, in order: views of own bytes, and the referenced payloads. */
  finish(): Uint8Array[] {
    if (this.#referenced === null) return [this.bytes.subarray(0, this.position)]
    const parts: Uint8Array[] = []
    let from = 0
    for (const { at, payload } of this.#referenced) {
      if (at > from) parts.push(this.bytes.subarray(from, at))
      parts.push(payload)
      from = at
    }
    if (this.position > from) parts.push(this.bytes.subarray(from, this.position))
    return parts
  }

  /** Moves the position on by `length`; returns where it was. To be called before `bytes` or `view` is looked at. */
  #advance(length: number): number {
    const at = this.position
    if (at + length > this.bytes.length) this.reserve(length)
    this.position = at + length
    return at
  }
}

/** Writes 0 … 2^32-1 in up to 5 bytes and returns the position behind it. */
export function writeUnsignedVarint(bytes: Uint8Array, position: number, value: number): number {
  let rest = value
  let at = position
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[at++] = rest
  return at
}
