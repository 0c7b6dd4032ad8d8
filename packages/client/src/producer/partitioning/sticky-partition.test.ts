import { test } from 'node:test'
import assert from 'node:assert/strict'
import { simulation } from '@millrace/runtime/testing'
import { StickyPartition, type PartitionLoads } from './sticky-partition.ts'

const sticky = (loads: () => PartitionLoads | null = () => null) =>
  new StickyPartition({ random: simulation(7).random, batchSize: 1000, loads })
const all = [0, 1, 2, 3]

test('stays with a partition until a batch is produced, then draws again', () => {
  const partition = sticky()
  const seen = new Set<number>()
  for (let round = 0; round < 50; round++) {
    const first = partition.current(4, all)
    seen.add(first)
    partition.produced(first, 999, true)
    assert.equal(partition.current(4, all), first)
    partition.produced(first, 1, true)
  }
  assert.deepEqual(
    [...seen].toSorted((one, other) => one - other),
    all,
  )
})

test('does not leave a batch that is not full, up to twice its size', () => {
  const partition = sticky()
  const first = partition.current(1000, [])
  partition.produced(first, 1999, false)
  assert.equal(partition.current(1000, []), first)
  partition.produced(first, 1, false)
  assert.notEqual(partition.current(1000, []), first)
})

test('bytes of records with a key, which went elsewhere, do not count', () => {
  const partition = sticky()
  const first = partition.current(2, [0, 1])
  partition.produced(1 - first, 5000, true)
  assert.equal(partition.current(2, [0, 1]), first)
})

test('partitions without leader are not drawn, unless none has one', () => {
  const partition = sticky()
  for (let round = 0; round < 30; round++) {
    assert.equal(partition.current(4, [2]), 2)
    partition.produced(2, 1000, true)
  }
  assert.ok(partition.current(4, []) < 4)
})

test('shorter queues are drawn in proportion', () => {
  const partition = sticky(() => ({ partitions: [0, 1, 2], queueLengths: [0, 3, 1] }))
  const drawn = [0, 0, 0]
  const rounds = 8000
  for (let round = 0; round < rounds; round++) {
    const next = partition.current(3, [0, 1, 2])
    drawn[next]!++
    partition.produced(next, 1000, true)
  }
  // Weights 4, 1, 3.
  assert.ok(Math.abs(drawn[0]! / rounds - 4 / 8) < 0.03, String(drawn))
  assert.ok(Math.abs(drawn[1]! / rounds - 1 / 8) < 0.03, String(drawn))
})

test('a partition whose broker does not keep up is not drawn', () => {
  let loads: PartitionLoads | null = { partitions: [0, 2], queueLengths: [1, 1] }
  const partition = sticky(() => loads)
  for (let round = 0; round < 50; round++) {
    const next = partition.current(3, [0, 1, 2])
    assert.notEqual(next, 1)
    partition.produced(next, 1000, true)
  }
  loads = null
  const seen = new Set<number>()
  for (let round = 0; round < 50; round++) {
    const next = partition.current(3, [0, 1, 2])
    seen.add(next)
    partition.produced(next, 1000, true)
  }
  assert.equal(seen.size, 3)
})
