/** The compiled codecs against the interpreter, over every message and version. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  allApis,
  ConsumerProtocolAssignment,
  consumerOffsetsRecords,
  ConsumerProtocolSubscription,
  DefaultPrincipalData,
  KafkaError,
  MalformedMessageError,
  Reader,
  shareGroupStateRecords,
  transactionStateRecords,
  Writer,
} from '../index.ts'
import type { Message, Shape } from '../index.ts'
import { defaultOf, interpretDecode, interpretEncode, messageValue } from '../testing/index.ts'

const messages: readonly Message[] = [
  ...allApis.flatMap(({ request, response }) => [request, response]),
  ConsumerProtocolAssignment as Message,
  ConsumerProtocolSubscription as Message,
  DefaultPrincipalData as Message,
  ...[consumerOffsetsRecords, transactionStateRecords, shareGroupStateRecords].flatMap((types) =>
    [...types.values()].flatMap(({ key, value }) => [key, value]),
  ),
]

/** Runs a property for a random message and version; a failure prints its seed and path. */
function forRandomValues(
  numRuns: number,
  check: (message: Message, version: number, value: Record<string, unknown>, bytes: Buffer, random: number) => void,
): void {
  const versions = messages.flatMap((message) => {
    const [oldest, newest] = message.versions
    return Array.from({ length: newest - oldest + 1 }, (_, i) => ({ message, version: oldest + i }))
  })
  const input = fc
    .constantFrom(...versions)
    .chain(({ message, version }) =>
      fc.tuple(fc.constant(message.name), fc.constant(version), messageValue(message, version), fc.nat()),
    )
  fc.assert(
    fc.property(input, ([name, version, value, random]) => {
      const message = messages.find((each) => each.name === name)!
      check(message, version, value, encode(message, version, value), random)
    }),
    { numRuns },
  )
}

function encode(message: Message, version: number, value: object): Buffer {
  const writer = new Writer(1)
  message.encode(writer, value as never, version)
  assert.equal(Buffer.concat(writer.finish()).length, writer.length)
  return Buffer.concat(writer.finish())
}

/** The value, or why the bytes were refused. */
function attempt(decode: () => object): object | 'malformed' {
  try {
    return decode()
  } catch (error) {
    if (error instanceof MalformedMessageError) return 'malformed'
    throw error
  }
}

test('every message and version: compiled and interpreted bytes are equal, and decode to the value', () => {
  for (const message of messages) {
    for (let version = message.versions[0]; version <= message.versions[1]; version++) {
      const [value] = fc.sample(messageValue(message, version), { numRuns: 1, seed: version + message.name.length })
      const bytes = encode(message, version, value!)
      const writer = new Writer()
      interpretEncode(message, writer, value!, version)
      assert.deepEqual(bytes, Buffer.concat(writer.finish()), `${message.name} v${version}`)
      const reader = new Reader(bytes)
      assert.deepEqual(plain(message.decode(reader, version)), plain(value), `${message.name} v${version}`)
      reader.expectEnd()
    }
  }
})

test('random values: compiled and interpreted bytes are equal, and decode to the value', () => {
  forRandomValues(2000, (message, version, value, bytes) => {
    const writer = new Writer()
    interpretEncode(message, writer, value, version)
    assert.deepEqual(bytes, Buffer.concat(writer.finish()))
    assert.deepEqual(plain(message.decode(new Reader(bytes), version)), plain(value))
    assert.deepEqual(plain(interpretDecode(message, new Reader(bytes), version)), plain(value))
  })
})

test('decoded objects have their fields in the order of the declaration, in every version', () => {
  forRandomValues(300, (message, version, _, bytes) => {
    const inOrder = (shape: Shape, value: Record<string, unknown>): void => {
      assert.deepEqual(Object.keys(value), Object.keys(shape))
      for (const [name, { element, fields }] of Object.entries(shape)) {
        if (fields !== null && value[name] !== null) inOrder(fields, value[name] as Record<string, unknown>)
        if (element?.fields)
          for (const each of (value[name] ?? []) as Record<string, unknown>[]) inOrder(element.fields, each)
      }
    }
    inOrder(message.fields, message.decode(new Reader(bytes), version))
  })
})

test('mutated bytes: a value or MalformedMessageError, as the interpreter has it, and nothing read outside the frame', () => {
  forRandomValues(3000, (message, version, _, bytes, random) => {
    const mutated = mutate(bytes, random)
    const padded = Buffer.concat([Buffer.alloc(8, 0x7f), mutated, Buffer.alloc(64, 1)])
    const reader = new Reader(padded, 8, 8 + mutated.length)
    const compiled = attempt(() => ({ value: message.decode(reader, version), read: reader.position - 8 }))
    const exact = new Reader(mutated)
    const interpreted = attempt(() => ({ value: interpretDecode(message, exact, version), read: exact.position }))
    assert.deepEqual(plain(compiled), plain(interpreted))
  })
})

test('truncated bytes are refused', () => {
  forRandomValues(1000, (message, version, _, bytes, random) => {
    if (bytes.length === 0) return
    const end = random % bytes.length
    const result = attempt(() => message.decode(new Reader(bytes, 0, end), version))
    assert.equal(result, 'malformed')
  })
})

test('fields left out are encoded as their defaults', () => {
  forRandomValues(500, (message, version, value, _, random) => {
    const given: Record<string, unknown> = {}
    const full: Record<string, unknown> = {}
    for (const [i, [name, field]] of Object.entries(message.fields).entries()) {
      const isLeftOut = field.isOptional && ((random >> (i % 30)) & 1) === 1
      if (!isLeftOut) given[name] = value[name]
      full[name] = isLeftOut ? defaultOf(field) : value[name]
    }
    assert.deepEqual(
      attemptEncoding(() => encode(message, version, given)),
      attemptEncoding(() => encode(message, version, full)),
    )
  })
})

/** The bytes, or the text of the KafkaError. A default of null can be impossible in some versions. */
function attemptEncoding(encodeIt: () => Buffer): Buffer | string {
  try {
    return encodeIt()
  } catch (error) {
    if (error instanceof KafkaError) return error.message
    throw error
  }
}

/** Buffers and Uint8Arrays alike. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}

/** Changes, inserts or removes a few bytes, chosen by `random`; often in favour of numbers that hurt. */
function mutate(bytes: Buffer, random: number): Buffer {
  const result = [...bytes]
  let state = random
  const next = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return limit === 0 ? 0 : (state >>> 8) % limit
  }
  // The end of most messages is an empty tagged section.
  if (next(4) === 0) result.splice(-1, 1, 1, next(3), next(8), ...Array.from({ length: next(8) }, () => next(256)))
  for (let count = next(4); count > 0; count--) {
    const at = next(result.length)
    const byte = [0, 1, 0x7f, 0x80, 0xff, next(256)][next(6)]!
    const change = next(8)
    if (change === 0) result.splice(at, 1)
    else if (change === 1) result.splice(at, 0, byte)
    else if (at < result.length) result[at] = byte
  }
  return Buffer.from(result)
}
