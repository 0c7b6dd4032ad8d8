import type { Address } from '@millrace/runtime'
import type { BrokerImage, MetadataImage, PartitionImage } from '../metadata/image.ts'
import type { RequestContext } from '../server/request-context.ts'

export interface BrokerInView {
  readonly broker: BrokerImage
  /** null when it lacks the listener the client is using. */
  readonly endpoint: Address | null
}

/** The brokers of an image as one client sees them: at the addresses of the listener it is using. */
export class BrokersInView {
  readonly #brokers = new Map<number, BrokerInView>()
  /** Whether every broker is usable, so that no partition can have an offline replica on one of them. */
  readonly #allUsable: boolean

  constructor(image: MetadataImage, context: Pick<RequestContext, 'endpointOf'>) {
    for (const broker of image.brokers.values())
      this.#brokers.set(broker.id, { broker, endpoint: context.endpointOf(broker) })
    this.#allUsable = [...this.#brokers.values()].every(({ broker, endpoint }) => !broker.fenced && endpoint !== null)
  }

  get(id: number): BrokerInView | undefined {
    return this.#brokers.get(id)
  }

  values(): Iterable<BrokerInView> {
    return this.#brokers.values()
  }

  /** Registered, not fenced, and reachable on the client's listener. */
  isUsable(id: number): boolean {
    const view = this.#brokers.get(id)
    return view !== undefined && (this.#allUsable || (!view.broker.fenced && view.endpoint !== null))
  }

  /** The leader, when the client can reach it; else −1. */
  reachableLeader(partition: PartitionImage): number {
    const view = this.#brokers.get(partition.leader)
    return view === undefined || view.endpoint === null ? -1 : partition.leader
  }

  offlineReplicas(partition: PartitionImage): readonly number[] {
    const { replicas } = partition
    for (const id of replicas) if (!this.isUsable(id)) return replicas.filter((one) => !this.isUsable(one))
    return NONE
  }
}

const NONE: readonly number[] = []
