/** The brokers that batches go to, and what each of them could be sent now. */
import type { Cluster } from '../../cluster/cluster.ts'
import { BrokerLink } from './broker-link.ts'
import type { ProducerConfiguration } from '../configuration.ts'
import type { PartitionQueue } from '../batches/partition-queue.ts'
import type { ProducerBatch } from '../batches/producer-batch.ts'
import type { PartitionLoads } from '../partitioning/sticky-partition.ts'
import type { TopicQueues } from '../batches/topic-queues.ts'

export interface BrokerLinksOptions {
  readonly cluster: Cluster
  readonly configuration: ProducerConfiguration
  readonly isIdempotent: boolean
}

export class BrokerLinks {
  readonly #options: BrokerLinksOptions
  readonly #links = new Map<number, BrokerLink>()
  /** Keeps order without sequence numbers: a partition has one request on its way. */
  readonly #isOrderedByWaiting: boolean

  constructor(options: BrokerLinksOptions) {
    this.#options = options
    const { isIdempotent, configuration } = options
    this.#isOrderedByWaiting = !isIdempotent && configuration.maxInFlightRequestsPerConnection === 1
  }

  all(): Iterable<BrokerLink> {
    return this.#links.values()
  }

  /** Gives each broker those of the queues, in which batches wait, that it could be sent. Returns when more become ready by time alone. */
  findCandidates(queues: Iterable<PartitionQueue>, nothingLingers: boolean, nowMs: number): number {
    const { configuration, cluster } = this.#options
    for (const link of this.#links.values()) link.reset()
    let dueMs = Infinity
    for (const queue of queues) {
      const batch = queue.first!
      const leaderId = queue.topic.leaderOf(queue.partition)
      // One that is not among the brokers cannot be connected to.
      if (!cluster.metadata.image.brokers.has(leaderId)) {
        cluster.metadata.refreshSoon()
        continue
      }
      if (this.#isOrderedByWaiting && queue.inFlight.length > 0) continue
      if (batch.attempts > 0 && batch.retryAtMs > nowMs && !hasNewLeader(batch)) {
        dueMs = Math.min(dueMs, batch.retryAtMs)
        continue
      }
      const link = this.#link(leaderId)
      link.candidates.push(queue)
      const lingersUntilMs = batch.createdMs + configuration.lingerMs
      if (nothingLingers || batch.attempts > 0 || batch.isFull || queue.waitingCount > 1 || lingersUntilMs <= nowMs)
        link.isReady = true
      else dueMs = Math.min(dueMs, lingersUntilMs)
    }
    return dueMs
  }

  /** How long queues of the topic are where brokers keep up (KIP-794); null before every partition has one. */
  loadsOf({ partitionsCount, queues, leaderOf }: TopicQueues): PartitionLoads | null {
    const { cluster, configuration } = this.#options
    const { partitionerAvailabilityTimeoutMs: timeoutMs, partitionerAdaptivePartitioningEnable } = configuration
    if (!partitionerAdaptivePartitioningEnable || queues.length < partitionsCount || queues.includes(undefined))
      return null
    const nowMs = cluster.world.clock.monotonicMs()
    const partitions: number[] = []
    const queueLengths: number[] = []
    for (let partition = 0; partition < partitionsCount; partition++) {
      const leaderId = leaderOf(partition)
      if (leaderId < 0) continue
      const stalledSinceMs = this.#links.get(leaderId)?.stalledSinceMs ?? null
      if (timeoutMs > 0 && stalledSinceMs !== null && nowMs - stalledSinceMs > timeoutMs) continue
      partitions.push(partition)
      queueLengths.push(queues[partition]!.waitingCount)
    }
    return { partitions, queueLengths }
  }

  #link(nodeId: number): BrokerLink {
    let link = this.#links.get(nodeId)
    if (link === undefined) this.#links.set(nodeId, (link = new BrokerLink(nodeId)))
    return link
  }
}

/** Since the batch was last sent. */
function hasNewLeader({ queue, sentLeaderEpoch }: ProducerBatch): boolean {
  return queue.topic.leaderEpochOf(queue.partition) > sentLeaderEpoch
}
