/** Batches that handlers are at work on, by partition, and whether the rest of them is still wanted. */
import type { TopicPartition } from '@millrace/client'
import { nameOf } from './resolved-offsets.ts'

export class BatchesInHand {
  /** Resolve when the handler is done. They never reject. */
  readonly #work = new Map<string, Promise<void>>()
  /** How often reading went on elsewhere in a partition. Counted, as it may happen during the next batch too. */
  readonly #moves = new Map<string, number>()

  get size(): number {
    return this.#work.size
  }

  has(partition: TopicPartition): boolean {
    return this.#work.has(nameOf(partition))
  }

  /** A handler is at work on a batch until `work` resolves; it must not reject. Resolves when it is out of hand. */
  add(partition: TopicPartition, work: Promise<void>): Promise<void> {
    const name = nameOf(partition)
    const done = work.then(() => {
      if (this.#work.get(name) === done) this.#work.delete(name)
    })
    this.#work.set(name, done)
    return done
  }

  /** Resolves when no handler is at work on a batch of the partition. */
  async done(partition: TopicPartition): Promise<void> {
    await this.#work.get(nameOf(partition))
  }

  async anyDone(): Promise<void> {
    await Promise.race(this.#work.values())
  }

  async allDone(): Promise<void> {
    await Promise.all(this.#work.values())
  }

  /** Sought away from, or being taken away: what is in hand of these partitions is stale. */
  moved(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#moves.set(nameOf(partition), this.#movesOf(partition) + 1)
  }

  /** Whether a batch of the partition that is begun now has become stale. */
  staleness(partition: TopicPartition): () => boolean {
    const moves = this.#movesOf(partition)
    return () => this.#movesOf(partition) !== moves
  }

  #movesOf(partition: TopicPartition): number {
    return this.#moves.get(nameOf(partition)) ?? 0
  }
}
