/** The system's time, with all timers on one wheel of 10 ms ticks and one system timer. */

import type { Clock, Timer } from '../clock.ts'
import { sleepOn } from '../sleep.ts'
import { TimingWheel } from './timing-wheel.ts'
import { TurnEnd } from './turn-end.ts'

const TICK_MS = 10
/** The longest delay a system timer takes. */
const LONGEST_DELAY_MS = 0x7fffffff

export class NodeClock implements Clock {
  readonly #wheel = new TimingWheel(currentTick())
  readonly #turnEnd = new TurnEnd()
  #systemTimer: NodeJS.Timeout | null = null
  /** When the system timer is to wake us; Infinity when it is not armed. */
  #wakeTick = Infinity
  #holds = 0
  #holdingTimer: NodeJS.Timeout | null = null

  now(): number {
    return Date.now()
  }

  monotonicMs(): number {
    return performance.now()
  }

  after(delayMs: number, callback: () => void): Timer {
    const now = performance.now()
    // An idle wheel stands still; a busy one may lag by what this turn has taken, which the deadline does not care about.
    this.#wheel.skipTo(Math.floor(now / TICK_MS))
    const deadlineTick = Math.ceil((now + Math.max(0, delayMs)) / TICK_MS)
    const timer = this.#wheel.add(deadlineTick, callback)
    if (deadlineTick < this.#wakeTick) this.#arm()
    return timer
  }

  endOfTurn(callback: () => void): void {
    this.#turnEnd.add(callback)
  }

  nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(resolve)
    })
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal)
  }

  holdProcess(): Disposable {
    // A system timer that is not unref'd is what Node stays for.
    this.#holdingTimer ??= setInterval(() => {}, LONGEST_DELAY_MS)
    this.#holds++
    let isHeld = true
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return
        isHeld = false
        if (--this.#holds > 0) return
        clearInterval(this.#holdingTimer!)
        this.#holdingTimer = null
      },
    }
  }

  #arm(): void {
    if (this.#systemTimer !== null) clearTimeout(this.#systemTimer)
    this.#wakeTick = this.#wheel.nextBusyTick()
    if (this.#wakeTick === Infinity) {
      this.#systemTimer = null
      return
    }
    const delayMs = Math.ceil(this.#wakeTick * TICK_MS - performance.now())
    this.#systemTimer = setTimeout(this.#wake, Math.min(Math.max(1, delayMs), LONGEST_DELAY_MS)).unref()
  }

  readonly #wake = (): void => {
    try {
      this.#wheel.advance(currentTick())
    } finally {
      this.#arm()
    }
  }
}

function currentTick(): number {
  return Math.floor(performance.now() / TICK_MS)
}
