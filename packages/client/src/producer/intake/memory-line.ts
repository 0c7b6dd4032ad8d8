/** The line for memory: sends that wait until batches are settled, as all of bufferMemory is used. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Clock, Timer } from '@millrace/runtime'
import type { WaitingSend } from './waiting-send.ts'
import { lineUp, type Since, type Submission, type WaitingSends } from './waiting-sends.ts'

export interface MemoryLineOptions {
  readonly clock: Clock
  readonly waiting: WaitingSends
  readonly maxBlockMs: number
  readonly bufferMemory: number
  /** Batches records from `send.at` on; returns the index of the first for which there is no memory, else `send.end`. */
  readonly place: (send: WaitingSend) => number
  /** So many records have waited in vain. */
  readonly onExhausted: (recordsCount: number) => void
}

export class MemoryLine implements Disposable {
  readonly #options: MemoryLineOptions
  readonly #line: WaitingSend[] = []
  #deadlineTimer: Timer | null = null
  #isServing = false

  constructor(options: MemoryLineOptions) {
    this.#options = options
  }

  get isEmpty(): boolean {
    return this.#line.length === 0
  }

  join(submission: Submission, at: number, end: number, since?: Since): void {
    this.#joined(this.#options.waiting.join(this.#line, submission, at, end, since))
  }

  /** It has waited for its topic, and waits for memory now. */
  joinFromTopic(send: WaitingSend): void {
    lineUp(this.#line, send)
    this.#joined(send)
  }

  /** Memory has become free. */
  serve(): void {
    // Settling batches of those served frees memory too.
    if (this.#isServing) return
    this.#isServing = true
    const { place, waiting } = this.#options
    try {
      while (this.#line.length > 0) {
        const send = this.#line[0]!
        send.at = place(send)
        if (send.at < send.end) break
        this.#line.shift()
        waiting.left(send)
      }
    } finally {
      this.#isServing = false
    }
  }

  [Symbol.dispose](): void {
    this.#deadlineTimer?.cancel()
  }

  #joined(send: WaitingSend): void {
    send.forMemorySinceMs = this.#options.clock.monotonicMs()
    this.#armDeadline()
  }

  /** Refuses those at its head whose time is over. */
  #armDeadline(): void {
    const head = this.#line[0]
    if (head === undefined || this.#deadlineTimer !== null) return
    const { clock, waiting, bufferMemory, maxBlockMs, onExhausted } = this.#options
    this.#deadlineTimer = clock.after(Math.max(0, head.deadlineMs - clock.monotonicMs()), () => {
      this.#deadlineTimer = null
      const nowMs = clock.monotonicMs()
      while (this.#line.length > 0 && this.#line[0]!.deadlineMs <= nowMs) {
        const send = this.#line[0]!
        onExhausted(send.end - send.at)
        waiting.refuse(
          send,
          new KafkaError(
            ErrorCode.REQUEST_TIMED_OUT,
            `no memory for the record within ${maxBlockMs} ms (maxBlockMs): ${bufferMemory} bytes (bufferMemory) wait to be acknowledged; the brokers take records more slowly than they come`,
          ),
        )
      }
      this.#armDeadline()
    })
  }
}
