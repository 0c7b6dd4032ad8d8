/** Wakes somebody at the earliest of the times that were asked for since it last did. */
import type { Clock, Timer } from '@millrace/runtime'

export class WakeTimer {
  readonly #clock: Clock
  readonly #wake: () => void
  #timer: Timer | null = null
  #atMs = Infinity

  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock
    this.#wake = wake
  }

  /** `atMs` on the monotonic clock. */
  at(atMs: number): void {
    if (atMs >= this.#atMs) return
    this.#timer?.cancel()
    this.#atMs = atMs
    this.#timer = this.#clock.after(Math.max(0, atMs - this.#clock.monotonicMs()), () => {
      this.#atMs = Infinity
      this.#wake()
    })
  }

  cancel(): void {
    this.#timer?.cancel()
  }
}
