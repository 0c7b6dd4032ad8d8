/** Partitions as requests carry them: gathered under their topics. */
import type { TopicPartition } from '../record.ts'

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

/** `orders-3`: as Kafka writes it; unique, as what follows the last dash is a number. */
export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}
