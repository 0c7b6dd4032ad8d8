/** Random values of declared messages, for property tests. */
import fc from 'fast-check'
import type { AnyField, Message, Shape } from '../index.ts'
import { defaultOf } from './interpreter.ts'

/** Values that the version can carry: every field present, those outside the version at their defaults. */
export function messageValue(message: Message, version: number): fc.Arbitrary<Record<string, unknown>> {
  return structValue(message.fields, version)
}

function structValue(shape: Shape, version: number): fc.Arbitrary<Record<string, unknown>> {
  const fields = Object.entries(shape).map(([name, field]) => [name, fieldValue(field, version)])
  return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, { noNullPrototype: true })
}

function fieldValue(field: AnyField, version: number): fc.Arbitrary<unknown> {
  if (version < field.oldest || version > field.newest) return fc.constant(defaultOf(field))
  const value = presentValue(field, version)
  const withDefault =
    field.tagNumber === null ? value : fc.oneof({ arbitrary: value, weight: 2 }, fc.constant(defaultOf(field)))
  const isNullable = field.nullableFrom !== null && version >= field.nullableFrom
  return isNullable ? fc.option(withDefault, { nil: null, freq: 4 }) : withDefault
}

const text = fc.oneof(
  { arbitrary: fc.string({ maxLength: 12 }), weight: 4 },
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  // Lengths around the limits of one-byte varints.
  fc.integer({ min: 40, max: 140 }).map((length) => 'é'.repeat(length)),
)

const id = fc.oneof(
  { arbitrary: fc.uint8Array({ minLength: 16, maxLength: 16 }), weight: 4 },
  fc.constant(new Uint8Array(16)),
)

function presentValue(field: AnyField, version: number): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'bool':
      return fc.boolean()
    case 'int8':
      return fc.integer({ min: -0x80, max: 0x7f })
    case 'int16':
      return fc.integer({ min: -0x8000, max: 0x7fff })
    case 'uint16':
      return fc.integer({ min: 0, max: 0xffff })
    case 'int32':
      return fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff })
    case 'uint32':
      return fc.integer({ min: 0, max: 0xffff_ffff })
    case 'int64':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    case 'float64':
      return fc.double({ noNaN: true })
    case 'uuid':
      return id.map((bytes) => Buffer.from(bytes).toString('base64url'))
    case 'string':
      return text
    case 'bytes':
    case 'records':
      return fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 120, maxLength: 150 }))
    case 'array': {
      const element = fieldValue(field.element!, version)
      const few = fc.array(element, { maxLength: 3 })
      if (field.element!.kind === 'struct') return few
      return fc.oneof({ arbitrary: few, weight: 8 }, fc.array(element, { minLength: 120, maxLength: 140 }))
    }
    case 'struct':
      return structValue(field.fields ?? {}, version)
  }
}
