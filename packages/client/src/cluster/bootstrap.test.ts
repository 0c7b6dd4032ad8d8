import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bootstrapAddresses } from './bootstrap.ts'

test('addresses are separated by commas, IPv6 is in brackets, and a protocol before them is passed over', () => {
  assert.deepEqual(bootstrapAddresses(' a:1, SASL_SSL://b.c:2 ,[::1]:3,[fe80::1%eth0]:4,'), [
    { host: 'a', port: 1 },
    { host: 'b.c', port: 2 },
    { host: '::1', port: 3 },
    { host: 'fe80::1%eth0', port: 4 },
  ])
})

for (const wrong of ['a', 'a:', 'a:0', 'a:65536', 'a:9092x', ':9092', '[::1:9092', '::1:9092', 'a b:1'])
  test(`${wrong} is no address, and the error says so`, () => {
    assert.throws(() => bootstrapAddresses(['ok:1', wrong]), {
      name: 'TypeError',
      message: `brokers: ${JSON.stringify(wrong)} is not an address; expected "host:port", as in "localhost:9092"`,
    })
  })

test('a password in what should be an address is not shown', () => {
  assert.throws(
    () => bootstrapAddresses('kafka://me:open sesame@host:9092'),
    (error: Error) => {
      assert.match(error.message, /"…@host:9092" is not an address/)
      return !error.message.includes('sesame')
    },
  )
})
