/** Sets of partitions. */
import type { TopicPartition } from '../record.ts'

/** `orders-3`: as Kafka writes it; unique, as what follows the last dash is a number. */
export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

export function without(partitions: readonly TopicPartition[], others: readonly TopicPartition[]): TopicPartition[] {
  const names = new Set(others.map(partitionName))
  return partitions.filter((partition) => !names.has(partitionName(partition)))
}
