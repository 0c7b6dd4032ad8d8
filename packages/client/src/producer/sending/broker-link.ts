/** What the sender keeps of one broker. */
import type { Lane } from '../../cluster/destination.ts'
import type { PartitionQueue } from '../batches/partition-queue.ts'

/** Produce goes where requests go that nobody waits long for. */
export const PRODUCE_LANE: Lane = 'requests'

export class BrokerLink {
  readonly nodeId: number
  /** Queues of partitions it leads that have something which may go, found anew in each pass. */
  readonly candidates: PartitionQueue[] = []
  /** One of them has something that has waited long enough. */
  isReady = false
  isConnecting = false
  /** Requests without answer. */
  inFlight = 0
  /** Where among the candidates the next request begins, so that each gets its turn. */
  nextStart = 0
  /** On the monotonic clock: since when it takes nothing though there is something; null while it does. */
  stalledSinceMs: number | null = null

  constructor(nodeId: number) {
    this.nodeId = nodeId
  }

  reset(): void {
    this.candidates.length = 0
    this.isReady = false
  }
}
