// Writing and reading the primitive types of messages: the plain ones, and the compact ones of flexible versions.

export class FieldWriter {
  readonly #parts: Buffer[] = []

  int8(value: number): this {
    return this.#number(1, (buffer) => buffer.writeInt8(value))
  }
  int16(value: number): this {
    return this.#number(2, (buffer) => buffer.writeInt16BE(value))
  }
  int32(value: number): this {
    return this.#number(4, (buffer) => buffer.writeInt32BE(value))
  }
  int64(value: bigint): this {
    return this.#number(8, (buffer) => buffer.writeBigInt64BE(value))
  }
  string(value: string | null): this {
    if (value === null) return this.int16(-1)
    const bytes = Buffer.from(value)
    return this.int16(bytes.length).raw(bytes)
  }
  bytes(value: Uint8Array): this {
    return this.int32(value.length).raw(value)
  }
  uvarint(value: number): this {
    const bytes: number[] = []
    let rest = value
    for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128)
    return this.raw(Buffer.from([...bytes, rest]))
  }
  compactString(value: string | null): this {
    if (value === null) return this.uvarint(0)
    const bytes = Buffer.from(value)
    return this.uvarint(bytes.length + 1).raw(bytes)
  }
  compactArray<T>(values: readonly T[] | null, write: (value: T) => void): this {
    this.uvarint(values === null ? 0 : values.length + 1)
    for (const value of values ?? []) write(value)
    return this
  }
  /** The empty set of tagged fields that ends every structure of a flexible version. */
  noTags(): this {
    return this.uvarint(0)
  }
  raw(value: Uint8Array): this {
    this.#parts.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength))
    return this
  }
  array<T>(values: readonly T[], write: (value: T) => void): this {
    this.int32(values.length)
    for (const value of values) write(value)
    return this
  }
  finish(): Buffer {
    return Buffer.concat(this.#parts)
  }

  #number(size: number, write: (buffer: Buffer) => void): this {
    const buffer = Buffer.alloc(size)
    write(buffer)
    this.#parts.push(buffer)
    return this
  }
}

export class FieldReader {
  readonly #bytes: Buffer
  #position = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }
  int8(): number {
    return this.#bytes.readInt8(this.#advance(1))
  }
  int16(): number {
    return this.#bytes.readInt16BE(this.#advance(2))
  }
  int32(): number {
    return this.#bytes.readInt32BE(this.#advance(4))
  }
  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#advance(8))
  }
  string(): string | null {
    const length = this.int16()
    if (length < 0) return null
    const start = this.#advance(length)
    return this.#bytes.toString('utf8', start, start + length)
  }
  /** Null becomes an empty buffer. */
  bytes(): Buffer {
    return this.raw(Math.max(0, this.int32()))
  }
  raw(length: number): Buffer {
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }
  uvarint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#advance(1))
      value |= (byte & 127) << shift
      if (byte < 128) return value
    }
  }
  compactString(): string | null {
    const length = this.uvarint() - 1
    return length < 0 ? null : this.raw(length).toString()
  }
  compactArray<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.uvarint() - 1) }, read)
  }
  skipTags(): void {
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint()
      this.raw(this.uvarint())
    }
  }
  array<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, read)
  }

  #advance(size: number): number {
    const start = this.#position
    this.#position += size
    return start
  }
}
