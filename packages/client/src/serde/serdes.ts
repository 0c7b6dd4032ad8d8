/** The serdes that come with the client. Numbers and uuids are Kafka's formats: what Java writes is read, and the reverse. */
import { parseWith, type StandardSchema } from './standard-schema.ts'
import type { Serde } from './serde.ts'

const bytes: Serde<Uint8Array> = {
  serialize: (value) => value,
  deserialize: (stored) => stored,
}

const string: Serde<string> = {
  isUtf8: true,
  serialize: (value) => Buffer.from(value, 'utf8'),
  deserialize: (stored) => asBuffer(stored).toString('utf8'),
}

/** JSON. With a schema (Standard Schema: Zod, Valibot, ArkType and others) values are validated when written and when read. */
function json<T>(): Serde<T>
function json<S extends StandardSchema>(schema: S): Serde<StandardSchema.Output<S>>
function json(schema?: StandardSchema): Serde<unknown> {
  if (schema !== undefined && typeof schema?.['~standard']?.validate !== 'function')
    throw new TypeError(
      'serde.json expects nothing, or a schema that implements Standard Schema (Zod, Valibot, ArkType …)',
    )
  return {
    serialize(value, { topic }) {
      const text = JSON.stringify(schema === undefined ? value : parseWith(schema, value, `to ${topic}`))
      if (text === undefined) throw new TypeError(`JSON has no form of ${typeof value}`)
      return Buffer.from(text, 'utf8')
    },
    deserialize(stored, { topic }) {
      const value: unknown = JSON.parse(asBuffer(stored).toString('utf8'))
      return schema === undefined ? value : parseWith(schema, value, `from ${topic}`)
    },
  }
}

/** A 32 bit integer, big-endian. */
const int: Serde<number> = {
  serialize(value) {
    if (!Number.isInteger(value) || value !== (value | 0)) throw new RangeError(`${value} is not a 32 bit integer`)
    const stored = Buffer.allocUnsafe(4)
    stored.writeInt32BE(value)
    return stored
  },
  deserialize: (stored) => asBuffer(ofLength(stored, 4, 'an int')).readInt32BE(),
}

/** A 64 bit integer, big-endian. */
const long: Serde<bigint> = {
  serialize(value) {
    if (typeof value !== 'bigint')
      throw new TypeError(`a long is a bigint, not a ${typeof value}: write 5n, or BigInt(5)`)
    if (value !== BigInt.asIntN(64, value)) throw new RangeError(`${value} is not a 64 bit integer`)
    const stored = Buffer.allocUnsafe(8)
    stored.writeBigInt64BE(value)
    return stored
  },
  deserialize: (stored) => asBuffer(ofLength(stored, 8, 'a long')).readBigInt64BE(),
}

/** A 64 bit floating point number, big-endian. */
const double: Serde<number> = {
  serialize(value) {
    if (typeof value !== 'number') throw new TypeError(`${typeof value} is not a number`)
    const stored = Buffer.allocUnsafe(8)
    stored.writeDoubleBE(value)
    return stored
  },
  deserialize: (stored) => asBuffer(ofLength(stored, 8, 'a double')).readDoubleBE(),
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** A uuid in its text form of 36 characters, as Kafka's UUIDSerializer writes it. */
const uuid: Serde<string> = {
  serialize(value) {
    if (!uuidPattern.test(value)) throw new TypeError(`${JSON.stringify(value)} is not a uuid`)
    return Buffer.from(value, 'utf8')
  },
  deserialize(stored) {
    const text = asBuffer(stored).toString('utf8')
    if (!uuidPattern.test(text)) throw new TypeError(`${JSON.stringify(text)} is not a uuid`)
    return text
  },
}

export const serde = { bytes, string, json, int, long, double, uuid } as const

function asBuffer(stored: Uint8Array): Buffer {
  return Buffer.isBuffer(stored) ? stored : Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength)
}

function ofLength(stored: Uint8Array, length: number, what: string): Uint8Array {
  if (stored.length !== length) throw new RangeError(`${what} has ${length} bytes, but there are ${stored.length}`)
  return stored
}
