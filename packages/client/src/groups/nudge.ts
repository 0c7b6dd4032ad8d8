/** Wakes one who waits for something to do. A nudge before the wait is not lost; many are one. */
import { abortable } from '../cluster/connections.ts'

export class Nudge {
  #isNudged = false
  #next = Promise.withResolvers<void>()

  nudge(): void {
    this.#isNudged = true
    this.#next.resolve()
  }

  /** @throws the signal's reason. */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (!this.#isNudged) await abortable(this.#next.promise, signal)
    this.#isNudged = false
    this.#next = Promise.withResolvers()
  }
}
