/**
 * Whose turn it is. Records that have begun go before partitions whose next record has not, both in the order in which their turns came. A partition
 * is queued once at most.
 */
import type { Invocation, PartitionWork } from './partition-work.ts'

export class Turns<K, V> {
  /** Records that may be handled, once there is room. */
  readonly #records: Invocation<K, V>[] = []
  /** Partitions whose next record may begin. */
  readonly #partitions: PartitionWork<K, V>[] = []

  add(invocation: Invocation<K, V>): void {
    this.#records.push(invocation)
  }

  nextRecord(): Invocation<K, V> | undefined {
    return this.#records.shift()
  }

  /** Queues the partition, if its next record may begin and it is not queued already. */
  queue(work: PartitionWork<K, V>): void {
    if (work.isQueued || !work.mayBegin) return
    work.isQueued = true
    this.#partitions.push(work)
  }

  nextPartition(): PartitionWork<K, V> | undefined {
    const work = this.#partitions.shift()
    if (work !== undefined) work.isQueued = false
    return work
  }

  /** The turn of these has come while their partition was paused. */
  unpark(work: PartitionWork<K, V>): void {
    this.#records.push(...work.parked.splice(0))
  }
}
