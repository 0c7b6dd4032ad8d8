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

/** Partitions are the exceptions: paused ones, or in a topic that is paused as a whole those that are not. */
interface Pause {
  readonly isWhole: boolean
  readonly exceptions: Set<number>
}

export class PausedPartitions {
  readonly #topics = new Map<string, Pause>()

  pause(selections: readonly TopicSelection[]): void {
    for (const { topic, partitions } of selections)
      if (partitions === undefined) this.#topics.set(topic, { isWhole: true, exceptions: new Set() })
      else this.#change(topic, partitions, true)
  }

  resume(selections: readonly TopicSelection[]): void {
    for (const { topic, partitions } of selections)
      if (partitions === undefined) this.#topics.delete(topic)
      else this.#change(topic, partitions, false)
  }

  clear(): void {
    this.#topics.clear()
  }

  has({ topic, partition }: TopicPartition): boolean {
    const paused = this.#topics.get(topic)
    return paused !== undefined && paused.isWhole !== paused.exceptions.has(partition)
  }

  /** Of the partitions that are assigned. */
  list(assigned: readonly TopicPartition[]): TopicPartitions[] {
    const topics = new Map<string, number[]>()
    for (const place of assigned) {
      if (!this.has(place)) continue
      const partitions = topics.get(place.topic) ?? []
      topics.set(place.topic, partitions)
      partitions.push(place.partition)
    }
    return [...topics].map(([topic, partitions]) => ({
      topic,
      partitions: partitions.toSorted((one, other) => one - other),
    }))
  }

  #change(topic: string, partitions: readonly number[], isPaused: boolean): void {
    const pause = this.#topics.get(topic) ?? { isWhole: false, exceptions: new Set() }
    this.#topics.set(topic, pause)
    for (const partition of partitions)
      if (isPaused === pause.isWhole) pause.exceptions.delete(partition)
      else pause.exceptions.add(partition)
  }
}
