/**
 * What shares the partitions out among the members of a classic group: one of the members, the leader, runs it for all. Groups of the
 * consumer protocol (KIP-848) are assigned by the broker.
 */
import type { TopicPartition } from '../record.ts'

/**
 * Eager: members give up everything before they join again. Cooperative: they keep what they own, and give up only what the assignment
 * takes from them, in a second rebalance (KIP-429).
 */
export type RebalanceProtocol = 'eager' | 'cooperative'

/** What a member told when it joined. */
export interface MemberSubscription {
  /** Null: not a static member (KIP-345). */
  readonly groupInstanceId: string | null
  readonly topics: readonly string[]
  /** What it owned when it joined. Empty from eager members and from clients older than KIP-429. */
  readonly ownedPartitions: readonly TopicPartition[]
  /** The generation it owned them in; -1 from new members and from clients older than KIP-792. */
  readonly generationId: number
  /** Where it runs (KIP-881). */
  readonly rackId: string | null
  /** What its assignor made in `userData`. */
  readonly userData: Uint8Array | null
}

/** The topics that members subscribe to, as the leader knows them. */
export interface AssignableTopics {
  /** Null when the topic does not exist. */
  partitionCount(topic: string): number | null
  /** Racks of the replicas, those that are down included; empty when unknown. */
  racksOf(topic: string, partition: number): readonly string[]
}

export interface MemberAssignment {
  readonly partitions: readonly TopicPartition[]
  /** Handed to the member's `onAssignment`. */
  readonly userData?: Uint8Array | null
}

/** Who is told about its assignment. */
export interface AssignedMember {
  readonly groupId: string
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly generationId: number
}

/**
 * An assignor belongs to one consumer and may keep state. All members of a group need one of the same name; the group uses the one that most
 * members prefer among those all have.
 */
export interface Assignor {
  readonly name: string
  /**
   * A consumer rebalances cooperatively when all the assignors it offers can. A cooperative one may not give away what another member owns.
   * Default: eager only.
   */
  readonly supportedProtocols?: readonly RebalanceProtocol[]
  /** What the leader's assignor shall know of this member. Called for each join. */
  userData?(topics: ReadonlySet<string>): Uint8Array | null
  /** Gives each member its partitions; members it leaves out get none. Called on the leader only; the group waits for it. */
  assign(
    topics: AssignableTopics,
    members: ReadonlyMap<string, MemberSubscription>,
  ): ReadonlyMap<string, MemberAssignment> | Promise<ReadonlyMap<string, MemberAssignment>>
  /** Called on every member when it has its assignment. */
  onAssignment?(assignment: MemberAssignment, member: AssignedMember): void
}

/** One that needs nothing but time to think, as Kafka's own. */
export interface SynchronousAssignor extends Assignor {
  assign(
    topics: AssignableTopics,
    members: ReadonlyMap<string, MemberSubscription>,
  ): ReadonlyMap<string, MemberAssignment>
}
