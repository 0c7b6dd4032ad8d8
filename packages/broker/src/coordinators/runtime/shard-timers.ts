/**
 * Timers of one shard, by key. What a timer decides is written like a request's decision; when that fails for a passing reason, it is tried
 * again.
 */
import { KafkaError } from '@millrace/protocol'
import type { Clock, Logger, Timer } from '@millrace/runtime'
import type { Decision } from './decision.ts'

const retryMs = 500

export interface ShardTimersOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly write: (decide: () => Decision<void>) => Promise<void>
}

export class ShardTimers {
  readonly #options: ShardTimersOptions
  readonly #timers = new Map<string, Timer>()
  #isClosed = false

  constructor(options: ShardTimersOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#timers.size
  }

  has(key: string): boolean {
    return this.#timers.has(key)
  }

  /** In place of a timer of the same key. */
  schedule(key: string, delayMs: number, decide: () => Decision<void>): void {
    if (this.#isClosed) return
    this.#timers.get(key)?.cancel()
    const timer = this.#options.clock.after(Math.max(0, delayMs), () => {
      this.#timers.delete(key)
      this.#fire(key, decide)
    })
    this.#timers.set(key, timer)
  }

  scheduleIfAbsent(key: string, delayMs: number, decide: () => Decision<void>): void {
    if (!this.has(key)) this.schedule(key, delayMs, decide)
  }

  cancel(key: string): void {
    const timer = this.#timers.get(key)
    if (timer === undefined) return
    timer.cancel()
    this.#timers.delete(key)
  }

  /** Cancels all, and takes no more. */
  close(): void {
    this.#isClosed = true
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
  }

  #fire(key: string, decide: () => Decision<void>): void {
    this.#options.write(decide).catch((error: unknown) => {
      if (!(error instanceof KafkaError)) this.#options.logger.error(`timer ${key} has failed`, { error })
      else if (error.retriable) this.scheduleIfAbsent(key, retryMs, decide)
    })
  }
}
