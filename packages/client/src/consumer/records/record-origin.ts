/** What all records read from one partition share. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Deserializer, SerdeContext } from '../../serde/serde.ts'

export interface Deserializers<K, V> {
  /** Null: keys are bytes. */
  readonly key: Deserializer<K> | null
  readonly value: Deserializer<V> | null
}

export class RecordOrigin<K, V> {
  readonly topic: string
  readonly partition: number
  readonly #key: Deserializer<K> | null
  readonly #value: Deserializer<V> | null
  readonly keyIsUtf8: boolean
  readonly valueIsUtf8: boolean
  readonly #keyContext: SerdeContext
  readonly #valueContext: SerdeContext

  constructor(topic: string, partition: number, { key, value }: Deserializers<K, V>) {
    this.topic = topic
    this.partition = partition
    this.#key = key
    this.#value = value
    this.keyIsUtf8 = key?.isUtf8 === true
    this.valueIsUtf8 = value?.isUtf8 === true
    this.#keyContext = { topic, isKey: true }
    this.#valueContext = { topic, isKey: false }
  }

  /** @throws KafkaError INVALID_RECORD naming the record, with what the deserializer threw as its cause. */
  keyFrom(bytes: Buffer, record: { readonly offset: bigint }): K {
    if (this.#key === null) return bytes as K
    try {
      return this.#key.deserialize(bytes, this.#keyContext)
    } catch (error) {
      throw this.#undecodable('key', record.offset, error)
    }
  }

  /** @throws as `keyFrom`. */
  valueFrom(bytes: Buffer, record: { readonly offset: bigint }): V {
    if (this.#value === null) return bytes as V
    try {
      return this.#value.deserialize(bytes, this.#valueContext)
    } catch (error) {
      throw this.#undecodable('value', record.offset, error)
    }
  }

  #undecodable(part: 'key' | 'value', offset: bigint, error: unknown): KafkaError {
    const reason = error instanceof Error ? error.message : String(error)
    return new KafkaError(
      ErrorCode.INVALID_RECORD,
      `the ${part} of ${this.topic}-${this.partition} at offset ${offset} cannot be deserialized: ${reason}`,
      { cause: error },
    )
  }
}
