/** The topics that the groups subscribe to, all with as many partitions. */
export interface TopicGrid {
  readonly topics: readonly string[]
  readonly partitionsPerTopic: number
  /** Partitions of all topics. */
  readonly count: number
}

/** 1,000 partitions: as many as a large group has, over several topics as applications have them. */
export const thousandPartitions: TopicGrid = {
  topics: Array.from({ length: 10 }, (_, i) => `grouped-${i}`),
  partitionsPerTopic: 100,
  count: 1000,
}

/** As CreateTopics wants them. */
export const topicsOf = ({ topics, partitionsPerTopic }: TopicGrid) =>
  topics.map((name) => ({ name, partitions: partitionsPerTopic }))
