/** Offsets committed in transactions that are still open: they count when the transaction is committed (KIP-98). */
import type { CommittedOffset } from './committed-offset.ts'
import { OffsetTable } from './offset-table.ts'

/** Invariant: a partition's set has exactly the producers whose table has an offset for it. */
export class PendingOffsets {
  readonly #byProducer = new Map<bigint, OffsetTable<CommittedOffset>>()
  /** The producers with pending offsets for a partition. */
  readonly #producers = new OffsetTable<Set<bigint>>()

  get isEmpty(): boolean {
    return this.#byProducer.size === 0
  }

  add(producerId: bigint, group: string, topic: string, partition: number, offset: CommittedOffset): void {
    let table = this.#byProducer.get(producerId)
    if (table === undefined) this.#byProducer.set(producerId, (table = new OffsetTable()))
    table.set(group, topic, partition, offset)
    const producers = this.#producers.get(group, topic, partition)
    if (producers === undefined) this.#producers.set(group, topic, partition, new Set([producerId]))
    else producers.add(producerId)
  }

  /** The transaction of a producer has ended: takes out and returns what it had. */
  take(producerId: bigint): OffsetTable<CommittedOffset> {
    const table = this.#byProducer.get(producerId) ?? new OffsetTable<CommittedOffset>()
    this.#byProducer.delete(producerId)
    for (const { group, topic, partition } of table) {
      const producers = this.#producers.get(group, topic, partition)!
      producers.delete(producerId)
      if (producers.size === 0) this.#producers.delete(group, topic, partition)
    }
    return table
  }

  /** The offset of the partition was deleted, also what is pending. */
  drop(group: string, topic: string, partition: number): void {
    for (const producerId of this.#producers.get(group, topic, partition) ?? []) {
      const table = this.#byProducer.get(producerId)!
      table.delete(group, topic, partition)
      if (table.isEmpty) this.#byProducer.delete(producerId)
    }
    this.#producers.delete(group, topic, partition)
  }

  has(group: string, topic: string, partition: number): boolean {
    return this.#producers.has(group, topic, partition)
  }

  hasAny(group: string): boolean {
    return this.#producers.ofGroup(group) !== undefined
  }

  /** Partitions with pending offsets. */
  *partitionsOf(group: string): Generator<{ topic: string; partition: number }, void> {
    for (const [topic, byPartition] of this.#producers.ofGroup(group) ?? [])
      for (const partition of byPartition.keys()) yield { topic, partition }
  }

  *[Symbol.iterator](): Generator<{ group: string; topic: string; partition: number; value: CommittedOffset }, void> {
    for (const table of this.#byProducer.values()) yield* table
  }
}
