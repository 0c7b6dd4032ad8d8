/** How far each partition is done, and what of it is committed. */
import type { TopicPartition, TopicPartitionOffset } from '@millrace/client'
import type { Offsets } from '../producer/transaction.ts'

interface Progress extends TopicPartition {
  /** The offset to go on from. */
  resolved: bigint
  /** Null: nothing by us. */
  committed: bigint | null
  /** Where we began: what is resolved counts from here until the first commit. */
  readonly from: bigint
}

export class ResolvedOffsets {
  readonly #partitions = new Map<string, Progress>()

  /** Everything before `next` is done. */
  resolve({ topic, partition }: TopicPartition, next: bigint, from = next): void {
    const name = nameOf({ topic, partition })
    const progress = this.#partitions.get(name)
    if (progress === undefined) this.#partitions.set(name, { topic, partition, resolved: next, committed: null, from })
    else progress.resolved = next
  }

  /** Null: nothing of it was resolved. */
  resolvedOf(partition: TopicPartition): bigint | null {
    return this.#partitions.get(nameOf(partition))?.resolved ?? null
  }

  committed(offsets: readonly TopicPartitionOffset[]): void {
    for (const { topic, partition, offset } of offsets) {
      const progress = this.#partitions.get(nameOf({ topic, partition }))
      if (progress !== undefined) progress.committed = offset
    }
  }

  forget(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#partitions.delete(nameOf(partition))
  }

  uncommitted(): TopicPartitionOffset[] {
    return [...this.#partitions.values()]
      .filter(({ resolved, committed }) => resolved !== committed)
      .map(({ topic, partition, resolved }) => ({ topic, partition, offset: resolved }))
  }

  /** Messages resolved and not committed. */
  get uncommittedCount(): number {
    let count = 0n
    for (const { resolved, committed, from } of this.#partitions.values()) count += resolved - (committed ?? from)
    return Number(count)
  }
}

export function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic} ${partition}`
}

/** Grouped by topic, offsets as texts. */
export function byTopic(offsets: readonly TopicPartitionOffset[]): Offsets {
  const topics = new Map<string, { partition: number; offset: string }[]>()
  for (const { topic, partition, offset } of offsets) {
    const partitions = topics.get(topic) ?? []
    topics.set(topic, partitions)
    partitions.push({ partition, offset: offset.toString() })
  }
  return { topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })) }
}
