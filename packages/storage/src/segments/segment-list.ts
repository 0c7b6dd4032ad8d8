/** The segments of a log in the order of their base offsets; the last one is appended to. */
import type { Segment } from './segment.ts'

/** Invariant: base offsets ascend strictly. Not empty once the log is open. */
export class SegmentList {
  readonly #segments: Segment[] = []

  get all(): readonly Segment[] {
    return this.#segments
  }

  get count(): number {
    return this.#segments.length
  }

  get first(): Segment {
    return this.#segments[0]!
  }

  /** The one that is appended to. */
  get active(): Segment {
    return this.#segments[this.#segments.length - 1]!
  }

  get sizeBytes(): number {
    let total = 0
    for (const segment of this.#segments) total += segment.sizeBytes
    return total
  }

  add(segment: Segment): void {
    const index = this.#indexBelow(segment.baseOffset) + 1
    if (this.#segments[index - 1]?.baseOffset === segment.baseOffset)
      throw new Error(`there is a segment at ${segment.baseOffset} already`)
    this.#segments.splice(index, 0, segment)
  }

  remove(segment: Segment): void {
    const index = this.#segments.indexOf(segment)
    if (index >= 0) this.#segments.splice(index, 1)
  }

  /** The last segment that begins at or below `offset`. */
  floor(offset: bigint): Segment | undefined {
    const active = this.#segments[this.#segments.length - 1]
    if (active !== undefined && active.baseOffset <= offset) return active
    return this.#segments[this.#indexBelow(offset)]
  }

  /** The segment after `segment`. */
  after(segment: Segment): Segment | undefined {
    return this.#segments[this.#indexBelow(segment.baseOffset) + 1]
  }

  /** Those that hold or may hold offsets from `offset` on. */
  from(offset: bigint): Segment[] {
    return this.#segments.slice(Math.max(0, this.#indexBelow(offset)))
  }

  /** Those with offsets in [from, to); the first may begin before `from`. */
  between(from: bigint, to: bigint): Segment[] {
    if (from >= to) return []
    const end = this.#segments.findIndex(({ baseOffset }) => baseOffset >= to)
    return this.#segments.slice(Math.max(0, this.#indexBelow(from)), end < 0 ? undefined : end)
  }

  #indexBelow(offset: bigint): number {
    let low = 0
    let high = this.#segments.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      if (this.#segments[middle]!.baseOffset <= offset) low = middle + 1
      else high = middle - 1
    }
    return high
  }
}
