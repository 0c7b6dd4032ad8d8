/** What an executor has in hand, by partition. A partition's first record begins when its admission is over. */
import type { TopicPartition } from '../../../record.ts'
import { PartitionWork, type Intake } from './partition-work.ts'

export interface PartitionWorksOptions<K, V> {
  readonly intake: (topic: string) => Intake<K, V>
  /** What must be done before the first record of a new partition is handled; null: nothing. */
  readonly admit: ((partition: TopicPartition) => Promise<void> | null) | null
  readonly onAdmitted: (work: PartitionWork<K, V>) => void
  readonly onFailure: (error: unknown) => void
}

export class PartitionWorks<K, V> {
  readonly #options: PartitionWorksOptions<K, V>
  readonly #topics = new Map<string, Map<number, PartitionWork<K, V>>>()

  constructor(options: PartitionWorksOptions<K, V>) {
    this.#options = options
  }

  find({ topic, partition }: TopicPartition): PartitionWork<K, V> | undefined {
    return this.#topics.get(topic)?.get(partition)
  }

  /** A new one for a partition that is not known, or was given up. */
  of({ topic, partition }: TopicPartition): PartitionWork<K, V> {
    let ofTopic = this.#topics.get(topic)
    if (ofTopic === undefined) this.#topics.set(topic, (ofTopic = new Map()))
    const former = ofTopic.get(partition)
    if (former !== undefined && !former.isEnding) return former
    const work = new PartitionWork({ topic, partition }, this.#options.intake(topic))
    ofTopic.set(partition, work)
    this.#admit(work, former)
    return work
  }

  /** Does nothing when another has taken its place. */
  remove(work: PartitionWork<K, V>): void {
    if (this.find(work) === work) this.#topics.get(work.topic)?.delete(work.partition)
  }

  clear(): void {
    this.#topics.clear()
  }

  *[Symbol.iterator](): Generator<PartitionWork<K, V>> {
    for (const ofTopic of this.#topics.values()) yield* ofTopic.values()
  }

  #admit(work: PartitionWork<K, V>, former: PartitionWork<K, V> | undefined): void {
    const { admit, onAdmitted, onFailure } = this.#options
    const gates: Promise<void>[] = []
    if (former !== undefined) {
      // The partition was taken away and is back, while a handler of before still runs: nothing begins, and it is not idle, until that has ended.
      work.entered()
      gates.push(former.idle().then(() => work.left()))
    }
    const admission = admit?.(work) ?? null
    if (admission !== null) gates.push(admission)
    if (gates.length === 0) return
    work.isGated = true
    Promise.all(gates).then(
      () => {
        work.isGated = false
        onAdmitted(work)
      },
      (error: unknown) => {
        if (!work.isEnding) onFailure(error)
      },
    )
  }
}
