/** Partitions as requests and answers carry them: gathered under their topics. */
import { partitionName } from '../groups/partition-names.ts'

/** In the order in which the topics first appear. */
export function byTopic<Thing extends { readonly topic: string }>(
  things: readonly Thing[],
): readonly { readonly topic: string; readonly things: readonly Thing[] }[] {
  const topics = new Map<string, Thing[]>()
  for (const thing of things) {
    const others = topics.get(thing.topic)
    if (others === undefined) topics.set(thing.topic, [thing])
    else others.push(thing)
  }
  return [...topics].map(([topic, ofTopic]) => ({ topic, things: ofTopic }))
}

/** The other way: what an answer says of each partition, under its `partitionName`. */
export function byPartition<Result extends { readonly partitionIndex: number }>(
  topics: readonly { readonly name: string; readonly partitions: readonly Result[] }[],
): readonly (readonly [name: string, Result])[] {
  return topics.flatMap(({ name, partitions }) =>
    partitions.map((result) => [partitionName({ topic: name, partition: result.partitionIndex }), result] as const),
  )
}
