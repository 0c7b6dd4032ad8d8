/**
 * Which partitions of which topics have state at the share coordinator, as far as a share group knows: what is being initialized there, what is,
 * and what is being deleted. Immutable. Source: Kafka's ShareGroupStatePartitionMetadataInfo.
 */

export interface TopicState {
  readonly name: string
  readonly partitions: ReadonlySet<number>
  /** When its initialisation was begun, on the monotonic clock; -Infinity for what is left over from before the coordinator was loaded. */
  readonly sinceMs: number
}

/** By topic id. */
export type TopicStates = ReadonlyMap<string, TopicState>

export interface StatePartitions {
  readonly initializing: TopicStates
  readonly initialized: TopicStates
  /** Names by topic id. */
  readonly deleting: ReadonlyMap<string, string>
}

export const noStatePartitions: StatePartitions = {
  initializing: new Map(),
  initialized: new Map(),
  deleting: new Map(),
}

/** Partitions by topic id. */
export type Partitions = ReadonlyMap<string, ReadonlySet<number>>

export function hasInitialized({ initialized }: StatePartitions, topicId: string, partition: number): boolean {
  return initialized.get(topicId)?.partitions.has(partition) ?? false
}

/** Begins to initialize `added`; if any of that was being deleted, it is no more. */
export function initializing(state: StatePartitions, added: TopicStates): StatePartitions {
  const topics = united(state.initializing, added)
  const deleting = new Map([...state.deleting].filter(([topicId]) => !topics.has(topicId)))
  return { ...state, initializing: topics, deleting }
}

/** The share coordinator has initialized `done`. */
export function initialized(
  state: StatePartitions,
  done: Partitions,
  nameOf: (topicId: string) => string,
): StatePartitions {
  const added = new Map(
    Array.from(done, ([topicId, partitions]) => [topicId, { name: nameOf(topicId), partitions, sinceMs: 0 }]),
  )
  return {
    ...state,
    initializing: without(state.initializing, done),
    initialized: united(state.initialized, added),
  }
}

/** The share coordinator could not initialize `failed`. */
export function notInitialized(state: StatePartitions, failed: Partitions): StatePartitions {
  return { ...state, initializing: without(state.initializing, failed) }
}

/** The topics do not exist any more, and the share coordinator knows that by itself. */
export function withoutTopics(state: StatePartitions, isGone: (topicId: string) => boolean): StatePartitions {
  const kept = <T>(topics: ReadonlyMap<string, T>): ReadonlyMap<string, T> =>
    new Map([...topics].filter(([topicId]) => !isGone(topicId)))
  return {
    initializing: kept(state.initializing),
    initialized: kept(state.initialized),
    deleting: kept(state.deleting),
  }
}

export function mentionsAny(
  { initializing: begun, initialized: done, deleting }: StatePartitions,
  isMeant: (topicId: string) => boolean,
): boolean {
  return [begun, done, deleting].some((topics) => [...topics.keys()].some(isMeant))
}

/** All partitions there are or may be state of, together. */
export function united(one: TopicStates, other: TopicStates): TopicStates {
  const topics = new Map(one)
  for (const [topicId, topic] of other) {
    const partitions = new Set([...(one.get(topicId)?.partitions ?? []), ...topic.partitions])
    topics.set(topicId, { ...topic, partitions })
  }
  return topics
}

function without(topics: TopicStates, removed: Partitions): TopicStates {
  const left = new Map<string, TopicState>()
  for (const [topicId, topic] of topics) {
    const gone = removed.get(topicId)
    const partitions =
      gone === undefined ? topic.partitions : new Set([...topic.partitions].filter((partition) => !gone.has(partition)))
    if (partitions.size > 0) left.set(topicId, { ...topic, partitions })
  }
  return left
}
