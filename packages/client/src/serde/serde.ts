/** Between values of the application and the bytes of keys and values. */

export interface SerdeContext {
  readonly topic: string
  readonly isKey: boolean
}

/**
 * Null never reaches a serde: a null key or value is written as null and read as null.
 * What `serialize` returns must not change until the record is acknowledged; what `deserialize` is given may be kept.
 * Either may throw. Who sends a record gets the error as it is; who reads one, an error with topic, partition and offset whose `cause` it is.
 */
export interface Serde<T> {
  serialize(value: T, context: SerdeContext): Uint8Array
  deserialize(bytes: Uint8Array, context: SerdeContext): T
  /**
   * Set when `serialize` does no more than `Buffer.from(value, 'utf8')`: the producer then writes the text straight into its batch.
   */
  readonly isUtf8?: boolean
}

/** For those who only write, or only read. */
export type Serializer<T> = Pick<Serde<T>, 'serialize' | 'isUtf8'>
export type Deserializer<T> = Pick<Serde<T>, 'deserialize' | 'isUtf8'>
