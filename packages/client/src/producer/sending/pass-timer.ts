/** Wakes the sender when something becomes due by time alone. */
import type { Clock, Timer } from '@millrace/runtime'

export class PassTimer {
  readonly #clock: Clock
  readonly #wake: () => void
  #timer: Timer | null = null
  #atMs = Infinity

  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock
    this.#wake = wake
  }

  /** At `atMs` on the monotonic clock, maybe earlier. Infinity: not at all. */
  set(atMs: number, nowMs: number): void {
    if (atMs === this.#atMs) return
    // A timer that comes too early costs a pass; setting one for each batch would cost more.
    if (this.#atMs > nowMs && this.#atMs <= atMs && this.#timer !== null) return
    this.#timer?.cancel()
    this.#timer = null
    this.#atMs = atMs
    if (atMs === Infinity) return
    this.#timer = this.#clock.after(Math.max(0, atMs - nowMs), () => {
      this.#timer = null
      this.#atMs = Infinity
      this.#wake()
    })
  }

  cancel(): void {
    this.#timer?.cancel()
  }
}
