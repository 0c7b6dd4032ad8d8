import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Clock } from '@millrace/runtime'

export interface OutcomesOptions<T> {
  readonly clock: Clock
  /** From now; what is not done by then is reported as timed out, though it goes on. */
  readonly timeoutMs: number
  /** The outcome that reports a failure. */
  failed(key: string, code: number, message: string | null): T
}

/** Gathers what has become of the parts of one request, in the order in which they were begun, within the request's time. */
export class Outcomes<T> {
  readonly #options: OutcomesOptions<T>
  readonly #deadlineMs: number
  /** null: not known yet. */
  readonly #byKey = new Map<string, T | null>()
  readonly #underWay: Promise<void>[] = []

  constructor(options: OutcomesOptions<T>) {
    this.#options = options
    this.#deadlineMs = options.clock.monotonicMs() + options.timeoutMs
  }

  fail(key: string, error: unknown): void {
    if (!(error instanceof KafkaError)) throw error
    this.#byKey.set(key, this.#options.failed(key, error.code, error.message))
  }

  /** Runs `action`; a KafkaError it throws is the part's outcome, anything else ends the request. At once where it answers at once. */
  attempt(key: string, action: () => T | Promise<T>): void {
    try {
      const outcome = action()
      if (outcome instanceof Promise) this.#await(key, outcome)
      else this.#byKey.set(key, outcome)
    } catch (error) {
      this.fail(key, error)
    }
  }

  #await(key: string, action: Promise<T>): void {
    this.#byKey.set(key, null)
    const run = action.then(
      (outcome) => void this.#byKey.set(key, outcome),
      (error: unknown) => this.fail(key, error),
    )
    // Awaited in `all`, which may come a few turns later.
    run.catch(() => {})
    this.#underWay.push(run)
  }

  async all(): Promise<T[]> {
    const { clock } = this.#options
    const timeout = Promise.withResolvers<void>()
    const timer = clock.after(Math.max(0, this.#deadlineMs - clock.monotonicMs()), timeout.resolve)
    await Promise.race([Promise.all(this.#underWay), timeout.promise])
    timer.cancel()
    return [...this.#byKey].map(
      ([key, outcome]) => outcome ?? this.#options.failed(key, ErrorCode.REQUEST_TIMED_OUT, 'The request timed out.'),
    )
  }
}
