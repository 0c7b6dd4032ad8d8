import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock, SimulatedTime } from '@millrace/runtime/testing'
import type { PartitionLog } from '@millrace/storage'
import { durationMs, firstOffsetOf } from './offset-reset.ts'

test('durations are read as ISO 8601 has them', () => {
  const hour = 3_600_000
  for (const [text, ms] of [
    ['P1D', 24 * hour],
    ['PT2H', 2 * hour],
    ['PT3M', 180_000],
    ['PT0.5S', 500],
    ['P1DT2H3M4.25S', 26 * hour + 184_250],
    ['pt1s', 1000],
  ] as const)
    assert.equal(durationMs(`by_duration:${text}`), ms, text)
  assert.throws(() => durationMs('by_duration:1D'), RangeError)
})

test('a group begins at the start, at the end, or at what is young enough', async () => {
  const clock = new SimulatedClock(new SimulatedTime())
  const asked: bigint[] = []
  const log = {
    logStartOffset: 3n,
    highWatermark: 9n,
    offsetForTimestamp: async (timestamp: bigint) => {
      asked.push(timestamp)
      return timestamp <= BigInt(clock.now()) - 1000n ? { offset: 7n, timestamp, leaderEpoch: 0 } : null
    },
  } as unknown as PartitionLog
  assert.equal(await firstOffsetOf(log, 'earliest', clock), 3n)
  assert.equal(await firstOffsetOf(log, 'latest', clock), 9n)
  assert.equal(await firstOffsetOf(log, 'by_duration:PT1S', clock), 7n)
  // Nothing is so young.
  assert.equal(await firstOffsetOf(log, 'by_duration:PT0.5S', clock), 9n)
  assert.equal(asked[0], BigInt(clock.now() - 1000))
})
