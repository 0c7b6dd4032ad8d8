import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { simulation } from '@millrace/runtime/testing'
import { Throttle } from './throttle.ts'

const { signal } = new AbortController()

test('holds all who spend together to the rate', async () => {
  const world = simulation(1)
  const { clock } = world
  const throttle = new Throttle(clock, () => 1000)
  const start = clock.monotonicMs()
  const spender = async () => {
    for (let turn = 0; turn < 10; turn++) await throttle.spend(500, signal)
  }
  await world.time.run(Promise.all([spender(), spender()]))
  const took = clock.monotonicMs() - start
  assert.ok(took >= 9900 && took < 10_600, `${took} ms for 10 KB at 1 KB/s`)
})

test('a raised rate is noticed during a long wait', async () => {
  const world = simulation(1)
  let rate = 1
  const throttle = new Throttle(world.clock, () => rate)
  let isDone = false
  void throttle.spend(1_000_000, signal).then(() => (isDone = true))
  await world.time.advance(10_000)
  assert.equal(isDone, false)
  rate = Number.MAX_VALUE
  await world.time.advance(1000)
  assert.equal(isDone, true)
})

test('a wait ends when it is aborted', async () => {
  const world = simulation(1)
  const throttle = new Throttle(world.clock, () => 1)
  const stop = new AbortController()
  const spent = throttle.spend(1_000_000, stop.signal)
  stop.abort(new Error('enough'))
  await assert.rejects(world.time.run(spent), /enough/)
})
