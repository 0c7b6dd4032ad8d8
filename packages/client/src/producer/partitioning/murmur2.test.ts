import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { murmur2, partitionOfKey } from './murmur2.ts'

/** What org.apache.kafka.common.utils.Utils.murmur2 gives (UtilsTest of Kafka). */
const fromJava: readonly (readonly [string, number])[] = [
  ['21', -973_932_308],
  ['foobar', -790_332_482],
  ['a-little-bit-long-string', -985_981_536],
  ['a-little-bit-longer-string', -1_486_304_829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
  ['abc', 479_470_107],
]

test('murmur2 gives what Java gives', () => {
  for (const [key, expected] of fromJava) {
    assert.equal(murmur2(key), expected, key)
    assert.equal(murmur2(Buffer.from(key)), expected, key)
  }
})

test('a text hashes as its UTF-8 bytes', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (text) => {
      assert.equal(murmur2(text), murmur2(Buffer.from(text, 'utf8')))
    }),
  )
})

test('a partition is never negative', () => {
  assert.equal(partitionOfKey('21', 1), 0)
  fc.assert(
    fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 1000 }), (key, count) => {
      const partition = partitionOfKey(key, count)
      assert.ok(partition >= 0 && partition < count)
    }),
  )
})
