/** Closes connections that have been silent for `connections.max.idle.ms`. One sweep for all instead of a timer each. */
import type { Clock, Timer } from '@millrace/runtime'

export interface IdleCandidate {
  /** Monotonic time since which nothing happened, asked at `nowMs`; null while a request is being served. */
  idleSinceMs(nowMs: number): number | null
  destroy(): void
}

const sweepsPerIdleTime = 10
const longestSweepMs = 30_000

export class IdleConnections implements Disposable {
  readonly #clock: Clock
  readonly #connections: Iterable<IdleCandidate>
  readonly #maxIdleMs: number
  #timer: Timer | undefined

  /** `maxIdleMs` below 0: never. */
  constructor(options: { clock: Clock; connections: Iterable<IdleCandidate>; maxIdleMs: number }) {
    this.#clock = options.clock
    this.#connections = options.connections
    this.#maxIdleMs = options.maxIdleMs
    if (options.maxIdleMs >= 0) this.#schedule()
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel()
  }

  #schedule(): void {
    const delayMs = Math.min(longestSweepMs, Math.max(10, this.#maxIdleMs / sweepsPerIdleTime))
    this.#timer = this.#clock.after(delayMs, () => {
      this.#sweep()
      this.#schedule()
    })
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const connection of this.#connections) {
      const sinceMs = connection.idleSinceMs(nowMs)
      if (sinceMs !== null && nowMs - sinceMs > this.#maxIdleMs) connection.destroy()
    }
  }
}
