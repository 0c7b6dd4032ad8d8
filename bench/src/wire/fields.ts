// Writing and reading the primitive types of non-flexible messages.

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
  array<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, read)
  }

  #advance(size: number): number {
    const start = this.#position
    this.#position += size
    return start
  }
}
