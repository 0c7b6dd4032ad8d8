import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PausedPartitions } from './paused-partitions.ts'

const partitions = (topic: string, count: number) =>
  Array.from({ length: count }, (_, partition) => ({ topic, partition }))

test('only what is assigned is told as paused', () => {
  const paused = new PausedPartitions()
  paused.pause([{ topic: 'a', partitions: [2, 0, 7] }, { topic: 'b' }])
  assert.deepEqual(paused.list(partitions('a', 3)), [{ topic: 'a', partitions: [0, 2] }])
  assert.deepEqual(paused.list([]), [])
})

test('of a topic paused as a whole what is resumed goes on, and what is assigned later waits', () => {
  const paused = new PausedPartitions()
  paused.pause([{ topic: 'a' }])
  paused.resume([{ topic: 'a', partitions: [0] }])
  assert.deepEqual(paused.list(partitions('a', 3)), [{ topic: 'a', partitions: [1, 2] }])
  paused.pause([{ topic: 'a', partitions: [0] }])
  assert.deepEqual(paused.list(partitions('a', 2)), [{ topic: 'a', partitions: [0, 1] }])
  paused.resume([{ topic: 'a' }])
  assert.deepEqual(paused.list(partitions('a', 3)), [])
})
