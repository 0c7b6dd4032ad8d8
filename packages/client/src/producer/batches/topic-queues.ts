/** A topic as the producer sees it: its partitions' queues, and what is known of it. */
import type { Random } from '@millrace/runtime'
import type { TopicImage } from '../../cluster/cluster-image.ts'
import type { SerdeContext } from '../../serde/serde.ts'
import { CompressionEstimate } from './compression-estimate.ts'
import type { PartitionedTopic } from '../partitioning/partition-chooser.ts'
import { PartitionQueue } from './partition-queue.ts'
import { StickyPartition, type PartitionLoads } from '../partitioning/sticky-partition.ts'
import type { WaitingSend } from '../intake/waiting-send.ts'

export class TopicQueues implements PartitionedTopic {
  readonly name: string
  readonly sticky: StickyPartition
  readonly compression = new CompressionEstimate()
  readonly keyContext: SerdeContext
  readonly valueContext: SerdeContext
  /** Sends that wait until the topic, or their partition of it, is known; the first come is the first. */
  readonly line: WaitingSend[] = []
  readonly #queues: (PartitionQueue | undefined)[] = []
  #image: TopicImage | null = null
  #available: readonly number[] = []
  /** On the monotonic clock: when something was sent here. */
  lastUsedMs = 0

  constructor(
    name: string,
    {
      random,
      batchSize,
      loadsOf,
    }: {
      readonly random: Random
      readonly batchSize: number
      readonly loadsOf: (topic: TopicQueues) => PartitionLoads | null
    },
  ) {
    this.name = name
    this.sticky = new StickyPartition({ random, batchSize, loads: () => loadsOf(this) })
    this.keyContext = { topic: name, isKey: true }
    this.valueContext = { topic: name, isKey: false }
  }

  /** Null while the topic is not known. */
  get image(): TopicImage | null {
    return this.#image
  }

  get partitionsCount(): number {
    return this.#image === null ? 0 : this.#image.partitions.length
  }

  get availablePartitions(): readonly number[] {
    return this.#available
  }

  readonly queuedBytes = (partition: number): number => this.#queues[partition]?.queuedBytes ?? 0

  get queues(): readonly (PartitionQueue | undefined)[] {
    return this.#queues
  }

  use(image: TopicImage | null): void {
    if (image === this.#image) return
    this.#image = image
    this.#available = (image?.partitions ?? []).flatMap(({ leaderId }, partition) => (leaderId >= 0 ? [partition] : []))
  }

  /** -1: none now. */
  readonly leaderOf = (partition: number): number => this.#image?.partitions[partition]?.leaderId ?? -1

  /** -1: not known. */
  leaderEpochOf(partition: number): number {
    return this.#image?.partitions[partition]?.leaderEpoch ?? -1
  }

  queue(partition: number): PartitionQueue {
    return (this.#queues[partition] ??= new PartitionQueue(this, partition))
  }
}
