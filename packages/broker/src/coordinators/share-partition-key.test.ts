import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatSharePartitionKey, parseSharePartitionKey } from './share-partition-key.ts'

const topicId = 'AAECAwQFBgcICQoLDA0ODw'

test('a key is read as it was written, whatever the group is called', () => {
  const group = fc
    .oneof(fc.string({ unit: 'grapheme', minLength: 1 }), fc.constantFrom('a:b', ':', '::x', 'x:1:2'))
    .filter((text) => /[^\0- ]/.test(text))
  const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url'))
  fc.assert(
    fc.property(group, id, fc.nat(0x7fff_ffff), (groupId, anyTopicId, partition) => {
      const key = { groupId, topicId: anyTopicId, partition }
      assert.deepEqual(parseSharePartitionKey(formatSharePartitionKey(key)), key)
    }),
  )
})

test('Java reads more than one form of the same key', () => {
  const key = { groupId: 'g', topicId, partition: 7 }
  for (const text of [`g:${topicId}:7`, `g:${topicId}==:+7`, `g:${topicId}:007`, `g:${topicId}:7:`, `g:${topicId}:7::`])
    assert.deepEqual(parseSharePartitionKey(text), key, text)
})

test('what is no key is refused', () => {
  const tooMuch = `g:${topicId}:2147483648`
  for (const text of [
    '',
    'g',
    `g:${topicId}`,
    `:${topicId}:1`,
    ` \t:${topicId}:1`,
    'g:short:1',
    `g:${topicId}A:1`,
    tooMuch,
  ])
    assert.equal(parseSharePartitionKey(text), null, text)
  for (const partition of ['', 'x', '1.0', '0x1', ' 1'])
    assert.equal(parseSharePartitionKey(`g:${topicId}:${partition}`), null)
})
