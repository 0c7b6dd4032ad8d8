/** Sets of partitions. */
import type { TopicPartition } from '../record.ts'

export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

export function without(partitions: readonly TopicPartition[], others: readonly TopicPartition[]): TopicPartition[] {
  const names = new Set(others.map(partitionName))
  return partitions.filter((partition) => !names.has(partitionName(partition)))
}
