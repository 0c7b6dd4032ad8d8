/** The system's time, with all timers on one wheel and one system timer. */

import type { Clock, Timer } from '../clock.ts'
import { sleepOn } from '../sleep.ts'
import { TimingWheel } from './timing-wheel.ts'
import { TurnEnd } from './turn-end.ts'

const DEFAULT_TICK_MS = 10
/** The longest delay a system timer takes. */
const LONGEST_DELAY_MS = 0x7fffffff

export interface NodeClockOptions {
  /** How late a timer may be. A finer one wakes more often where many timers are due. Default 10. */
  readonly tickMs?: number
}

export class NodeClock implements Clock {
  readonly #tickMs: number
  readonly #wheel: TimingWheel
  readonly #turnEnd = new TurnEnd()
  #systemTimer: NodeJS.Timeout | null = null
  /** When the system timer is to wake us; Infinity when it is not armed. */
  #wakeTick = Infinity
  #holds = 0
  #holdingTimer: NodeJS.Timeout | null = null

  constructor({ tickMs = DEFAULT_TICK_MS }: NodeClockOptions = {}) {
    this.#tickMs = tickMs
    this.#wheel = new TimingWheel(this.#currentTick())
  }

  now(): number {
    return Date.now()
  }

  monotonicMs(): number {
    return performance.now()
  }

  after(delayMs: number, callback: () => void): Timer {
    const now = performance.now()
    // An idle wheel stands still; a busy one may lag by what this turn has taken, which the deadline does not care about.
    this.#wheel.skipTo(Math.floor(now / this.#tickMs))
    const deadlineTick = Math.ceil((now + Math.max(0, delayMs)) / this.#tickMs)
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
    const delayMs = Math.ceil(this.#wakeTick * this.#tickMs - performance.now())
    this.#systemTimer = setTimeout(this.#wake, Math.min(Math.max(1, delayMs), LONGEST_DELAY_MS)).unref()
  }

  readonly #wake = (): void => {
    try {
      this.#wheel.advance(this.#currentTick())
    } finally {
      this.#arm()
    }
  }

  #currentTick(): number {
    return Math.floor(performance.now() / this.#tickMs)
  }
}
