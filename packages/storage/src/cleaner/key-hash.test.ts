import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { KeyHash } from './key-hash.ts'

test('is the MD5 of the bytes', () => {
  const hash = new KeyHash()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(10), (bytes, offset) => {
      const start = Math.min(offset, bytes.length)
      hash.update(bytes, start, bytes.length)
      const expected = createHash('md5').update(bytes.subarray(start)).digest('hex')
      assert.equal(Buffer.from(hash.words.buffer).toString('hex'), expected)
    }),
  )
})

test('is right at the ends of blocks', () => {
  const hash = new KeyHash()
  for (let length = 50; length <= 130; length++) {
    const bytes = new Uint8Array(length).fill(length)
    hash.update(bytes, 0, length)
    assert.equal(Buffer.from(hash.words.buffer).toString('hex'), createHash('md5').update(bytes).digest('hex'))
  }
})
