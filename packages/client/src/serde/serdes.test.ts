import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { z } from 'zod'
import type { Serde } from './serde.ts'
import { serde } from './serdes.ts'

const context = { topic: 't', isKey: false }
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** What Kafka's serializers make of the same values. */
const golden: readonly (readonly [name: string, serde: Serde<unknown>, value: unknown, stored: string])[] = [
  ['string', serde.string, 'grüße 🌊', '6772c3bcc39f6520f09f8c8a'],
  ['int', serde.int, -2, 'fffffffe'],
  ['int', serde.int, 0x7fff_ffff, '7fffffff'],
  ['long', serde.long, -(2n ** 63n), '8000000000000000'],
  ['long', serde.long, 1n, '0000000000000001'],
  ['double', serde.double, 3.5, '400c000000000000'],
  ['double', serde.double, -0, '8000000000000000'],
  [
    'uuid',
    serde.uuid,
    '123e4567-e89b-12d3-a456-426614174000',
    hex(Buffer.from('123e4567-e89b-12d3-a456-426614174000')),
  ],
  ['json', serde.json(), { a: [1, null] }, hex(Buffer.from('{"a":[1,null]}'))],
]

for (const [name, one, value, stored] of golden) {
  test(`${name} writes and reads ${JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part))}`, () => {
    assert.equal(hex(one.serialize(value, context)), stored)
    assert.deepEqual(one.deserialize(Buffer.from(stored, 'hex'), context), value)
    // Also from memory that is part of a batch.
    const within = new Uint8Array(Buffer.from(`00${stored}00`, 'hex')).subarray(1, 1 + stored.length / 2)
    assert.deepEqual(one.deserialize(within, context), value)
  })
}

test('what a serde has no form for is an error', () => {
  assert.throws(() => serde.int.serialize(2 ** 31, context), RangeError)
  assert.throws(() => serde.int.serialize(1.5, context), RangeError)
  assert.throws(() => serde.int.deserialize(new Uint8Array(3), context), /an int has 4 bytes, but there are 3/)
  assert.throws(() => serde.int.serialize(5n as never, context), { name: 'RangeError', message: /5 is not a 32 bit/ })
  assert.throws(() => serde.long.serialize(2n ** 63n, context), RangeError)
  assert.throws(() => serde.long.serialize(5 as never, context), { name: 'TypeError', message: /a long is a bigint/ })
  assert.throws(() => serde.long.deserialize(new Uint8Array(9), context), RangeError)
  assert.throws(() => serde.double.serialize('1' as never, context), TypeError)
  assert.throws(() => serde.uuid.serialize('no uuid', context), TypeError)
  assert.throws(() => serde.uuid.deserialize(Buffer.from('no uuid'), context), TypeError)
  assert.throws(() => serde.json().serialize(undefined, context), /JSON has no form of undefined/)
  assert.throws(() => serde.json().deserialize(Buffer.from('{'), context), SyntaxError)
})

test('a schema validates what is written and what is read, and its output is what is had', () => {
  const order = serde.json(z.object({ item: z.string(), count: z.coerce.number().int().positive() }))
  assert.equal(Buffer.from(order.serialize({ item: 'tea', count: 2 }, context)).toString(), '{"item":"tea","count":2}')
  const read = order.deserialize(Buffer.from('{"item":"tea","count":"3"}'), context)
  read.count satisfies number
  assert.deepEqual(read, { item: 'tea', count: 3 })
  assert.throws(
    () => order.serialize({ item: 'tea', count: -1 }, context),
    /a value to t does not fit its schema: count: /,
  )
  assert.throws(
    () => order.deserialize(Buffer.from('{"item":1,"count":1}'), context),
    /a value from t does not fit its schema: item: /,
  )
})

test('a schema that validates asynchronously is refused, without an unhandled rejection', () => {
  const later = serde.json(z.string().refine(async () => false))
  assert.throws(() => later.serialize('x', context), /asynchronously/)

  // Of another realm, as in tests that run in one: no instance of this one's Promise.
  const promise = runInNewContext('Promise.reject()') as Promise<never>
  const other = serde.json({ '~standard': { version: 1, vendor: 'test', validate: () => promise } })
  assert.throws(() => other.deserialize(Buffer.from('1'), context), /asynchronously/)
})

test('what is no schema is refused before anything is written', () => {
  for (const wrong of [{}, null, 'object', () => true])
    assert.throws(() => serde.json(wrong as never), /Standard Schema/)
})
