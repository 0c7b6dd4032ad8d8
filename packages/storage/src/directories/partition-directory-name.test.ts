import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { seededRandom } from './testing/seeded-random.ts'
import {
  canBeMoved,
  deleteDirectoryName,
  futureDirectoryName,
  parsePartitionDirectoryName,
  partitionDirectoryName,
  strayDirectoryName,
} from './partition-directory-name.ts'

const topics = fc.stringMatching(/^[a-zA-Z0-9._-]{1,249}$/).filter((name) => name !== '.' && name !== '..')
const partitions = fc.integer({ min: 0, max: 0x7fffffff })

test('every name is parsed back, a future one with its whole topic', () => {
  fc.assert(
    fc.property(topics, partitions, fc.integer(), (topic, partition, seed) => {
      const random = seededRandom(seed)
      const current = parsePartitionDirectoryName(partitionDirectoryName(topic, partition))
      // A topic may itself end like a marked name; Kafka misreads such a directory too.
      if (!/-(delete|future|stray)$/.test(`${topic}-${partition}`))
        assert.deepEqual(current, { topic, partition, kind: 'current' })
      const future = futureDirectoryName(topic, partition, random)
      assert.deepEqual(parsePartitionDirectoryName(future), { topic, partition, kind: 'future' })
      assert.equal(canBeMoved(topic, partition), future.length <= 255)
    }),
  )
})

test('a delete or stray name fits into a file name and keeps what it can of the topic', () => {
  fc.assert(
    fc.property(topics, partitions, fc.integer(), (topic, partition, seed) => {
      const random = seededRandom(seed)
      for (const [kind, name] of [
        ['delete', deleteDirectoryName(topic, partition, random)],
        ['stray', strayDirectoryName(topic, partition, random)],
      ] as const) {
        assert.ok(name.length <= 255)
        const parsed = parsePartitionDirectoryName(name)
        assert.equal(parsed?.kind, kind)
        assert.equal(parsed?.partition, partition)
        assert.ok(topic.startsWith(parsed.topic))
        if (topic.length < 190) assert.equal(parsed.topic, topic)
      }
    }),
  )
})

test('names are those Kafka writes', () => {
  const random = { next: () => 0, integer: () => 0, bytes: (length: number) => new Uint8Array(length).fill(0xab) }
  const id = 'ab'.repeat(16)
  assert.equal(partitionDirectoryName('my-topic', 3), 'my-topic-3')
  assert.equal(deleteDirectoryName('my-topic', 3, random), `my-topic-3.${id}-delete`)
  assert.equal(futureDirectoryName('my-topic', 3, random), `my-topic-3.${id}-future`)
  assert.equal(strayDirectoryName('my-topic', 3, random), `my-topic-3.${id}-stray`)
  assert.equal(deleteDirectoryName('t'.repeat(249), 12, random), `${'t'.repeat(255 - 43)}-12.${id}-delete`)
})

test('what is not the name of a partition is refused', () => {
  for (const name of [
    'lost+found',
    'topic',
    'topic-',
    '-1',
    'topic-x',
    'topic-2147483648',
    'topic-1-delete',
    'a-future',
    '',
  ])
    assert.equal(parsePartitionDirectoryName(name), null, name)
})
