/**
 * How the application's asking for records is seen from the thread that heartbeats: two words of shared memory. The one who asks only counts;
 * the one who watches looks at its own clock when the count has changed. So asking costs one store, and no clock is compared with another.
 */

/** In place of the count while the application waits for records. */
const WAITING = -1
const COUNT = 0
const HANDLING = 1

/** The side of the consumer. */
export class PollStamp {
  readonly memory = new SharedArrayBuffer(8)
  readonly #words = new Int32Array(this.memory)
  #count = 0

  /** A plain store, a tenth of an atomic one: 32 bits are written whole, and the watcher looks again if it comes a little late. */
  polled(): void {
    this.#count = (this.#count + 1) & 0x7fffffff
    this.#words[COUNT] = this.#count
  }

  waiting(): void {
    Atomics.store(this.#words, COUNT, WAITING)
  }

  /** A number that stands for what is being handled. */
  handling(number: number): void {
    Atomics.store(this.#words, HANDLING, number)
  }
}

/** The side of the heart. */
export class PollWatch {
  readonly #words: Int32Array
  #seen = 0
  #seenAtMs: number

  constructor(memory: SharedArrayBuffer, nowMs: number) {
    this.#words = new Int32Array(memory)
    this.#seen = Atomics.load(this.#words, COUNT)
    this.#seenAtMs = nowMs
  }

  /** Begins to count anew. */
  reset(nowMs: number): void {
    this.#seenAtMs = nowMs
  }

  /** For how long the application has not asked; as exact as it is looked often. */
  silentMs(nowMs: number): number {
    const count = Atomics.load(this.#words, COUNT)
    if (count !== this.#seen || count === WAITING) {
      this.#seen = count
      this.#seenAtMs = nowMs
    }
    return nowMs - this.#seenAtMs
  }

  get handling(): number {
    return Atomics.load(this.#words, HANDLING)
  }
}
