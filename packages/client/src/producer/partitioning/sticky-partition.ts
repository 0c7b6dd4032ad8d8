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
  /** Asked before drawing: how long queues are now. Null: not known, or not to be used. */
  readonly loads: () => PartitionLoads | null
}

export interface PartitionLoads {
  /** Those to choose from: the others have no leader, or one that does not keep up. */
  readonly partitions: readonly number[]
  /** For each of them the batches that wait. */
  readonly queueLengths: readonly number[]
}

export class StickyPartition {
  readonly #options: StickyPartitionOptions
  #partition = -1
  #producedBytes = 0

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

  #draw(partitionsCount: number, available: readonly number[]): void {
    const { random, loads } = this.#options
    this.#producedBytes = 0
    const weighted = partitionsCount < 2 ? null : drawByLoad(loads(), partitionsCount, random)
    this.#partition =
      weighted ??
      (available.length > 0 ? available[random.integer(available.length)]! : random.integer(partitionsCount))
  }
}

/** Null when all are alike. */
function drawByLoad(loads: PartitionLoads | null, partitionsCount: number, random: Random): number | null {
  if (loads === null) return null
  const { partitions, queueLengths } = loads
  const isUniform = partitions.length === partitionsCount && queueLengths.every((length) => length === queueLengths[0])
  if (partitions.length === 0 || isUniform) return null
  const longest = Math.max(...queueLengths)
  let left = random.integer(queueLengths.reduce((sum, length) => sum + longest + 1 - length, 0))
  for (const [at, length] of queueLengths.entries()) {
    left -= longest + 1 - length
    if (left < 0) return partitions[at]!
  }
  return null
}
