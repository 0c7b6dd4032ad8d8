import { test } from 'node:test'
import assert from 'node:assert/strict'
import { simulation } from '@millrace/runtime/testing'
import { partitionOfKey } from './murmur2.ts'
import { partitionChooser, type ChooserOptions, type PartitionedTopic } from './partition-chooser.ts'
import { StickyPartition } from './sticky-partition.ts'

const { random } = simulation(5)

function topicOf(
  partitionsCount: number,
  {
    available = Array.from({ length: partitionsCount }, (_, index) => index),
    queued = {} as Record<number, number>,
  } = {},
): PartitionedTopic {
  return {
    name: 't',
    partitionsCount,
    availablePartitions: available,
    sticky: new StickyPartition({ random, batchSize: 1000, loads: () => null }),
    queuedBytes: (partition) => queued[partition] ?? 0,
  }
}

const choose = (partitioner: ChooserOptions['partitioner'], ignoreKeys = false) =>
  partitionChooser({ partitioner, ignoreKeys, random })

test('default: a key decides, without one a partition is kept', () => {
  const topic = topicOf(7)
  assert.equal(choose('default')(topic, 'key', null), partitionOfKey('key', 7))
  const kept = choose('default')(topic, null, 'v')
  for (let round = 0; round < 20; round++) assert.equal(choose('default')(topic, null, 'v'), kept)
  assert.equal(choose('default', true)(topic, 'any key', 'v'), kept)
})

test('default: a key decides for a partition without leader too, as it does for all who write that key', () => {
  const partition = partitionOfKey('key', 3)
  const topic = topicOf(3, { available: [0, 1, 2].filter((one) => one !== partition) })
  assert.equal(choose('default')(topic, 'key', null), partition)
})

test('round-robin: one available partition after the other, each topic for itself', () => {
  const [topic, other] = [topicOf(4, { available: [0, 2, 3] }), topicOf(2)]
  const next = choose('round-robin')
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => next(topic, 'k', null)),
    [0, 2, 3, 0, 2],
  )
  assert.equal(next(other, null, null), 0)
  assert.equal(choose('round-robin')(topicOf(4, { available: [] }), null, null), 0)
})

test('random: every available partition, and no other', () => {
  const topic = topicOf(5, { available: [1, 4] })
  const next = choose('random')
  assert.deepEqual(
    [...new Set(Array.from({ length: 50 }, () => next(topic, 'k', null)))].toSorted((one, other) => one - other),
    [1, 4],
  )
})

test('least-loaded: the fewest bytes waiting, ties spread', () => {
  const next = choose('least-loaded')
  const topic = topicOf(4, { queued: { 0: 10, 1: 5, 2: 7 }, available: [0, 1, 2] })
  for (let round = 0; round < 20; round++) assert.equal(next(topic, null, null), 1)
  const even = topicOf(4)
  assert.equal(new Set(Array.from({ length: 50 }, () => next(even, null, null))).size, 4)
})

test("an application's own: is given key and value as written, and held to the topic's partitions", () => {
  const topic = topicOf(4, { queued: { 2: 9 } })
  const chosen = choose(({ key, value, partitionsCount, queuedBytes }) => {
    assert.deepEqual([key, value, partitionsCount, queuedBytes(2)], ['k', 'v', 4, 9])
    return 3
  })(topic, 'k', 'v')
  assert.equal(chosen, 3)
  for (const wrong of [-1, 4, 1.5, Number.NaN, undefined as unknown as number])
    assert.throws(
      () => choose(() => wrong)(topic, null, null),
      /the partitioner gave .* for t, which has partitions 0 to 3/,
    )
})
