/** The brokers that lead assigned partitions: which is to be asked for which, as metadata say it from time to time. */
import type { WaitingAcknowledgements } from '../acknowledgements/waiting-acknowledgements.ts'
import type { Acquisition } from '../records/acquisition.ts'
import { partitionKey, type TopicIdPartition } from '../topic-id-partition.ts'
import type { LinkOptions } from './broker-link.ts'
import { FetchTurns } from './fetch-turns.ts'
import { ShareLeader } from './share-leader.ts'

export class ShareLeaders {
  readonly #options: LinkOptions
  readonly #leaders = new Map<number, ShareLeader>()
  readonly #turns: FetchTurns | null
  readonly #metadataChanges: Disposable
  #assigned: readonly TopicIdPartition[] = []
  #isClosed = false

  constructor(options: LinkOptions) {
    this.#options = options
    this.#turns = options.settings.shareAcquireMode === 'record_limit' ? new FetchTurns() : null
    this.#metadataChanges = options.cluster.metadata.onChange(() => this.#distribute())
  }

  /** What may be read from now on. */
  assign(partitions: readonly TopicIdPartition[]): void {
    this.#assigned = partitions
    this.#distribute()
  }

  /** Somebody waits for records. */
  wake(): void {
    for (const leader of this.#leaders.values()) leader.wake()
  }

  /** Sends all acknowledgements that wait. */
  flush(): void {
    for (const { acknowledgements } of this.#leaders.values()) acknowledgements.flush()
  }

  /** Whether the session goes on in which this was acquired, as far as is known. */
  holds(acquisition: Acquisition): boolean {
    return this.#leaders.get(acquisition.nodeId)?.holds(acquisition) ?? false
  }

  /** Where to say what becomes of records that were acquired there; null when their locks are gone. */
  acknowledgementsFor(acquisition: Acquisition): WaitingAcknowledgements | null {
    const leader = this.#leaders.get(acquisition.nodeId)
    return leader !== undefined && leader.holds(acquisition) ? leader.acknowledgements : null
  }

  /** Sends the acknowledgements, and has every record released that was not acknowledged. Never throws. */
  async close(signal: AbortSignal): Promise<void> {
    this.#isClosed = true
    this.#metadataChanges[Symbol.dispose]()
    await Promise.all([...this.#leaders.values()].map((leader) => leader.close(signal)))
  }

  #distribute(): void {
    if (this.#isClosed) return
    const wanted = this.#byLeader()
    for (const [nodeId, leader] of this.#leaders)
      if (!this.#options.cluster.metadata.image.brokers.has(nodeId)) this.#abandon(nodeId, leader)
    for (const nodeId of wanted.keys()) if (!this.#leaders.has(nodeId)) this.#open(nodeId)
    for (const [nodeId, leader] of this.#leaders) leader.want(wanted.get(nodeId) ?? new Map())
  }

  #byLeader(): Map<number, Map<string, TopicIdPartition>> {
    const { metadata } = this.#options.cluster
    const { topics, topicNames } = metadata.image
    const wanted = new Map<number, Map<string, TopicIdPartition>>()
    for (const partition of this.#assigned) {
      const name = topicNames.get(partition.topicId)
      const leaderId = name === undefined ? -1 : (topics.get(name)?.partitions[partition.partition]?.leaderId ?? -1)
      if (leaderId < 0) {
        metadata.refreshSoon()
        continue
      }
      let ofLeader = wanted.get(leaderId)
      if (ofLeader === undefined) wanted.set(leaderId, (ofLeader = new Map()))
      ofLeader.set(partitionKey(partition), partition)
    }
    return wanted
  }

  #open(nodeId: number): void {
    const leader = new ShareLeader({ ...this.#options, nodeId, turns: this.#turns })
    this.#leaders.set(nodeId, leader)
    this.#turns?.join(leader)
  }

  #abandon(nodeId: number, leader: ShareLeader): void {
    leader.abandon()
    this.#leaders.delete(nodeId)
    this.#turns?.leave(leader)
  }
}
