/** Who owns what before a rebalance, as the members say. */
import type { MemberSubscription } from './assignor.ts'
import type { TopicPartition } from '../record.ts'

/** What a member says it owns, and since which generation. -1: it does not know, or is new. */
export interface OwnershipClaim {
  readonly partitions: readonly TopicPartition[]
  readonly generationId: number
}

interface Owner {
  /** Null when two members claim it for the same generation: then neither is believed. */
  memberId: string | null
  generationId: number
}

/**
 * Where several members claim a partition, the newest generation is believed: a member that was away may still claim what was given to another
 * meanwhile.
 */
export class OwnershipClaims {
  readonly #owners = new Map<string, Map<number, Owner>>()

  constructor(
    members: ReadonlyMap<string, MemberSubscription>,
    claimOf: (subscription: MemberSubscription) => OwnershipClaim,
  ) {
    for (const [memberId, subscription] of members) {
      const { partitions, generationId } = claimOf(subscription)
      for (const { topic, partition } of partitions) this.#claim(topic, partition, { memberId, generationId })
    }
  }

  /** Null when nobody, or nobody who can be believed, claims it. */
  ownerOf({ topic, partition }: TopicPartition): string | null {
    return this.#owners.get(topic)?.get(partition)?.memberId ?? null
  }

  /** Whether the member may have it right away: nobody else claims it, or the member itself is believed. */
  mayHaveNow(memberId: string, { topic, partition }: TopicPartition): boolean {
    const owner = this.#owners.get(topic)?.get(partition)
    return owner === undefined || owner.memberId === memberId
  }

  #claim(topic: string, partition: number, claim: Owner): void {
    let ofTopic = this.#owners.get(topic)
    if (ofTopic === undefined) this.#owners.set(topic, (ofTopic = new Map()))
    const known = ofTopic.get(partition)
    if (known === undefined) ofTopic.set(partition, claim)
    else if (claim.generationId === known.generationId) known.memberId = null
    else if (claim.generationId > known.generationId) ofTopic.set(partition, claim)
  }
}
