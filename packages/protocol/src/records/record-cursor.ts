/** Steps through the records of a batch without an object per record: for compaction, lookups by timestamp, rewriting. */
import { ErrorCode, KafkaError } from '../errors.ts'
import { decodeVarlong } from './varint.ts'

/**
 * `next()` moves to the following record and puts its fields below; positions are within `bytes`.
 * @throws KafkaError INVALID_RECORD from `next()` for malformed records, and for bytes after the last one.
 */
export class RecordCursor {
  readonly bytes: Uint8Array
  /** Index of the present record; -1 before the first. */
  index = -1
  /** The whole record, from its length on. */
  start = 0
  end = 0
  offsetDelta = 0
  keyAt = 0
  /** -1: null. */
  keyLength = -1
  valueAt = 0
  /** -1: null. */
  valueLength = -1
  headersAt = 0
  headersCount = 0
  readonly #count: number
  readonly #limit: number
  #at: number
  #timestampAt = 0
  #timestampEnd = 0

  /** Over `count` uncompressed records in `bytes[start..end)`. */
  constructor(bytes: Uint8Array, start: number, end: number, count: number) {
    this.bytes = bytes
    this.#at = start
    this.#limit = end
    this.#count = count
  }

  next(): boolean {
    if (this.index + 1 >= this.#count) {
      if (this.#at !== this.#limit) throw this.#malformed(`${this.#limit - this.#at} bytes follow the last record`)
      return false
    }
    this.index++
    this.start = this.#at
    const length = this.#varint(this.#limit)
    const end = this.#at + length
    if (length < 0 || end > this.#limit)
      throw this.#malformed(`its length is ${length}, ${this.#limit - this.#at} bytes are left`)
    this.end = end
    this.#at++
    this.#timestampAt = this.#at
    while (this.#at < end && this.bytes[this.#at]! > 0x7f) this.#at++
    this.#timestampEnd = ++this.#at
    if (this.#timestampEnd - this.#timestampAt > 10)
      throw this.#malformed('its timestamp delta takes more than 10 bytes')
    this.offsetDelta = this.#varint(end)
    this.keyLength = this.#varint(end)
    this.keyAt = this.#at
    if (this.keyLength > 0) this.#at += this.keyLength
    else if (this.keyLength < 0) this.keyLength = -1
    this.valueLength = this.#varint(end)
    this.valueAt = this.#at
    if (this.valueLength > 0) this.#at += this.valueLength
    else if (this.valueLength < 0) this.valueLength = -1
    this.headersCount = this.#varint(end)
    this.headersAt = this.#at
    if (this.headersCount < 0 || this.headersCount > (end - this.#at) / 2)
      throw this.#malformed(`it says it has ${this.headersCount} headers`)
    for (let header = 0; header < this.headersCount; header++) {
      const keyLength = this.#varint(end)
      if (keyLength < 0) throw this.#malformed('a header has no key')
      this.#at += keyLength
      const valueLength = this.#varint(end)
      if (valueLength > 0) this.#at += valueLength
    }
    if (this.#at !== end) throw this.#malformed(`its fields end ${end - this.#at} bytes before its length says`)
    return true
  }

  /** Behind the timestamp delta: from here on a record does not depend on the base timestamp of its batch. */
  get afterTimestamp(): number {
    return this.#timestampEnd
  }

  /** Relative to the base timestamp of the batch. */
  timestampDelta(): bigint {
    const [at, end] = [this.#timestampAt, this.#timestampEnd]
    if (end - at > 4) return decodeVarlong(this.bytes, at, end)
    let raw = 0
    for (let index = at, shift = 0; index < end; index++, shift += 7) raw |= (this.bytes[index]! & 0x7f) << shift
    return BigInt((raw >>> 1) ^ -(raw & 1))
  }

  /** Views, not copies. */
  key(): Uint8Array | null {
    return this.keyLength < 0 ? null : this.bytes.subarray(this.keyAt, this.keyAt + this.keyLength)
  }

  value(): Uint8Array | null {
    return this.valueLength < 0 ? null : this.bytes.subarray(this.valueAt, this.valueAt + this.valueLength)
  }

  #varint(end: number): number {
    let raw = 0
    for (let shift = 0; shift <= 28; shift += 7) {
      if (this.#at >= end) throw this.#malformed('it ends within a field')
      const byte = this.bytes[this.#at++]!
      raw |= (byte & 0x7f) << shift
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1)
    }
    throw this.#malformed('a length takes more than 5 bytes')
  }

  #malformed(problem: string): KafkaError {
    return new KafkaError(ErrorCode.INVALID_RECORD, `record ${this.index} at ${this.start}: ${problem}`)
  }
}
