import type { Clock } from '@millrace/runtime'

/** How long one request may hold the event loop before others get a turn. */
const SLICE_MS = 4

/**
 * Breaks long work into slices: `if (slice.isOver) await slice.next()` between its steps. What was read before the pause may have changed
 * after it.
 */
export class TimeSlice {
  readonly #clock: Clock
  #endsAt: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#endsAt = clock.monotonicMs() + SLICE_MS
  }

  get isOver(): boolean {
    return this.#clock.monotonicMs() >= this.#endsAt
  }

  /** Resolves when whatever else was ready has had its turn. */
  async next(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.endOfTurn(resolve))
    this.#endsAt = this.#clock.monotonicMs() + SLICE_MS
  }
}
