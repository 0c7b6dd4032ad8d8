/**
 * Records in the application's hands, or on their way elsewhere: they take up room. The application is alive as long as every handler that runs at one
 * sign of life has ended by the next.
 */
import type { Clock, Timer } from '@millrace/runtime'
import type { Invocation } from './partition-work.ts'

/** How many times within maxPollIntervalMs the application is asked for. */
const signsOfLife = 10

export interface InHandOptions {
  readonly clock: Clock
  readonly maxPollIntervalMs: number
  /** The application is alive. */
  readonly onAlive: () => void
}

export class InHand<K, V> {
  readonly #options: InHandOptions
  readonly #invocations = new Set<Invocation<K, V>>()
  /** Of these, those whose handlers ran at the last sign of life. While there are any, there is no other. */
  #ranBefore = new Set<Invocation<K, V>>()

  constructor(options: InHandOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#invocations.size
  }

  enter(invocation: Invocation<K, V>): void {
    this.#invocations.add(invocation)
    invocation.work.entered()
  }

  /** Its handler has ended, but it goes on to take up room. */
  handled(invocation: Invocation<K, V>): void {
    this.#ranBefore.delete(invocation)
  }

  leave(invocation: Invocation<K, V>): void {
    this.#invocations.delete(invocation)
    this.#ranBefore.delete(invocation)
    invocation.work.left()
  }

  /** Says that the application is alive, unless a handler that ran when this was asked for last still does. */
  confirmLife(): void {
    if (this.#ranBefore.size === 0) this.#options.onAlive()
  }

  /** Looks for signs of life until disposed. */
  watch(): Disposable {
    const { clock, maxPollIntervalMs } = this.#options
    let timer: Timer
    const look = (): void => {
      if (this.#ranBefore.size === 0) {
        this.confirmLife()
        this.#ranBefore = new Set(this.#invocations)
      }
      timer = clock.after(maxPollIntervalMs / signsOfLife, look)
    }
    look()
    return { [Symbol.dispose]: () => timer.cancel() }
  }
}
