import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FinishedPrefix, type Slot } from './finished-prefix.ts'

const at = (offset: number) => ({ offset: BigInt(offset), leaderEpoch: null })
const lastOf = (prefix: FinishedPrefix) => (prefix.last === null ? -1 : Number(prefix.last.offset))

test('records that finish out of order count once there is no gap before them', () => {
  const prefix = new FinishedPrefix()
  const [first, second, third] = [prefix.begin(at(10)), prefix.begin(at(11)), prefix.begin(at(14))]
  assert.equal(prefix.finish(third), false)
  assert.equal(lastOf(prefix), -1)
  assert.equal(prefix.finish(first), true)
  assert.equal(lastOf(prefix), 10)
  assert.equal(prefix.finish(second), true)
  assert.equal(lastOf(prefix), 14)
  assert.equal(prefix.slots, 0)
})

test('a run of finished records behind an open one takes one slot', () => {
  const prefix = new FinishedPrefix()
  const open = prefix.begin(at(0))
  for (let offset = 1; offset < 1000; offset++) prefix.passed(at(offset))
  assert.equal(prefix.slots, 2)
  prefix.finish(open)
  assert.equal(lastOf(prefix), 999)
})

test('the prefix is that of a list in which each record is ticked off', () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ type: fc.constant('begin' as const) }),
      fc.record({ type: fc.constant('pass' as const) }),
      fc.record({ type: fc.constant('finish' as const), which: fc.nat() }),
    ),
    { maxLength: 60 },
  )
  fc.assert(
    fc.property(steps, (list) => {
      const prefix = new FinishedPrefix()
      const isDone: boolean[] = []
      const open: { slot: Slot; offset: number }[] = []
      for (const step of list) {
        if (step.type === 'begin') {
          open.push({ slot: prefix.begin(at(isDone.length)), offset: isDone.length })
          isDone.push(false)
        } else if (step.type === 'pass') {
          prefix.passed(at(isDone.length))
          isDone.push(true)
        } else if (open.length > 0) {
          const [{ slot, offset }] = open.splice(step.which % open.length, 1) as [(typeof open)[number]]
          isDone[offset] = true
          prefix.finish(slot)
        }
        const gap = isDone.indexOf(false)
        const expected = (gap === -1 ? isDone.length : gap) - 1
        assert.equal(lastOf(prefix), expected)
        if (open.length === 0) assert.equal(prefix.slots, 0)
      }
    }),
  )
})
