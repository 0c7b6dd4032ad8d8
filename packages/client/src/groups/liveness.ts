/** The application's side of `maxPollIntervalMs`: what it asks for is stamped for the heart, and what it was handling is remembered by number. */
import type { TopicPartition } from '../record.ts'
import { PollStamp } from './heartbeats/poll-stamp.ts'
import type { HeartEvent } from './heartbeats/heart.ts'
import { MaxPollIntervalExceeded } from './max-poll-interval-exceeded.ts'
import { Nudge } from './nudge.ts'

/** So many changes of what is handled may happen before the news from the heart is heard; a power of two. */
const REMEMBERED = 1024

export class Liveness {
  readonly #stamp = new PollStamp()
  readonly #handled: (TopicPartition | null)[] = []
  #handling = 0
  /** The heart has given up, and the application has not asked since. */
  #isStale = false
  readonly #asked = new Nudge()

  get memory(): SharedArrayBuffer {
    return this.#stamp.memory
  }

  polled(): void {
    this.#stamp.polled()
    if (this.#isStale) this.#wake()
  }

  waiting(): void {
    this.#stamp.waiting()
    if (this.#isStale) this.#wake()
  }

  handling(partition: TopicPartition | null): void {
    this.#handling = (this.#handling + 1) & 0x7fffffff
    // Its name alone: what is given may be a batch, and would keep its records in memory.
    this.#handled[this.#handling & (REMEMBERED - 1)] =
      partition === null ? null : { topic: partition.topic, partition: partition.partition }
    this.#stamp.handling(this.#handling)
  }

  exceeded(
    { silentMs, handling }: Extract<HeartEvent, { kind: 'poll-exceeded' }>,
    maxPollIntervalMs: number,
  ): MaxPollIntervalExceeded {
    this.#isStale = true
    const isRemembered = ((this.#handling - handling) & 0x7fffffff) < REMEMBERED
    const partition = isRemembered ? (this.#handled[handling & (REMEMBERED - 1)] ?? null) : null
    return new MaxPollIntervalExceeded(Math.round(silentMs - maxPollIntervalMs), partition)
  }

  /** Resolves when the application asks for records, at once when it has since the heart gave up. @throws the signal's reason. */
  async asked(signal: AbortSignal): Promise<void> {
    while (this.#isStale) await this.#asked.wait(signal)
  }

  #wake(): void {
    this.#isStale = false
    this.#asked.nudge()
  }
}
