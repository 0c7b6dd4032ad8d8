/** Lets one in at a time, first come first served. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Clock } from '@millrace/runtime'

interface Waiting {
  readonly enter: () => void
  readonly refuse: (error: Error) => void
}

export class Turns {
  readonly #clock: Clock
  readonly #waiting: Waiting[] = []
  #isTaken = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves with what ends the turn. @throws KafkaError REQUEST_TIMED_OUT with `why` when it does not come within `timeoutMs`. */
  async take(timeoutMs: number, why: string): Promise<() => void> {
    if (!this.#isTaken) {
      this.#isTaken = true
      return this.#ender()
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting: Waiting = { enter: resolve, refuse: reject }
    this.#waiting.push(waiting)
    using _awake = this.#clock.holdProcess()
    const timer = this.#clock.after(timeoutMs, () => {
      const at = this.#waiting.indexOf(waiting)
      if (at < 0) return
      this.#waiting.splice(at, 1)
      reject(new KafkaError(ErrorCode.REQUEST_TIMED_OUT, why))
    })
    try {
      await promise
    } finally {
      timer.cancel()
    }
    return this.#ender()
  }

  /** Refuses all who wait. */
  close(error: Error): void {
    for (const { refuse } of this.#waiting.splice(0)) refuse(error)
  }

  #ender(): () => void {
    let isEnded = false
    return () => {
      if (isEnded) return
      isEnded = true
      const next = this.#waiting.shift()
      if (next === undefined) this.#isTaken = false
      else next.enter()
    }
  }
}
