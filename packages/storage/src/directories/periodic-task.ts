/** A background task of the log manager: one run at a time, the next one `intervalMs` after the end of the last. */
import type { Clock, Timer } from '@millrace/runtime'

export interface PeriodicTaskOptions {
  readonly clock: Clock
  readonly initialDelayMs: number
  readonly intervalMs: number
  readonly run: () => Promise<void>
  /** An error of `run`; the task goes on. */
  readonly onError: (error: unknown) => void
}

export class PeriodicTask implements AsyncDisposable {
  readonly #options: PeriodicTaskOptions
  #timer: Timer | null
  #running: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: PeriodicTaskOptions) {
    this.#options = options
    this.#timer = options.clock.after(options.initialDelayMs, () => this.#start())
  }

  #start(): void {
    this.#timer = null
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    const { clock, intervalMs, run, onError } = this.#options
    try {
      await run()
    } catch (error) {
      onError(error)
    }
    if (!this.#stopped) this.#timer = clock.after(intervalMs, () => this.#start())
  }

  /** Resolves when a run under way has ended; there is none after that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.#running
  }
}
