/** The partitions a consumer has, in an order that gives each its turn. */
import type { TopicPartition } from '../../record.ts'
import type { AssignedPartition } from './assigned-partition.ts'

export class Assignment<K, V> implements Iterable<AssignedPartition<K, V>> {
  readonly #onAdded: (partition: AssignedPartition<K, V>) => void
  readonly #onRemoved: (partition: AssignedPartition<K, V>) => void
  readonly #byTopic = new Map<string, Map<number, AssignedPartition<K, V>>>()
  #list: AssignedPartition<K, V>[] = []
  /** Where the search for records begins. */
  #turn = 0

  constructor(
    onAdded: (partition: AssignedPartition<K, V>) => void = ignore,
    onRemoved: (partition: AssignedPartition<K, V>) => void = ignore,
  ) {
    this.#onAdded = onAdded
    this.#onRemoved = onRemoved
  }

  get size(): number {
    return this.#list.length
  }

  get({ topic, partition }: TopicPartition): AssignedPartition<K, V> | undefined {
    return this.#byTopic.get(topic)?.get(partition)
  }

  /** @throws Error when it is not assigned. */
  require(wanted: TopicPartition): AssignedPartition<K, V> {
    const found = this.get(wanted)
    if (found !== undefined) return found
    throw new Error(`partition ${wanted.topic}-${wanted.partition} is not assigned to this consumer`)
  }

  add(partition: AssignedPartition<K, V>): void {
    const ofTopic = this.#byTopic.get(partition.topic)
    if (ofTopic === undefined) this.#byTopic.set(partition.topic, new Map([[partition.partition, partition]]))
    else ofTopic.set(partition.partition, partition)
    this.#list.push(partition)
    this.#onAdded(partition)
  }

  remove(partition: AssignedPartition<K, V>): void {
    partition.isGone = true
    const ofTopic = this.#byTopic.get(partition.topic)
    if (ofTopic?.get(partition.partition) !== partition) return
    ofTopic.delete(partition.partition)
    if (ofTopic.size === 0) this.#byTopic.delete(partition.topic)
    this.#list = this.#list.filter((one) => one !== partition)
    this.#onRemoved(partition)
  }

  topics(): string[] {
    return [...this.#byTopic.keys()]
  }

  /** The next partition, in turn, for which `take` is worth calling; null when there is none. */
  nextReady(): AssignedPartition<K, V> | null {
    const { length } = this.#list
    for (let step = 0; step < length; step++) {
      const index = (this.#turn + step) % length
      const partition = this.#list[index]!
      if (!partition.isReady) continue
      this.#turn = index + 1
      return partition
    }
    return null
  }

  get hasReady(): boolean {
    return this.#list.some(({ isReady }) => isReady)
  }

  [Symbol.iterator](): Iterator<AssignedPartition<K, V>> {
    return this.#list[Symbol.iterator]()
  }
}

function ignore(): void {}
