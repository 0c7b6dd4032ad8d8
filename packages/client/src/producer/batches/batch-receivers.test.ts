import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Receiver } from './acknowledgement.ts'
import { BatchReceivers } from './batch-receivers.ts'

const receivers: readonly Receiver[] = Array.from({ length: 3 }, () => ({
  wantsMetadata: true,
  delivered: () => {},
  failed: () => {},
}))

const stretch = fc.record({
  receiver: fc.constantFrom(0, 1, 2),
  slot: fc.nat(5),
  count: fc.integer({ min: 1, max: 5 }),
  timestamp: fc.constantFrom(7, 8),
})

test('every record comes with its receiver, slot and timestamp, in order, whole or in parts', () => {
  fc.assert(
    fc.property(fc.array(stretch, { maxLength: 12 }), fc.nat(40), fc.nat(40), (stretches, one, other) => {
      const added = stretches.flatMap(({ receiver, slot, count, timestamp }) =>
        Array.from({ length: count }, (_, index) => ({
          receiver: receivers[receiver]!,
          slot: slot + index,
          timestamp,
        })),
      )
      const all = new BatchReceivers()
      for (const { receiver, slot, timestamp } of added) all.add(receiver, slot, timestamp)
      const told = (from: BatchReceivers) => {
        const records: unknown[] = []
        from.forEach((index, receiver, slot, timestamp) => {
          assert.equal(index, records.length)
          records.push({ receiver, slot, timestamp })
        })
        assert.equal(from.count, records.length)
        return records
      }
      assert.deepEqual(told(all), added)
      const [from, to] = [Math.min(one, other), Math.max(one, other)]
      assert.deepEqual(told(all.slice(from, to)), added.slice(from, to))
    }),
  )
})
