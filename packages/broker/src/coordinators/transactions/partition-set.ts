/** The partitions of a transaction. Immutable. */

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export class PartitionSet implements Iterable<TopicPartition> {
  static readonly empty = new PartitionSet(new Map())
  readonly #byTopic: ReadonlyMap<string, ReadonlySet<number>>

  private constructor(byTopic: ReadonlyMap<string, ReadonlySet<number>>) {
    this.#byTopic = byTopic
  }

  static of(partitions: Iterable<TopicPartition>): PartitionSet {
    return PartitionSet.empty.with(partitions)
  }

  get size(): number {
    let size = 0
    for (const partitions of this.#byTopic.values()) size += partitions.size
    return size
  }

  get isEmpty(): boolean {
    return this.#byTopic.size === 0
  }

  has({ topic, partition }: TopicPartition): boolean {
    return this.#byTopic.get(topic)?.has(partition) === true
  }

  hasAll(partitions: Iterable<TopicPartition>): boolean {
    for (const one of partitions) if (!this.has(one)) return false
    return true
  }

  with(partitions: Iterable<TopicPartition>): PartitionSet {
    const byTopic = new Map(this.#byTopic)
    const own = new Map<string, Set<number>>()
    for (const { topic, partition } of partitions) {
      let set = own.get(topic)
      if (set === undefined) {
        set = new Set(byTopic.get(topic))
        own.set(topic, set)
        byTopic.set(topic, set)
      }
      set.add(partition)
    }
    return own.size === 0 ? this : new PartitionSet(byTopic)
  }

  /** Topics in the order in which they came, the partitions of each ascending. */
  *topics(): Generator<[topic: string, partitions: number[]]> {
    for (const [topic, partitions] of this.#byTopic) yield [topic, [...partitions].sort((a, b) => a - b)]
  }

  *[Symbol.iterator](): Generator<TopicPartition> {
    for (const [topic, partitions] of this.topics()) for (const partition of partitions) yield { topic, partition }
  }
}
