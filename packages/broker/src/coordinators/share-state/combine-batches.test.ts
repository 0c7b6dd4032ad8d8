import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { PersistedBatch } from '../../sharing/persister.ts'
import { combineBatches } from './combine-batches.ts'

function batch(first: number, last: number, deliveryState: number, deliveryCount: number): PersistedBatch {
  return { firstOffset: BigInt(first), lastOffset: BigInt(last), deliveryState, deliveryCount }
}

const arbitraryBatch = fc
  .record({
    first: fc.integer({ min: 0, max: 30 }),
    size: fc.integer({ min: 1, max: 12 }),
    state: fc.constantFrom(0, 2, 4),
    count: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ first, size, state, count }) => batch(first, first + size - 1, state, count))

test('each offset has the state of most deliveries, and of these the highest', () => {
  fc.assert(
    fc.property(fc.array(arbitraryBatch, { maxLength: 12 }), fc.integer({ min: -1, max: 20 }), (batches, start) => {
      const combined = combineBatches(batches, BigInt(start))
      const expected: PersistedBatch[] = []
      for (let offset = BigInt(Math.max(0, start)); offset < 50n; offset++) {
        const [strongest] = batches
          .filter(({ firstOffset, lastOffset }) => firstOffset <= offset && offset <= lastOffset)
          .toSorted((a, b) => b.deliveryCount - a.deliveryCount || b.deliveryState - a.deliveryState)
        if (strongest === undefined) continue
        const { deliveryState, deliveryCount } = strongest
        const last = expected.at(-1)
        if (
          last?.lastOffset === offset - 1n &&
          last.deliveryState === deliveryState &&
          last.deliveryCount === deliveryCount
        )
          expected[expected.length - 1] = { ...last, lastOffset: offset }
        else expected.push({ firstOffset: offset, lastOffset: offset, deliveryState, deliveryCount })
      }
      assert.deepEqual(combined, expected)
    }),
  )
})

test('a batch that the start has moved into keeps what is behind the start', () => {
  assert.deepEqual(combineBatches([batch(0, 9, 0, 1)], 4n), [batch(4, 9, 0, 1)])
  assert.deepEqual(combineBatches([batch(0, 3, 0, 1)], 4n), [])
})
