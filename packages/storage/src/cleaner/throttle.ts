/** Keeps all cleaners together to `log.cleaner.io.max.bytes.per.second`: who has spent more than was earned waits. */
import type { Clock } from '@millrace/runtime'

/** So that a raised limit is noticed before long. */
const longestNapMs = 500
/** Debts below this are not worth a nap. */
const leastNapMs = 10

export class Throttle {
  readonly #clock: Clock
  readonly #bytesPerSecond: () => number
  /** Spent and not yet earned, as of `#asOfMs`. */
  #debtBytes = 0
  #asOfMs: number

  constructor(clock: Clock, bytesPerSecond: () => number) {
    this.#clock = clock
    this.#bytesPerSecond = bytesPerSecond
    this.#asOfMs = clock.monotonicMs()
  }

  /** Resolves when the bytes are paid for; rejects with the signal's reason. */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    this.#settle()
    this.#debtBytes += bytes
    for (;;) {
      const waitMs = (this.#debtBytes / this.#bytesPerSecond()) * 1000
      if (waitMs < leastNapMs) return
      await this.#clock.sleep(Math.min(waitMs, longestNapMs), signal)
      this.#settle()
    }
  }

  #settle(): void {
    const nowMs = this.#clock.monotonicMs()
    this.#debtBytes = Math.max(0, this.#debtBytes - ((nowMs - this.#asOfMs) / 1000) * this.#bytesPerSecond())
    this.#asOfMs = nowMs
  }
}
