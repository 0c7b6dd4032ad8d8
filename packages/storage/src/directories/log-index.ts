import type { HostedLog } from './log-directory.ts'

/** Logs by topic and partition. */
export class LogIndex {
  readonly #topics = new Map<string, Map<number, HostedLog>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(topic: string, partition: number): HostedLog | undefined {
    return this.#topics.get(topic)?.get(partition)
  }

  ofTopic(topic: string): Iterable<HostedLog> {
    return this.#topics.get(topic)?.values() ?? []
  }

  topics(): Iterable<string> {
    return this.#topics.keys()
  }

  has(topic: string): boolean {
    return this.#topics.has(topic)
  }

  set(hosted: HostedLog): void {
    const { topic, partition } = hosted.log
    let partitions = this.#topics.get(topic)
    if (partitions === undefined) {
      partitions = new Map()
      this.#topics.set(topic, partitions)
    }
    if (!partitions.has(partition)) this.#size++
    partitions.set(partition, hosted)
  }

  /** Takes out exactly this log; not another one that has taken its place. */
  delete(hosted: HostedLog): void {
    const { topic, partition } = hosted.log
    const partitions = this.#topics.get(topic)
    if (partitions?.get(partition) !== hosted) return
    partitions.delete(partition)
    this.#size--
    if (partitions.size === 0) this.#topics.delete(topic)
  }

  *[Symbol.iterator](): Generator<HostedLog> {
    for (const partitions of this.#topics.values()) yield* partitions.values()
  }
}
