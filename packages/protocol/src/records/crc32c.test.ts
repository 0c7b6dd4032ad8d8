import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32c, crc32cInJavaScript } from './crc32c.ts'

test('the checksums of RFC 3720 §B.4', () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, index) => index)
  assert.equal(crc32c(new Uint8Array(32)), 0x8a91_36aa)
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8_ab43)
  assert.equal(crc32c(ascending), 0x46dd_794e)
  assert.equal(crc32c(ascending.toReversed()), 0x113f_db5c)
  assert.equal(crc32c(new Uint8Array(0)), 0)
})

test('native code and JavaScript agree, in any range and in pieces', () => {
  // Enough for the native module to be loaded.
  crc32c(new Uint8Array(2 * 1024 * 1024))
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 200, maxLength: 3000 }), fc.nat(), fc.nat(), (bytes, a, b) => {
      const [start, end] = [a % bytes.length, b % (bytes.length + 1)].toSorted((x, y) => x - y) as [number, number]
      const expected = bitByBit(bytes.subarray(start, end))
      assert.equal(crc32c(bytes, start, end), expected)
      assert.equal(crc32cInJavaScript(bytes, start, end), expected)
      const middle = (start + end) >> 1
      assert.equal(crc32c(bytes, middle, end, crc32c(bytes, start, middle)), expected)
    }),
    { numRuns: 50 },
  )
})

function bitByBit(bytes: Uint8Array): number {
  let crc = -1
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  }
  return ~crc >>> 0
}
