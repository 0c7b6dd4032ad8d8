import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metadata } from '@millrace/protocol'
import type { Timer } from '@millrace/runtime'
import { simulation } from '@millrace/runtime/testing'
import { InFlight, type PendingRequest } from './in-flight.ts'

const TIMEOUT_MS = 1000

/** Two requests in flight, on a clock whose timers can be made to come late. */
function inFlight() {
  const { time, clock } = simulation(1)
  let lateMs = 0
  const late = {
    monotonicMs: () => clock.monotonicMs() + lateMs,
    after: (delayMs: number, callback: () => void): Timer => clock.after(delayMs, callback),
    nextTurn: () => clock.nextTurn(),
  }
  const expired: number[] = []
  const requests = new InFlight(late, ({ correlationId }) => expired.push(correlationId))
  for (const correlationId of [0, 1]) {
    const request: PendingRequest = {
      correlationId,
      api: Metadata,
      version: 9,
      timeoutMs: TIMEOUT_MS,
      deadlineMs: TIMEOUT_MS,
      resolve: () => {},
      reject: () => {},
      wantsFrame: false,
      isExpired: false,
      isHeld: false,
    }
    requests.add(request)
  }
  const setLate = (ms: number): void => {
    lateMs = ms
  }
  return { time, clock, requests, expired, setLate }
}

test('requests that are not answered in time expire', async () => {
  const { time, requests, expired } = inFlight()
  requests.take(0)
  await time.advance(TIMEOUT_MS)
  assert.deepEqual(expired, [1])
})

test('after a long computation answers that have arrived are read before requests expire', async () => {
  const { time, clock, requests, expired, setLate } = inFlight()
  setLate(5000)
  // What lies in the socket is read right after the timers.
  clock.after(TIMEOUT_MS, () => assert.deepEqual(expired, []))
  clock.after(TIMEOUT_MS, () => requests.take(0))
  await time.advance(TIMEOUT_MS + 1)
  assert.deepEqual(expired, [1])
})
