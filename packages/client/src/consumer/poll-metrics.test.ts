import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock, SimulatedTime } from '@millrace/runtime/testing'
import { Metrics } from '../observe/metrics.ts'
import { PollMetrics } from './poll-metrics.ts'

test('the idle ratio is the part of the time between two batches in which the application waited', async () => {
  const time = new SimulatedTime()
  const clock = new SimulatedClock(time)
  const metrics = new Metrics(clock, {})
  const polls = new PollMetrics(metrics, 'consumer-metrics')
  const read = (name: string): number | undefined => metrics.all().find((metric) => metric.name === name)?.value

  assert.equal(read('last-poll-seconds-ago'), -1)
  polls.waits()
  await time.advance(2_000)
  assert.equal(read('last-poll-seconds-ago'), 0, 'who waits is asking')
  polls.given(clock.monotonicMs())
  assert.equal(read('poll-idle-ratio-avg'), 1)
  assert.ok(Number.isNaN(read('time-between-poll-max')))

  await time.advance(3_000)
  assert.equal(read('last-poll-seconds-ago'), 3)
  polls.waits()
  await time.advance(500)
  polls.waits()
  await time.advance(500)
  polls.given(clock.monotonicMs())
  assert.equal(read('poll-idle-ratio-avg'), (1 + 0.25) / 2)
  assert.equal(read('time-between-poll-max'), 4_000)

  polls.given(clock.monotonicMs())
  assert.equal(read('poll-idle-ratio-avg'), (1 + 0.25 + 0) / 3)
  assert.equal(read('time-between-poll-avg'), 2_000)
})
