/**
 * Virtual time. It stands still while anything runs and jumps from one event to the next, in an order that only depends on what the program did:
 * by deadline, then by the order of asking. Between two events everything that promises have set going runs to its end.
 *
 * `SimulatedTime` is the one time line of a simulation; each host looks at it through a `SimulatedClock` of its own, which may be off, and which
 * stops calling back when the host's process has died.
 */

import type { Clock, Timer } from '../clock.ts'
import { sleepOn } from '../sleep.ts'

interface Event {
  readonly atMs: number
  readonly order: number
  readonly callback: () => void
  cancelled: boolean
}

/** After so many events in a row `runUntil` takes the program for one that never rests. */
const MAX_EVENTS = 10_000_000

/** 2026-01-01 UTC, so that dates look like dates. */
const START_WALL_MS = 1_767_225_600_000

export class SimulatedTime {
  #nowMs = 0
  #order = 0
  /** A binary heap: the earliest event first. */
  readonly #events: Event[] = []
  #turnEnd: (() => void)[] = []

  /** Milliseconds since the simulation's start. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** Wall time of a clock that is right, in milliseconds since 1970: what file systems stamp. */
  get wallMs(): number {
    return START_WALL_MS + this.#nowMs
  }

  after(delayMs: number, callback: () => void): Timer {
    const event: Event = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback, cancelled: false }
    this.#push(event)
    return {
      cancel: () => {
        event.cancelled = true
      },
    }
  }

  endOfTurn(callback: () => void): void {
    this.#turnEnd.push(callback)
  }

  /** Goes on until `promise` is settled, and gives its result. @throws Error when nothing is left that could settle it. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const settle = (): void => {
      settled = true
    }
    promise.then(settle, settle)
    await this.runUntil(() => settled)
    if (!settled) throw new Error(`at ${this.#nowMs} ms nothing is left to happen, and the promise is still pending`)
    return promise
  }

  /** Goes on until `isDone`, asked after each event, or nothing is left to happen. */
  async runUntil(isDone: () => boolean): Promise<void> {
    await this.#settle()
    for (let count = 0; !isDone(); count++) {
      if (count === MAX_EVENTS) throw new Error(`${MAX_EVENTS} events, and no end: at ${this.#nowMs} ms`)
      const event = this.#pop()
      if (event === undefined) return
      this.#nowMs = Math.max(this.#nowMs, event.atMs)
      event.callback()
      await this.#settle()
    }
  }

  /** Goes on until nothing is left to happen. Periodic timers never let that be: see `advance`. */
  runUntilIdle(): Promise<void> {
    return this.runUntil(() => false)
  }

  /** Lets `ms` pass, with all that happens in them. */
  async advance(ms: number): Promise<void> {
    const end = this.#nowMs + ms
    await this.runUntil(() => (this.#peek()?.atMs ?? Infinity) > end)
    this.#nowMs = end
  }

  /** Runs promises and ends of turns until neither is left. */
  async #settle(): Promise<void> {
    await microtasks()
    while (this.#turnEnd.length > 0) {
      const callbacks = this.#turnEnd
      this.#turnEnd = []
      for (const callback of callbacks) callback()
      await microtasks()
    }
  }

  #peek(): Event | undefined {
    while (this.#events[0]?.cancelled === true) this.#popRoot()
    return this.#events[0]
  }

  #pop(): Event | undefined {
    return this.#peek() === undefined ? undefined : this.#popRoot()
  }

  #push(event: Event): void {
    const heap = this.#events
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (isBefore(heap[parent]!, event)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  #popRoot(): Event {
    const heap = this.#events
    const root = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return root
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (isBefore(last, heap[child]!)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return root
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

/** Promises settle promises; all of them have when the system's event loop comes round. */
function microtasks(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

export class SimulatedClock implements Clock {
  readonly #time: SimulatedTime
  #wallOffsetMs = START_WALL_MS
  #stopped = false

  constructor(time: SimulatedTime) {
    this.#time = time
  }

  now(): number {
    return Math.floor(this.#time.nowMs + this.#wallOffsetMs)
  }

  monotonicMs(): number {
    return this.#time.nowMs
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#time.after(delayMs, () => {
      if (!this.#stopped) callback()
    })
  }

  endOfTurn(callback: () => void): void {
    this.#time.endOfTurn(() => {
      if (!this.#stopped) callback()
    })
  }

  nextTurn(): Promise<void> {
    return this.sleep(0)
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal)
  }

  holdProcess(): Disposable {
    return { [Symbol.dispose]() {} }
  }

  /** Sets the wall clock forward, or back when negative. Timers do not mind. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms
  }

  /** Calls nothing back any more: its process is dead. */
  stop(): void {
    this.#stopped = true
  }
}
