/** What every clock must do, whichever it is. */

import { test } from 'node:test'
import assert from 'node:assert/strict'
import type { Clock } from './clock.ts'
import { NodeClock } from './node/node-clock.ts'
import { simulation } from './testing/index.ts'

interface World {
  readonly clock: Clock
  readonly run: <T>(promise: Promise<T>) => Promise<T>
}

const worlds: Record<string, () => World> = {
  node: () => ({ clock: new NodeClock(), run: keepAlive }),
  simulated: () => {
    const { time, clock } = simulation(3)
    return { clock, run: (promise) => time.run(promise) }
  },
}

/** The clock's timers do not keep the process alive. */
async function keepAlive<T>(promise: Promise<T>): Promise<T> {
  const alive = setInterval(() => {}, 1000)
  try {
    return await promise
  } finally {
    clearInterval(alive)
  }
}

for (const [name, open] of Object.entries(worlds)) {
  test(`${name}: timers never fire early, and in the order of their deadlines`, async () => {
    const { clock, run } = open()
    const fired: { readonly fromMs: number; readonly toMs: number }[] = []
    const timer = (delayMs: number): Promise<void> =>
      new Promise((resolve) => {
        const start = clock.monotonicMs()
        // Between these is its deadline: a busy machine may pause in between.
        const due = { fromMs: start + delayMs, toMs: Infinity }
        clock.after(delayMs, () => {
          assert.ok(clock.monotonicMs() - start >= delayMs)
          fired.push(due)
          resolve()
        })
        due.toMs = clock.monotonicMs() + delayMs
      })
    await run(Promise.all([60, 0, 25, 1, 40, 12.5].map(timer)))
    // Those due within one tick may be in any order.
    for (const [at, { fromMs }] of fired.entries())
      for (const { toMs } of fired.slice(at + 1)) assert.ok(fromMs < toMs + 10, `${fromMs} came before ${toMs}`)
  })

  test(`${name}: a cancelled timer does not fire, and cancelling again does nothing`, async () => {
    const { clock, run } = open()
    const timer = clock.after(5, () => assert.fail('it was cancelled'))
    const later = clock.after(3_600_000, () => assert.fail('it was cancelled'))
    timer.cancel()
    timer.cancel()
    await run(clock.sleep(20))
    later.cancel()
  })

  test(`${name}: timers set and cancelled in a timer's callback`, async () => {
    const { clock, run } = open()
    await run(
      new Promise<void>((resolve) => {
        clock.after(1, () => {
          const other = clock.after(30, () => assert.fail('it was cancelled'))
          clock.after(0, () => {
            other.cancel()
            clock.after(50, resolve)
          })
        })
      }),
    )
  })

  test(`${name}: the end of a turn comes in the order of asking, after promises, and includes what it leads to`, async () => {
    const { clock, run } = open()
    const seen: string[] = []
    await run(
      new Promise<void>((resolve) => {
        clock.endOfTurn(() => {
          seen.push('first')
          void Promise.resolve()
            .then(() => Promise.resolve())
            .then(() => {
              seen.push('promise')
              clock.endOfTurn(() => {
                seen.push('third')
                resolve()
              })
            })
        })
        clock.endOfTurn(() => seen.push('second'))
        seen.push('now')
        void Promise.resolve().then(() => seen.push('soon'))
      }),
    )
    assert.deepEqual(seen, ['now', 'soon', 'first', 'second', 'promise', 'third'])
  })

  test(`${name}: sleep ends with the signal's reason`, async () => {
    const { clock, run } = open()
    const reason = new Error('enough')
    await assert.rejects(run(clock.sleep(1000, AbortSignal.abort(reason))), reason)
    const controller = new AbortController()
    const sleeping = clock.sleep(3_600_000, controller.signal)
    clock.after(1, () => controller.abort(reason))
    await assert.rejects(run(sleeping), reason)
  })

  test(`${name}: time goes on and not back`, async () => {
    const { clock, run } = open()
    const [wall, monotonic] = [clock.now(), clock.monotonicMs()]
    await run(clock.sleep(11))
    assert.ok(clock.now() - wall >= 10)
    assert.ok(clock.monotonicMs() - monotonic >= 11)
    assert.ok(Math.abs(clock.now() - Date.parse('2026-06-01')) < 20 * 365 * 86_400_000)
  })
}

test('node: a callback that throws does not hold up the other ends of the turn', async (t) => {
  const clock = new NodeClock()
  // The test runner listens for uncaught exceptions itself.
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  t.after(() => listeners.forEach((listener) => process.on('uncaughtException', listener)))
  const caught = new Promise<Error>((resolve) => process.once('uncaughtException', resolve))
  const other = new Promise<void>((resolve) => {
    clock.endOfTurn(() => {
      throw new Error('bug')
    })
    clock.endOfTurn(resolve)
  })
  assert.equal((await caught).message, 'bug')
  await other
})

test('simulated: hours pass at once, and periodic timers do not stop them', async () => {
  const { time, clock } = simulation(1)
  let count = 0
  const again = (): void => {
    count++
    clock.after(1000, again)
  }
  clock.after(1000, again)
  const wall = clock.now()
  await time.advance(3_600_000)
  assert.equal(count, 3600)
  assert.equal(clock.now() - wall, 3_600_000)
})

test('simulated: the wall clock jumps, timers do not mind', async () => {
  const { time, clock } = simulation(1)
  let fired = false
  clock.after(100, () => (fired = true))
  const wall = clock.now()
  clock.jumpWall(-50_000)
  assert.equal(clock.now(), wall - 50_000)
  await time.advance(99)
  assert.ok(!fired)
  await time.advance(1)
  assert.ok(fired)
})

test('simulated: waiting for what cannot happen is an error', async () => {
  const { time } = simulation(1)
  await assert.rejects(time.run(new Promise(() => {})), /nothing is left to happen/)
})
