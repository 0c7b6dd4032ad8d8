/** Statistics over the recent past, as Kafka's: two samples of thirty seconds, the newer of them filling. */

const SAMPLE_MS = 30_000
const SAMPLES = 2

/** Sum, count, minimum and maximum of what was recorded in the window. Costs three comparisons a record. */
export class Windowed {
  #presentStartMs: number
  #present = emptySample()
  #past = emptySample()
  /** -1: there is none. */
  #pastStartMs = -1

  constructor(nowMs: number) {
    this.#presentStartMs = nowMs
  }

  record(value: number, nowMs: number): void {
    this.#roll(nowMs)
    const sample = this.#present
    sample.sum += value
    sample.count++
    if (value > sample.max) sample.max = value
    if (value < sample.min) sample.min = value
  }

  /** Sum per second. The window counts as at least one whole sample long, so that the first records are no peak. */
  rate(nowMs: number): number {
    this.#roll(nowMs)
    const sum = this.#present.sum + (this.#pastStartMs < 0 ? 0 : this.#past.sum)
    const startMs = this.#pastStartMs < 0 ? this.#presentStartMs : this.#pastStartMs
    const elapsedMs = nowMs - startMs
    const wholeSamples = Math.floor(elapsedMs / SAMPLE_MS)
    const windowMs = elapsedMs + Math.max(0, SAMPLES - 1 - wholeSamples) * SAMPLE_MS
    return sum / (windowMs / 1000)
  }

  /** NaN when nothing was recorded. */
  average(nowMs: number): number {
    this.#roll(nowMs)
    return (this.#present.sum + this.#past.sum) / (this.#present.count + this.#past.count)
  }

  /** NaN when nothing was recorded. */
  max(nowMs: number): number {
    this.#roll(nowMs)
    const max = Math.max(this.#present.max, this.#past.max)
    return max === -Infinity ? Number.NaN : max
  }

  /** NaN when nothing was recorded. */
  min(nowMs: number): number {
    this.#roll(nowMs)
    const min = Math.min(this.#present.min, this.#past.min)
    return min === Infinity ? Number.NaN : min
  }

  #roll(nowMs: number): void {
    const age = nowMs - this.#presentStartMs
    if (age < SAMPLE_MS) return
    const isRecent = age < SAMPLE_MS * SAMPLES
    this.#past = isRecent ? this.#present : emptySample()
    this.#pastStartMs = isRecent ? this.#presentStartMs : -1
    this.#present = emptySample()
    this.#presentStartMs = nowMs
  }
}

function emptySample(): { sum: number; count: number; min: number; max: number } {
  return { sum: 0, count: 0, min: Infinity, max: -Infinity }
}
