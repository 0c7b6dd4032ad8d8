/** Who decides, in the classic protocol, which member reads which partitions. */
import type { TopicPartition } from '../record.ts'

export interface AssignorMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly topics: readonly string[]
  readonly userData: Uint8Array | null
  readonly ownedPartitions: readonly TopicPartition[]
  /** Of the owned partitions; null from members that do not say. */
  readonly generationId: number | null
  readonly rackId: string | null
}

export interface AssignorTopic {
  readonly name: string
  /** By partition: the racks of its replicas. */
  readonly partitionRacks: readonly (readonly (string | null)[])[]
}

export interface MemberAssignment {
  readonly partitions: readonly TopicPartition[]
  readonly userData?: Uint8Array | null
}

export interface Assignor {
  /** As the members of other languages call it. */
  readonly name: string
  /** Cooperative assignors take partitions away in one rebalance and give them to others in the next (KIP-429). Default: eager. */
  readonly protocol?: 'eager' | 'cooperative'
  /** What the leader shall know of this member. */
  userData?(topics: readonly string[]): Uint8Array | null
  /** By member id. Called on the leader only; every member subscribed to a topic may get any partition of it, once. */
  assign(
    topics: ReadonlyMap<string, AssignorTopic>,
    members: readonly AssignorMember[],
  ): ReadonlyMap<string, MemberAssignment>
  /** What this member was given, on every member. */
  onAssignment?(assignment: MemberAssignment, generationId: number): void
}
