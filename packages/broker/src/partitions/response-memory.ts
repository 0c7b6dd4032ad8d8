/**
 * Bounds the memory of Fetch answers that slow readers have not taken yet: the less is left, the smaller the next answers, so that
 * everybody goes on and nobody exhausts the broker.
 */
export class ResponseMemory {
  readonly #limitBytes: number
  #usedBytes = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  /** The most one more answer should hold: half of what is left, and never less than lets a reader make progress. */
  available(): number {
    return Math.max(smallestAnswerBytes, (this.#limitBytes - this.#usedBytes) >> 1)
  }

  take(bytes: number): void {
    this.#usedBytes += bytes
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes
  }
}

const smallestAnswerBytes = 64 * 1024
