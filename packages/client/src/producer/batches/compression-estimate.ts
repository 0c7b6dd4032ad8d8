/**
 * How far records of a topic compress, as seen so far: lets a batch of compressed records be filled to its size without compressing it
 * again and again. It sinks slowly and rises fast, as batches that come out too large cost a round trip. Source: Kafka's
 * CompressionRatioEstimator.
 */

const IMPROVING_STEP = 0.005
const DETERIORATING_STEP = 0.05
/** Kept free, as an estimate is one. */
const MARGIN = 1.05

export class CompressionEstimate {
  #ratio = 1

  /** Compressed size over size. */
  get ratio(): number {
    return this.#ratio
  }

  /** Bytes of records that are expected to take `limitBytes` when compressed. */
  fillBytes(limitBytes: number): number {
    return Math.floor(limitBytes / Math.min(1, this.#ratio * MARGIN))
  }

  observed(ratio: number): void {
    if (ratio > this.#ratio) this.#ratio = Math.max(this.#ratio + DETERIORATING_STEP, ratio)
    else if (ratio < this.#ratio) this.#ratio = Math.max(this.#ratio - IMPROVING_STEP, ratio)
  }

  /** A batch filled by this estimate was too large for the broker. */
  reset(ratio: number): void {
    this.#ratio = Math.max(1, ratio)
  }
}
