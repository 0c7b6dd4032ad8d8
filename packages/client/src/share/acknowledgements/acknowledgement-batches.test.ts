import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { acknowledgementBatches } from './acknowledgement-batches.ts'
import type { AcknowledgeType } from './acknowledgement-set.ts'

test('ranges cover the acknowledged offsets, each with its type, and are as few as can be', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 4 })), {
        selector: ([offset]) => offset,
      }),
      (entries) => {
        const types = new Map(entries.map(([offset, type]) => [BigInt(offset), type as AcknowledgeType]))
        const batches = acknowledgementBatches(types)
        const back = new Map<bigint, number>()
        let before = -2n
        for (const { firstOffset, lastOffset, acknowledgeTypes } of batches) {
          assert.ok(firstOffset > before + 1n, 'ranges that touch are one')
          before = lastOffset
          const count = Number(lastOffset - firstOffset) + 1
          assert.ok(acknowledgeTypes.length === 1 || acknowledgeTypes.length === count)
          if (count > 1 && new Set(acknowledgeTypes).size === 1) assert.equal(acknowledgeTypes.length, 1)
          for (let index = 0; index < count; index++)
            back.set(firstOffset + BigInt(index), acknowledgeTypes[acknowledgeTypes.length === 1 ? 0 : index]!)
        }
        assert.deepEqual(back, types)
      },
    ),
  )
})
