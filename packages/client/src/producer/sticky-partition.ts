/**
 * Where records without a key go (KIP-794): to one partition until it has got about a batch, then to another, so that batches fill.
 * Source: Kafka's BuiltInPartitioner.
 *
 * The next partition is drawn at random, from those with a leader; once queues of all partitions are known, those with shorter queues are
 * likelier, so that a slow broker gets less.
 */
import type { Random } from '@millrace/runtime'

export interface StickyPartitionOptions {
  readonly random: Random
  /** Bytes after which to change. */
  readonly batchSize: number
}

export class StickyPartition {
  readonly #options: StickyPartitionOptions
  #partition = -1
  #producedBytes = 0
  /** Running sums of the weights of `#candidates`; empty: all alike. */
  #weights: readonly number[] = []
  #candidates: readonly number[] = []

  constructor(options: StickyPartitionOptions) {
    this.#options = options
  }

  /** For the next record, of a topic with so many partitions, of which those of `available` have a leader. */
  current(partitionsCount: number, available: readonly number[]): number {
    if (this.#partition < 0 || this.#partition >= partitionsCount) this.#draw(partitionsCount, available)
    return this.#partition
  }

  /**
   * Bytes were added for `partition`. With `mayChange` false its batch is not full, and another partition would be begun with a batch that
   * stays small: then only twice the bytes lead to a change.
   */
  produced(partition: number, bytes: number, mayChange: boolean): void {
    if (partition !== this.#partition) return
    this.#producedBytes += bytes
    const { batchSize } = this.#options
    if ((this.#producedBytes >= batchSize && mayChange) || this.#producedBytes >= batchSize * 2) this.#partition = -1
  }

  /**
   * How many batches wait for which partition. `excluded` of them are left out as their brokers do not keep up; `partitionsCount` is that of
   * the topic. What is not known of all partitions, or is the same for all, is not used.
   */
  loads(partitions: readonly number[], queueLengths: readonly number[], partitionsCount: number): void {
    const isUniform =
      partitions.length === partitionsCount && queueLengths.every((length) => length === queueLengths[0])
    if (partitions.length === 0 || partitionsCount < 2 || isUniform) {
      this.#weights = []
      return
    }
    const longest = Math.max(...queueLengths)
    let sum = 0
    this.#weights = queueLengths.map((length) => (sum += longest + 1 - length))
    this.#candidates = partitions
  }

  /** Nothing is known of the queues. */
  forgetLoads(): void {
    this.#weights = []
  }

  #draw(partitionsCount: number, available: readonly number[]): void {
    const { random } = this.#options
    const weights = this.#weights
    this.#producedBytes = 0
    if (weights.length > 0) {
      const drawn = random.integer(weights[weights.length - 1]!)
      const candidate = this.#candidates[weights.findIndex((sum) => sum > drawn)]!
      if (candidate < partitionsCount) {
        this.#partition = candidate
        return
      }
    }
    this.#partition =
      available.length > 0 ? available[random.integer(available.length)]! : random.integer(partitionsCount)
  }
}
