/**
 * A record as the application gets it: a batch, a position in it, and fields that are decoded when asked for. Its batch keeps its bytes, which
 * belong to nobody else, so a record is good for as long as it is kept.
 */
import type { FetchedBatch } from '@millrace/protocol'
import type { ConsumerRecord, RecordHeader } from '../../record.ts'
import type { RecordOrigin } from './record-origin.ts'

export class FetchedRecord<K, V> implements ConsumerRecord<K, V> {
  readonly #origin: RecordOrigin<K, V>
  readonly #batch: FetchedBatch
  readonly #at: number
  /** Undefined: not decoded yet. */
  #key: K | null | undefined = undefined
  #value: V | null | undefined = undefined

  constructor(origin: RecordOrigin<K, V>, batch: FetchedBatch, at: number) {
    this.#origin = origin
    this.#batch = batch
    this.#at = at
  }

  get topic(): string {
    return this.#origin.topic
  }

  get partition(): number {
    return this.#origin.partition
  }

  get offset(): bigint {
    return this.#batch.offsetOf(this.#at)
  }

  get timestamp(): number {
    return this.#batch.timestampOf(this.#at)
  }

  get timestampType(): 'CreateTime' | 'LogAppendTime' {
    return this.#batch.timestampType
  }

  get leaderEpoch(): number | null {
    const { leaderEpoch } = this.#batch
    return leaderEpoch < 0 ? null : leaderEpoch
  }

  get key(): K | null {
    return this.#key === undefined ? (this.#key = this.#decodeKey()) : this.#key
  }

  get value(): V | null {
    return this.#value === undefined ? (this.#value = this.#decodeValue()) : this.#value
  }

  get rawKey(): Uint8Array | null {
    return this.#batch.keyOf(this.#at)
  }

  get rawValue(): Uint8Array | null {
    return this.#batch.valueOf(this.#at)
  }

  get headers(): readonly RecordHeader[] {
    return this.#batch.headersOf(this.#at)
  }

  header(name: string): Uint8Array | null | undefined {
    return this.headers.findLast(({ key }) => key === name)?.value
  }

  /** All fields, for logs: the getters above are not own properties. */
  toJSON(): Record<string, unknown> {
    const { topic, partition, offset, timestamp, timestampType, leaderEpoch, key, value } = this
    return { topic, partition, offset: String(offset), timestamp, timestampType, leaderEpoch, key, value }
  }

  [Symbol.for('nodejs.util.inspect.custom')](): Record<string, unknown> {
    return { ...this.toJSON(), offset: this.offset, headers: this.headers }
  }

  #decodeKey(): K | null {
    if (this.#origin.keyIsUtf8) return this.#batch.keyTextOf(this.#at) as K | null
    const bytes = this.#batch.keyOf(this.#at)
    return bytes === null ? null : this.#origin.keyFrom(bytes, this)
  }

  #decodeValue(): V | null {
    if (this.#origin.valueIsUtf8) return this.#batch.valueTextOf(this.#at) as V | null
    const bytes = this.#batch.valueOf(this.#at)
    return bytes === null ? null : this.#origin.valueFrom(bytes, this)
  }
}
