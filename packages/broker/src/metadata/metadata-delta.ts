import { UNKNOWN_FEATURES } from './features.ts'
import { SharedImage } from './image.ts'
import type { MetadataDelta } from './image.ts'
import { PersistentMap } from './persistent-map.ts'

/** The image of a broker that knows nothing yet. */
export function emptyImage(): SharedImage {
  return new SharedImage({
    version: 0,
    clusterId: '',
    controllerId: -1,
    features: UNKNOWN_FEATURES,
    brokers: new Map(),
    topics: PersistentMap.empty(),
    namesById: PersistentMap.empty(),
    configs: PersistentMap.empty(),
  })
}

/** The next image; costs what the delta holds, not what the image holds (the few brokers apart). */
export function applyDelta(image: SharedImage, delta: MetadataDelta): SharedImage {
  let { brokers, topics, namesById, configEntities: configs } = image
  if (delta.brokers !== undefined && delta.brokers.size > 0) {
    const changed = new Map(brokers)
    for (const [id, broker] of delta.brokers) {
      if (broker === null) changed.delete(id)
      else changed.set(id, broker)
    }
    brokers = changed
  }
  for (const [name, topic] of delta.topics ?? []) {
    const previous = topics.get(name)
    if (previous !== undefined && previous.id !== topic?.id) namesById = namesById.without(previous.id)
    if (topic === null) topics = topics.without(name)
    else {
      topics = topics.with(name, topic)
      namesById = namesById.with(topic.id, name)
    }
  }
  for (const [key, entries] of delta.configs ?? [])
    configs = entries === null || entries.size === 0 ? configs.without(key) : configs.with(key, entries)
  return new SharedImage({
    version: image.version + 1,
    clusterId: delta.clusterId ?? image.clusterId,
    controllerId: delta.controllerId ?? image.controllerId,
    features: delta.features ?? image.features,
    brokers,
    topics,
    namesById,
    configs,
  })
}

/**
 * What turns `from` into `to`; for a broker that has lost the deltas between, or a controller that has read the tree anew. O(size of both),
 * comparing topics and partitions by identity first.
 */
export function deltaBetween(from: SharedImage, to: SharedImage): MetadataDelta {
  return {
    ...(from.clusterId === to.clusterId ? {} : { clusterId: to.clusterId }),
    ...(from.controllerId === to.controllerId ? {} : { controllerId: to.controllerId }),
    ...(from.features === to.features ? {} : { features: to.features }),
    brokers: changesBetween(from.brokers, to.brokers),
    topics: changesBetween(from.topics, to.topics),
    configs: changesBetween(from.configEntities, to.configEntities) as NonNullable<MetadataDelta['configs']>,
  }
}

function changesBetween<K, V>(from: ReadonlyMap<K, V>, to: ReadonlyMap<K, V>): Map<K, V | null> {
  const changes = new Map<K, V | null>()
  if (from === to) return changes
  for (const key of from.keys()) if (!to.has(key)) changes.set(key, null)
  for (const [key, value] of to) if (from.get(key) !== value) changes.set(key, value)
  return changes
}
