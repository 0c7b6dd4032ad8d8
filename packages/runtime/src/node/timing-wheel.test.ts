import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { TimingWheel } from './timing-wheel.ts'

test('each timer is called once, at the first turn to its tick or later, in the order of ticks', () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ add: fc.oneof(fc.nat(70), fc.nat(5000), fc.nat(300_000), fc.nat(2_000_000_000)) }),
      fc.record({ turn: fc.oneof(fc.nat(3), fc.nat(100), fc.nat(100_000), fc.nat(2_000_000_000)) }),
      fc.record({ cancel: fc.nat(1000) }),
    ),
    { maxLength: 60 },
  )
  fc.assert(
    fc.property(fc.nat(1_000_000), steps, (start, program) => {
      const wheel = new TimingWheel(start)
      const waiting = new Map<number, { deadline: number; cancel(): void }>()
      let called: number[] = []
      let id = 0
      for (const step of program) {
        if ('add' in step) {
          const mine = id++
          const deadline = wheel.tick + Math.max(1, step.add)
          const timer = wheel.add(wheel.tick + step.add, () => called.push(mine))
          waiting.set(mine, { deadline, cancel: () => timer.cancel() })
        } else if ('cancel' in step) {
          waiting.get(step.cancel % Math.max(1, id))?.cancel()
          waiting.delete(step.cancel % Math.max(1, id))
        } else {
          called = []
          const to = wheel.tick + step.turn
          wheel.advance(to)
          const due = [...waiting].filter(([, { deadline }]) => deadline <= to)
          assert.deepEqual(
            called.toSorted((a, b) => a - b),
            due.map(([mine]) => mine),
          )
          const deadlines = called.map((mine) => waiting.get(mine)!.deadline)
          assert.deepEqual(
            deadlines,
            deadlines.toSorted((a, b) => a - b),
          )
          for (const mine of called) waiting.delete(mine)
        }
        assert.equal(wheel.size, waiting.size)
        for (const { deadline } of waiting.values()) assert.ok(wheel.nextBusyTick() <= deadline)
        if (waiting.size === 0) assert.equal(wheel.nextBusyTick(), Infinity)
        else assert.ok(wheel.nextBusyTick() > wheel.tick)
      }
    }),
  )
})

test('a timer of some hours needs few wake-ups', () => {
  const wheel = new TimingWheel(12_345)
  let called = false
  wheel.add(12_345 + 360_000, () => (called = true))
  let wakeUps = 0
  while (!called) {
    wheel.advance(wheel.nextBusyTick())
    wakeUps++
  }
  assert.equal(wheel.tick, 12_345 + 360_000)
  assert.ok(wakeUps <= 4, `${wakeUps}`)
})

test('callbacks may add, also for now, and cancel what is due in the same tick', () => {
  const wheel = new TimingWheel(0)
  const called: string[] = []
  wheel.add(5, () => {
    called.push('a')
    other.cancel()
    wheel.add(0, () => called.push('c'))
  })
  const other = wheel.add(5, () => called.push('b'))
  wheel.advance(5)
  assert.deepEqual(called, ['a'])
  wheel.advance(6)
  assert.deepEqual(called, ['a', 'c'])
})

test('after a callback that throws the others of its tick are still called', () => {
  const wheel = new TimingWheel(0)
  const called: string[] = []
  wheel.add(5, () => {
    throw new Error('bug')
  })
  wheel.add(5, () => called.push('b'))
  assert.throws(() => wheel.advance(9), /bug/)
  wheel.advance(9)
  assert.deepEqual(called, ['b'])
})
