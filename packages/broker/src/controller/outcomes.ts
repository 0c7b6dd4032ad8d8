import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Clock } from '@millrace/runtime'

export interface OutcomesOptions<K, T> {
  readonly clock: Clock
  /** From now; what is not done by then is reported as timed out, though it goes on. */
  readonly timeoutMs: number
  /** The outcome that reports a failure of the part `key`. */
  failed(key: K, code: number, message: string): T
}

/** Gathers what has become of the parts of one request, in the order in which they were begun, within the request's time. */
export class Outcomes<K, T> {
  readonly #options: OutcomesOptions<K, T>
  readonly #deadlineMs: number
  readonly #keys: K[] = []
  /** By index of the key; null: not known yet. */
  readonly #outcomes: (T | null)[] = []
  readonly #underWay: Promise<void>[] = []

  constructor(options: OutcomesOptions<K, T>) {
    this.#options = options
    this.#deadlineMs = options.clock.monotonicMs() + options.timeoutMs
  }

  add(key: K, outcome: T): void {
    this.#keys.push(key)
    this.#outcomes.push(outcome)
  }

  /** @throws `error` when it is not a KafkaError. */
  fail(key: K, error: unknown): void {
    this.add(key, this.#failure(key, error))
  }

  /** Runs `action`; a KafkaError it throws is the part's outcome, anything else ends the request. At once where it answers at once. */
  attempt(key: K, action: () => T | Promise<T>): void {
    try {
      const outcome = action()
      if (outcome instanceof Promise) this.#await(key, outcome)
      else this.add(key, outcome)
    } catch (error) {
      this.fail(key, error)
    }
  }

  async all(): Promise<T[]> {
    await this.#underWayOrTimeout()
    return this.#outcomes.map((outcome, index) => {
      if (outcome !== null) return outcome
      return this.#options.failed(this.#keys[index] as K, ErrorCode.REQUEST_TIMED_OUT, 'The request timed out.')
    })
  }

  #await(key: K, action: Promise<T>): void {
    const index = this.#outcomes.push(null) - 1
    this.#keys.push(key)
    const run = action.then(
      (outcome) => void (this.#outcomes[index] = outcome),
      (error: unknown) => void (this.#outcomes[index] = this.#failure(key, error)),
    )
    // Awaited in `all`, which may come a few turns later.
    run.catch(() => {})
    this.#underWay.push(run)
  }

  #failure(key: K, error: unknown): T {
    if (!(error instanceof KafkaError)) throw error
    return this.#options.failed(key, error.code, error.message)
  }

  async #underWayOrTimeout(): Promise<void> {
    if (this.#underWay.length === 0) return
    const { clock } = this.#options
    const timeout = Promise.withResolvers<void>()
    const timer = clock.after(Math.max(0, this.#deadlineMs - clock.monotonicMs()), timeout.resolve)
    await Promise.race([Promise.all(this.#underWay), timeout.promise])
    timer.cancel()
  }
}
