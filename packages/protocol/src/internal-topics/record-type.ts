/**
 * A kind of record in an internal topic: what a coordinator writes down and reads back when it takes a partition over.
 * Key on disk: record type int16, then the key, which has one version and is never flexible. Value: its version int16, then the
 * value; a record without a value (a tombstone) deletes what its key names. Source: Kafka's CoordinatorRecordSerde.
 */
import { Reader } from '../codec/reader.ts'
import { Writer } from '../codec/writer.ts'
import type { Shape } from '../schema/field.ts'
import { Message } from '../schema/message.ts'
import type { Decoded, Encodable } from '../schema/values.ts'

export interface RecordTypeDeclaration<KeyFields extends Shape, ValueFields extends Shape> {
  /** As Kafka's schemas call it, without the endings Key and Value. */
  readonly name: string
  /** The record type, the first int16 of a key. */
  readonly id: number
  readonly key: KeyFields
  readonly value: {
    readonly versions: readonly [oldest: number, newest: number]
    /** The first flexible version; null when there is none. */
    readonly flexible: number | null
    /** The version that Kafka 4.3.1 writes; null for a type that it only reads, or only deletes. */
    readonly writes: number | null
    readonly fields: ValueFields
  }
}

export class RecordType<KeyFields extends Shape = Shape, ValueFields extends Shape = Shape> {
  readonly name: string
  readonly id: number
  readonly key: Message<KeyFields>
  readonly value: Message<ValueFields>
  /** See RecordTypeDeclaration: the version to write; null where nothing writes values of this type. */
  readonly writes: number | null

  constructor({ name, id, key, value }: RecordTypeDeclaration<KeyFields, ValueFields>) {
    const { versions, flexible, fields, writes } = value
    this.name = name
    this.id = id
    this.key = new Message({ name: `${name} key`, versions: [0, 0], flexible: null, fields: key })
    this.value = new Message({ name: `${name} value`, versions, flexible, fields })
    this.writes = writes
  }

  /** The bytes of a record's key, its type included. @throws as Message.encode does. */
  encodeKey(key: Encodable<KeyFields>): Uint8Array {
    return encodePrefixed(this.id, this.key, key, 0)
  }

  /** The bytes of a record's value, its version included. @throws as Message.encode does. */
  encodeValue(value: Encodable<ValueFields>, version: number): Uint8Array {
    return encodePrefixed(version, this.value, value, version)
  }

  /**
   * The key in the bytes of a record's key. Bytes behind it are ignored, as Kafka does.
   * @throws MalformedMessageError for bad bytes. RangeError for the key of another type: ask `recordTypeOf` first.
   */
  decodeKey(bytes: Uint8Array): Decoded<KeyFields> {
    const reader = new Reader(bytes)
    const id = reader.int16()
    if (id !== this.id) throw new RangeError(`a key of ${this.name} begins with ${this.id}, got ${id}`)
    return this.key.decode(reader, 0)
  }

  /**
   * The value in the bytes of a record's value; fields that its version lacks have their defaults. Bytes behind it are ignored.
   * @throws MalformedMessageError for bad bytes. KafkaError UNSUPPORTED_VERSION for a version that is not declared, which a
   * newer broker wrote: Kafka does not load a partition that holds one.
   */
  decodeValue(bytes: Uint8Array): Decoded<ValueFields> {
    const reader = new Reader(bytes)
    return this.value.decode(reader, reader.int16())
  }
}

function encodePrefixed<Fields extends Shape>(
  prefix: number,
  message: Message<Fields>,
  fields: Encodable<Fields>,
  version: number,
): Uint8Array {
  const writer = new Writer()
  writer.int16(prefix)
  message.encode(writer, fields, version)
  const parts = writer.finish()
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

export function recordType<const KeyFields extends Shape, const ValueFields extends Shape>(
  declaration: RecordTypeDeclaration<KeyFields, ValueFields>,
): RecordType<KeyFields, ValueFields> {
  return new RecordType(declaration)
}

/** What decoding a key gives: `RecordKey<typeof OffsetCommitRecord>`. */
export type RecordKey<T extends RecordType> = Decoded<T['key']['fields']>
/** What decoding a value gives. */
export type RecordValue<T extends RecordType> = Decoded<T['value']['fields']>
/** What encoding a value takes. */
export type RecordValueInput<T extends RecordType> = Encodable<T['value']['fields']>
