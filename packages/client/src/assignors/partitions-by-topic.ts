/** Partitions as the protocol lists them. */
import type { TopicPartition } from '../record.ts'

export interface TopicPartitions {
  readonly topic: string
  readonly partitions: number[]
}

/** Topics in the order of their first partition. */
export function partitionsByTopic(partitions: Iterable<TopicPartition>): TopicPartitions[] {
  const topics = new Map<string, TopicPartitions>()
  for (const { topic, partition } of partitions) {
    const known = topics.get(topic)
    if (known === undefined) topics.set(topic, { topic, partitions: [partition] })
    else known.partitions.push(partition)
  }
  return [...topics.values()]
}
