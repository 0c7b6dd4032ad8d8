/** Something for each partition that groups have committed: by group, topic and partition. Nothing empty is kept. */

export type ByPartition<T> = ReadonlyMap<number, T>
export type ByTopic<T> = ReadonlyMap<string, ByPartition<T>>

export class OffsetTable<T> {
  readonly #byGroup = new Map<string, Map<string, Map<number, T>>>()

  get isEmpty(): boolean {
    return this.#byGroup.size === 0
  }

  ofGroup(group: string): ByTopic<T> | undefined {
    return this.#byGroup.get(group)
  }

  get(group: string, topic: string, partition: number): T | undefined {
    return this.#byGroup.get(group)?.get(topic)?.get(partition)
  }

  has(group: string, topic: string, partition: number): boolean {
    return this.get(group, topic, partition) !== undefined
  }

  set(group: string, topic: string, partition: number, value: T): void {
    let byTopic = this.#byGroup.get(group)
    if (byTopic === undefined) this.#byGroup.set(group, (byTopic = new Map()))
    let byPartition = byTopic.get(topic)
    if (byPartition === undefined) byTopic.set(topic, (byPartition = new Map()))
    byPartition.set(partition, value)
  }

  delete(group: string, topic: string, partition: number): void {
    const byTopic = this.#byGroup.get(group)
    const byPartition = byTopic?.get(topic)
    if (byTopic === undefined || byPartition === undefined) return
    byPartition.delete(partition)
    if (byPartition.size > 0) return
    byTopic.delete(topic)
    if (byTopic.size === 0) this.#byGroup.delete(group)
  }

  groups(): IterableIterator<string> {
    return this.#byGroup.keys()
  }

  *[Symbol.iterator](): Generator<{ group: string; topic: string; partition: number; value: T }, void> {
    for (const [group, byTopic] of this.#byGroup)
      for (const [topic, byPartition] of byTopic)
        for (const [partition, value] of byPartition) yield { group, topic, partition, value }
  }
}
