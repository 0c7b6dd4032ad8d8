/** What a server-side assignor is given and gives: which member of a group is to own which partitions. */

/** Partitions by topic id. No topic with an empty set. */
export type Assignment = ReadonlyMap<string, ReadonlySet<number>>

export const noPartitions: Assignment = new Map()

export function isSameAssignment(one: Assignment, other: Assignment): boolean {
  if (one === other) return true
  if (one.size !== other.size) return false
  for (const [topicId, partitions] of one) {
    const others = other.get(topicId)
    if (others === undefined || others.size !== partitions.size) return false
    for (const partition of partitions) if (!others.has(partition)) return false
  }
  return true
}

export interface MemberToAssign {
  /** Of a static member. */
  readonly instanceId: string | null
  readonly subscribedTopicIds: ReadonlySet<string>
  /** The target assignment until now. */
  readonly assignment: Assignment
}

/** Homogeneous: all members subscribe to the same topics. */
export type SubscriptionType = 'homogeneous' | 'heterogeneous'

export interface GroupToAssign {
  readonly members: ReadonlyMap<string, MemberToAssign>
  readonly subscriptionType: SubscriptionType
  /** Whether the target assignment until now gives the partition to somebody. */
  isAssigned(topicId: string, partition: number): boolean
  /** Of a topic that exists. @throws KafkaError UNKNOWN_SERVER_ERROR for others: subscriptions only hold topics that exist. */
  partitionCount(topicId: string): number
}

export interface Assignor {
  readonly name: string
  /** Members without partitions may be left out. @throws KafkaError UNKNOWN_SERVER_ERROR when there is no assignment. */
  assign(group: GroupToAssign): Map<string, Assignment>
}
