import type { Clock } from './clock.ts'

/** How long one request may hold the event loop before others get a turn. */
const SLICE_MS = 4

/**
 * Breaks long work into slices: `if (slice.isOver) await slice.next()` between its steps. What was read before the pause may have changed
 * after it.
 *
 * The pause of `next` is a timer's shortest, up to 10 ms: others get not just one turn but the larger part of the time. That of `nextTurn` is one
 * turn, for work that others wait for.
 */
export class TimeSlice {
  readonly #clock: Clock
  readonly #lengthMs: number
  #endsAt: number

  constructor(clock: Clock, lengthMs: number = SLICE_MS) {
    this.#clock = clock
    this.#lengthMs = lengthMs
    this.#endsAt = clock.monotonicMs() + lengthMs
  }

  get isOver(): boolean {
    return this.#clock.monotonicMs() >= this.#endsAt
  }

  async next(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.after(0, resolve))
    this.#endsAt = this.#clock.monotonicMs() + this.#lengthMs
  }

  async nextTurn(): Promise<void> {
    await this.#clock.nextTurn()
    this.#endsAt = this.#clock.monotonicMs() + this.#lengthMs
  }
}
