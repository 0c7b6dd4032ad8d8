/** What the program has paused: whole topics, or partitions of them, whether they are assigned now or not. */
import type { TopicPartition } from '@millrace/client'

export interface TopicPartitions {
  topic: string
  partitions: number[]
}

export interface TopicSelection {
  readonly topic: string
  /** Default: all. */
  readonly partitions?: readonly number[]
}

export class PausedPartitions {
  readonly #topics = new Map<string, 'all' | Set<number>>()

  pause(selections: readonly TopicSelection[]): void {
    for (const { topic, partitions } of selections) {
      const paused = this.#topics.get(topic)
      if (partitions === undefined) this.#topics.set(topic, 'all')
      else if (paused !== 'all') this.#topics.set(topic, new Set([...(paused ?? []), ...partitions]))
    }
  }

  /** `assigned`: which partitions a topic that is paused as a whole stands for. */
  resume(selections: readonly TopicSelection[], assigned: readonly TopicPartition[]): void {
    for (const { topic, partitions } of selections) {
      const paused = this.#topics.get(topic)
      if (partitions === undefined || paused === undefined) {
        this.#topics.delete(topic)
        continue
      }
      const all =
        paused === 'all' ? assigned.filter((one) => one.topic === topic).map(({ partition }) => partition) : paused
      const rest = new Set([...all].filter((partition) => !partitions.includes(partition)))
      if (rest.size === 0) this.#topics.delete(topic)
      else this.#topics.set(topic, rest)
    }
  }

  has({ topic, partition }: TopicPartition): boolean {
    const paused = this.#topics.get(topic)
    return paused === 'all' || paused?.has(partition) === true
  }

  list(assigned: readonly TopicPartition[]): TopicPartitions[] {
    return [...this.#topics].map(([topic, paused]) => ({
      topic,
      partitions:
        paused === 'all'
          ? assigned.filter((one) => one.topic === topic).map(({ partition }) => partition)
          : [...paused],
    }))
  }
}
