/** Tells clients that asked the wrong broker who leads a partition and where to find it (KIP-951). */
import type { RequestContext } from '../server/request-context.ts'

export class CurrentLeaders {
  readonly #context: RequestContext
  readonly #nodes = new Set<number>()

  constructor(context: RequestContext) {
    this.#context = context
  }

  /** null when the partition is unknown here. */
  of(topic: string | undefined, index: number): { leaderId: number; leaderEpoch: number } | null {
    if (topic === undefined) return null
    const partition = this.#context.broker.metadata.image.topics.get(topic)?.partitions[index]
    if (partition === undefined) return null
    if (partition.leader >= 0) this.#nodes.add(partition.leader)
    return { leaderId: partition.leader, leaderEpoch: partition.leaderEpoch }
  }

  /** The leaders named so far, as far as they can be reached on this listener. */
  endpoints(): { nodeId: number; host: string; port: number; rack: string | null }[] {
    const endpoints = []
    for (const nodeId of this.#nodes) {
      const broker = this.#context.broker.metadata.image.brokers.get(nodeId)
      const address = broker === undefined ? null : this.#context.endpointOf(broker)
      if (broker !== undefined && address !== null)
        endpoints.push({ nodeId, host: address.host, port: address.port, rack: broker.rack })
    }
    return endpoints
  }
}
