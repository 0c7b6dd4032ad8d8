/** The partitions that a request names, each once, however often topics and partitions are named. */
export function partitionsByTopic(
  topics: readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[],
): Map<string, Set<number>> {
  const byTopic = new Map<string, Set<number>>()
  for (const { name, partitionIndexes } of topics) {
    const indexes = byTopic.get(name)
    if (indexes === undefined) byTopic.set(name, new Set(partitionIndexes))
    else for (const index of partitionIndexes) indexes.add(index)
  }
  return byTopic
}
