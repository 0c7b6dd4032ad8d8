/** The topics of all members of a group, as its leader has to know them: to assign their partitions, and to see when these change. */
import type { AssignableTopics } from '../../assignors/assignor.ts'
import { compareText } from '../../assignors/subscribed-members.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { ClusterImage } from '../../cluster/cluster-image.ts'
import type { TopicInterest } from '../../cluster/metadata.ts'

export interface GroupTopicsOptions {
  readonly cluster: Cluster
  /** Racks count as a change only where somebody looks at them. */
  readonly looksAtRacks: boolean
  /** What was assigned does not fit the cluster any more. */
  readonly onChange: () => void
}

/** Invariant: `#assigned` is what the topics looked like when they were assigned; null when this member is not the leader. */
export class GroupTopics implements Disposable {
  readonly #options: GroupTopicsOptions
  readonly #interest: TopicInterest
  readonly #watch: Disposable
  #topics: readonly string[] = []
  #assigned: string | null = null

  constructor(options: GroupTopicsOptions) {
    this.#options = options
    this.#interest = options.cluster.metadata.watch()
    this.#watch = options.cluster.metadata.onChange((image) => {
      if (this.#assigned === null || this.#describe(image) === this.#assigned) return
      this.#assigned = null
      options.onChange()
    })
  }

  /** Topics that do not exist are left out. @throws KafkaError when no broker answers; the signal's reason. */
  async know(topics: readonly string[], signal: AbortSignal): Promise<AssignableTopics> {
    const { metadata } = this.#options.cluster
    this.#interest.set(topics)
    this.#topics = topics.toSorted()
    if (topics.some((topic) => !metadata.image.topics.has(topic))) await metadata.refresh(signal)
    return assignableTopics(metadata.image)
  }

  /** From now on a change matters. */
  watch(): void {
    this.#assigned = this.#describe(this.#options.cluster.metadata.image)
  }

  /** This member leads no more. */
  release(): void {
    this.#assigned = null
    this.#topics = []
    this.#interest.set([])
  }

  [Symbol.dispose](): void {
    this.#interest[Symbol.dispose]()
    this.#watch[Symbol.dispose]()
  }

  #describe({ topics, brokers }: ClusterImage): string {
    return JSON.stringify(
      this.#topics.map((name) => {
        const partitions = topics.get(name)?.partitions ?? []
        if (!this.#options.looksAtRacks) return partitions.length
        return partitions.map(({ replicas }) =>
          [...new Set(replicas.map((id) => brokers.get(id)?.rack ?? ''))].toSorted(compareText),
        )
      }),
    )
  }
}

function assignableTopics({ topics, brokers }: ClusterImage): AssignableTopics {
  return {
    partitionCount: (topic) => topics.get(topic)?.partitions.length ?? null,
    racksOf: (topic, partition) =>
      topics.get(topic)?.partitions[partition]?.replicas.flatMap((id) => brokers.get(id)?.rack ?? []) ?? [],
  }
}
