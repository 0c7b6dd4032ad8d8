/** The topics that are written to: their metadata are asked for as long as they are, and put to use when they change. */
import type { Cluster } from '../../cluster/cluster.ts'
import type { Accumulator } from '../batches/accumulator.ts'
import type { TopicQueues } from '../batches/topic-queues.ts'

export interface TopicInterestOptions {
  readonly cluster: Cluster
  readonly accumulator: Accumulator
  readonly metadataMaxIdleMs: number
}

export class TopicInterest implements Disposable {
  readonly #options: TopicInterestOptions
  readonly #interest: ReturnType<Cluster['metadata']['watch']>
  readonly #watching: Disposable

  constructor(options: TopicInterestOptions) {
    this.#options = options
    const { metadata } = options.cluster
    this.#interest = metadata.watch()
    this.#watching = metadata.onChange(() => this.#metadataChanged())
  }

  topic(name: string): TopicQueues {
    return this.#options.accumulator.topics.get(name) ?? this.#newTopic(name)
  }

  /** Says anew which topics are wanted, as one is written to again. */
  renew(): void {
    this.#interest.set(this.#wantedTopics())
  }

  [Symbol.dispose](): void {
    this.#interest[Symbol.dispose]()
    this.#watching[Symbol.dispose]()
  }

  #newTopic(name: string): TopicQueues {
    const { accumulator, cluster } = this.#options
    const topic = accumulator.topic(name)
    topic.use(cluster.metadata.image.topics.get(name) ?? null)
    topic.lastUsedMs = this.#nowMs()
    this.renew()
    return topic
  }

  #metadataChanged(): void {
    const { accumulator, cluster } = this.#options
    const { image } = cluster.metadata
    for (const topic of accumulator.topics.values()) topic.use(image.topics.get(topic.name) ?? null)
    this.renew()
  }

  /** Topics not used for long are not asked for again. Their sequence numbers are kept. */
  *#wantedTopics(): Generator<string> {
    const { accumulator, metadataMaxIdleMs } = this.#options
    const since = this.#nowMs() - metadataMaxIdleMs
    for (const topic of accumulator.topics.values()) {
      const isUsed = topic.lastUsedMs >= since || topic.line.length > 0
      if (isUsed || topic.queues.some((queue) => queue !== undefined && queue.queuedBytes > 0)) yield topic.name
    }
  }

  #nowMs(): number {
    return this.#options.cluster.world.clock.monotonicMs()
  }
}
