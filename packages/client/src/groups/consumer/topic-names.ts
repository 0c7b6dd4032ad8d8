/** Names of topics that the coordinator speaks of by id. */
import { Metadata, ZERO_UUID } from '@millrace/protocol'
import type { Cluster } from '../../cluster/cluster.ts'
import type { TopicInterest } from '../../cluster/metadata.ts'

/** Remembers the names of what is assigned, also when the metadata have forgotten them: a deleted topic still has to be given up by name. */
export class TopicNames implements Disposable {
  readonly #cluster: Cluster
  readonly #interest: TopicInterest
  #names = new Map<string, string>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#interest = cluster.metadata.watch()
  }

  /** Null when it is not known now. */
  nameOf(topicId: string): string | null {
    return this.#names.get(topicId) ?? this.#cluster.metadata.image.topicNames.get(topicId) ?? null
  }

  /**
   * Learns the names of these, and forgets others. Those that the cluster does not know (yet) stay unknown.
   * @throws KafkaError; the signal's reason.
   */
  async learn(topicIds: readonly string[], signal: AbortSignal): Promise<void> {
    const names = new Map<string, string>()
    const unknown: string[] = []
    for (const topicId of topicIds) {
      const name = this.nameOf(topicId)
      if (name === null) unknown.push(topicId)
      else names.set(topicId, name)
    }
    this.#names = names
    if (unknown.length > 0) {
      const request = { topics: unknown.map((topicId) => ({ topicId, name: null })), allowAutoTopicCreation: false }
      const { topics } = await this.#cluster.send('any', Metadata, request, { signal })
      for (const { topicId, name } of topics) if (name !== null && topicId !== ZERO_UUID) names.set(topicId, name)
    }
    this.#interest.set(names.values())
  }

  [Symbol.dispose](): void {
    this.#interest[Symbol.dispose]()
  }
}
