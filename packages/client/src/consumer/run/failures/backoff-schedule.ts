/** How long a record that failed waits, and through which topic. */
import type { Random } from '@millrace/runtime'
import type { RetryOptions } from '../../run-options.ts'

const defaults = { initialMs: 1_000, factor: 2, maxMs: 60_000 }
const defaultJitter = 0.2
/** Pauses of different lengths; attempts beyond them pause as long as the last. With `topic` each has a topic. */
const maxSteps = 32

export class BackoffSchedule {
  readonly attempts: number
  /** Behind the first attempt, the second, …: one fewer than there are attempts, or fewer when the last is repeated. */
  readonly #delaysMs: readonly number[]
  readonly #jitter: number

  constructor({ attempts, backoff = defaults, jitter = defaultJitter }: RetryOptions) {
    this.attempts = attempts
    this.#jitter = jitter
    const {
      initialMs,
      factor = defaults.factor,
      maxMs = Math.max(initialMs, defaults.maxMs),
    } = typeof backoff === 'number' ? { initialMs: backoff, factor: 1 } : backoff
    const delaysMs: number[] = []
    let delayMs = Math.min(initialMs, maxMs)
    while (delaysMs.length < Math.min(attempts - 1, maxSteps)) {
      if (delaysMs.at(-1) === delayMs) break
      delaysMs.push(delayMs)
      delayMs = Math.min(delayMs * factor, maxMs)
    }
    this.#delaysMs = delaysMs
  }

  /** After so many failed attempts, from 1. */
  delayMs(failed: number, random: Random): number {
    const delayMs = this.#delaysMs[this.#step(failed)] ?? 0
    return Math.round(delayMs * (1 - this.#jitter + 2 * this.#jitter * random.next()))
  }

  /**
   * The topics through which records wait: one for each length of the pause, so that within a topic records become due (nearly) in their order,
   * and none waits behind one that has to wait longer. The one topic as it is named when all pauses are the same.
   */
  topics(name: string): readonly string[] {
    if (this.#delaysMs.length <= 1) return this.#delaysMs.map(() => name)
    return this.#delaysMs.map((_, step) => `${name}-${step + 1}`)
  }

  topic(name: string, failed: number): string {
    return this.topics(name)[this.#step(failed)] ?? name
  }

  #step(failed: number): number {
    return Math.min(failed, this.#delaysMs.length) - 1
  }
}
