import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ownership } from './ownership.ts'

const grid = { topics: ['a'], partitionsPerTopic: 5, count: 5 }
const partitions = (...indexes: number[]) => new Set(indexes.map((index) => `a/${index}`))

/** Whether two members with these partitions, both in generation 1 unless told otherwise, are settled. */
async function settles(first: Set<string>, second: Set<string>, secondGeneration = 1): Promise<boolean> {
  const ownership = new Ownership(grid)
  ownership.hold('first', 1, first)
  ownership.hold('second', secondGeneration, second)
  return ownership.settledAmong(2, 0).then(
    () => true,
    () => false,
  )
}

test('a group is settled when its members own every partition once, in even shares', async () => {
  assert.ok(await settles(partitions(0, 1, 2), partitions(3, 4)))
})

test('a group is not settled with a partition owned twice, by nobody, in uneven shares or in another generation', async () => {
  assert.equal(await settles(partitions(0, 1, 2), partitions(2, 3)), false)
  assert.equal(await settles(partitions(0, 1), partitions(3, 4)), false)
  assert.equal(await settles(partitions(0, 1, 2, 3), partitions(4)), false)
  assert.equal(await settles(partitions(0, 1, 2), partitions(3, 4), 2), false)
})

test('a group settles at the moment when the last member gives up or gets what is missing', async () => {
  const ownership = new Ownership(grid)
  ownership.hold('first', 1, partitions(0, 1, 2))
  ownership.hold('second', 1, partitions(3))
  const settled = ownership.settledAmong(2)
  ownership.hold('second', 1, partitions(3, 4))
  assert.ok((await settled) <= performance.now())
})
