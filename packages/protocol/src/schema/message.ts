/** A declared message: its fields, and the codec compiled from them on first use. */
import { compileDecoder } from '../codec/compile-decoder.ts'
import { compileEncoder } from '../codec/compile-encoder.ts'
import type { Reader } from '../codec/reader.ts'
import type { Writer } from '../codec/writer.ts'
import type { Shape } from './field.ts'
import type { Decoded, Encodable } from './values.ts'

export interface MessageDeclaration<Fields extends Shape> {
  /** For error messages. */
  readonly name: string
  /** The oldest and the newest version. */
  readonly versions: readonly [oldest: number, newest: number]
  /** The first flexible version (KIP-482: compact lengths, tagged fields); null when there is none. */
  readonly flexible: number | null
  readonly fields: Fields
}

export class Message<Fields extends Shape = Shape> implements MessageDeclaration<Fields> {
  readonly name: string
  readonly versions: readonly [oldest: number, newest: number]
  readonly flexible: number | null
  readonly fields: Fields
  #decoder: ((reader: Reader, version: number) => unknown) | null = null
  #encoder: ((writer: Writer, value: never, version: number) => void) | null = null

  constructor({ name, versions, flexible, fields }: MessageDeclaration<Fields>) {
    this.name = name
    this.versions = versions
    this.flexible = flexible
    this.fields = fields
  }

  /**
   * Reads one message from the reader's position, and moves that behind it.
   * The value has every field; those that the version lacks have their defaults. `records` are views into the reader's bytes.
   * @throws MalformedMessageError for bad bytes; the reader's position is then undefined.
   * @throws KafkaError UNSUPPORTED_VERSION for a version outside `versions`.
   */
  decode(reader: Reader, version: number): Decoded<Fields> {
    this.#decoder ??= compileDecoder(this)
    return this.#decoder(reader, version) as Decoded<Fields>
  }

  /**
   * Writes one message. Integers are taken modulo their size; `records` from 4 KiB on are referenced, not copied.
   * @throws KafkaError UNSUPPORTED_VERSION for a version outside `versions`, or when a value that is neither default nor
   * ignorable has no place in this version. TypeError or RangeError for a value that can be in no version.
   */
  encode(writer: Writer, value: Encodable<Fields>, version: number): void {
    this.#encoder ??= compileEncoder(this)
    this.#encoder(writer, value as never, version)
  }
}

/** Declares a message that is not an API's: an embedded format or a record of an internal topic. */
export function message<const Fields extends Shape>(declaration: MessageDeclaration<Fields>): Message<Fields> {
  return new Message(declaration)
}
