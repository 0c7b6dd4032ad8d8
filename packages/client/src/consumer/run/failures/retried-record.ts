/** A record of a retry topic, as it was when it was read first: the handler need not know which way it came. */
import type { ConsumerRecord, RecordHeader } from '../../../record.ts'
import type { RecordOrigin } from '../../records/record-origin.ts'
import type { Origin } from './failed-record.ts'

export class RetriedRecord<K, V> implements ConsumerRecord<K, V> {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly timestamp: number
  readonly #carrier: ConsumerRecord<K, V>
  /** Of the first topic, for what serdes are told. */
  readonly #decoder: RecordOrigin<K, V>
  #key: K | null | undefined
  #value: V | null | undefined

  constructor(carrier: ConsumerRecord<K, V>, origin: Origin, decoder: RecordOrigin<K, V>) {
    this.topic = origin.topic
    this.partition = origin.partition
    this.offset = origin.offset
    this.timestamp = origin.timestamp
    this.#carrier = carrier
    this.#decoder = decoder
  }

  /** The record of the retry topic that `record` came with: what there is to commit. A record that came by no retry topic is its own. */
  static carrierOf(record: ConsumerRecord<unknown, unknown>): ConsumerRecord<unknown, unknown> {
    return #carrier in record ? record.#carrier : record
  }

  get timestampType(): 'CreateTime' | 'LogAppendTime' {
    return this.#carrier.timestampType
  }

  /** That of the first record is not carried along. */
  get leaderEpoch(): number | null {
    return null
  }

  get rawKey(): Uint8Array | null {
    return this.#carrier.rawKey
  }

  get rawValue(): Uint8Array | null {
    return this.#carrier.rawValue
  }

  get headers(): readonly RecordHeader[] {
    return this.#carrier.headers
  }

  header(name: string): Uint8Array | null | undefined {
    return this.#carrier.header(name)
  }

  get key(): K | null {
    if (this.#key === undefined) {
      const { rawKey } = this
      this.#key = rawKey === null ? null : this.#decoder.keyFrom(asBuffer(rawKey), this)
    }
    return this.#key
  }

  get value(): V | null {
    if (this.#value === undefined) {
      const { rawValue } = this
      this.#value = rawValue === null ? null : this.#decoder.valueFrom(asBuffer(rawValue), this)
    }
    return this.#value
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
