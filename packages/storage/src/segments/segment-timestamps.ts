/** The timestamps of a segment that rolling, retention and lookups by time go by. */
import type { Segment } from './segment.ts'

/** Invariant: once known, `max` is at least the timestamp of every batch noted, and `offsetOfMax` is in the batch that has it. */
export class SegmentTimestamps {
  readonly #segment: Segment
  /** null until read from the time index. */
  #max: bigint | null
  #offsetOfMax: bigint
  /** Of the first batch; null until known. */
  #first: bigint | null = null

  constructor(segment: Segment, options: { isNew: boolean }) {
    this.#segment = segment
    this.#max = options.isNew ? -1n : null
    this.#offsetOfMax = segment.baseOffset
  }

  /** -1n when no record has a timestamp. */
  get max(): bigint {
    if (this.#max === null) {
      const { sizeBytes, indexes, baseOffset } = this.#segment
      const last = sizeBytes === 0 ? null : indexes.times.last()
      this.#max = last?.timestamp ?? -1n
      this.#offsetOfMax = baseOffset + BigInt(last?.relativeOffset ?? 0)
    }
    return this.#max
  }

  /** The last offset of the batch with the largest timestamp. */
  get offsetOfMax(): bigint {
    void this.max
    return this.#offsetOfMax
  }

  /** Of the first batch; null when there is none or it has no timestamp. */
  first(): bigint | null {
    const segment = this.#segment
    if (this.#first === null && segment.sizeBytes > 0) {
      const cursor = segment.walk(0)
      if (cursor.nextSync()) this.#first = cursor.maxTimestamp
    }
    return this.#first !== null && this.#first >= 0n ? this.#first : null
  }

  /** A batch is added that begins where the segment ends now. */
  note(lastOffset: bigint, maxTimestamp: bigint): void {
    if (this.#segment.sizeBytes === 0) this.#first = maxTimestamp
    if (maxTimestamp > this.max) {
      this.#max = maxTimestamp
      this.#offsetOfMax = lastOffset
    }
  }

  /** The segment holds nothing, or is noted anew. */
  clear(): void {
    this.#max = -1n
    this.#offsetOfMax = this.#segment.baseOffset
    this.#first = null
  }

  /** After a cut: the last time index entry, or what lies behind it. */
  reread(): void {
    const segment = this.#segment
    this.#max = null
    const cursor = segment.walk(segment.positionBelow(this.offsetOfMax))
    while (cursor.nextSync())
      if (cursor.maxTimestamp > this.max) {
        this.#max = cursor.maxTimestamp
        this.#offsetOfMax = cursor.lastOffset
      }
    segment.assertWalked(cursor)
  }
}
