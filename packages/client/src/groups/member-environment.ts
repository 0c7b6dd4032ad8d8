/** What a member of a group works with, whatever its protocol. */
import type { Cluster } from '../cluster/cluster.ts'
import type { MembershipOwner } from '../consumer/membership.ts'
import type { ConsumerSettings } from '../consumer/options.ts'
import type { GroupMetadata } from '../producer/producer.ts'
import type { GroupMetrics } from './group-metrics.ts'
import type { Heart, HeartEvent } from './heartbeats/heart.ts'
import type { SubscribedTopics } from './subscribed-topics.ts'

export interface MemberEnvironment {
  readonly groupId: string
  readonly cluster: Cluster
  readonly settings: ConsumerSettings
  readonly owner: MembershipOwner
  readonly heart: Heart
  readonly topics: SubscribedTopics
  readonly metrics: GroupMetrics
  /** The subscription as a pattern that the coordinator matches; null when `topics` are what counts. */
  readonly pattern: () => string | null
  /** Resolves when the application asks for records again, after maxPollIntervalMs was exceeded. @throws the signal's reason. */
  readonly asked: (signal: AbortSignal) => Promise<void>
  /** It is over, unless another protocol can take over. The member has nothing any more, and does nothing any more. */
  readonly ended: (error: Error) => void
}

/** A member by one of the protocols. */
export interface ProtocolMember {
  readonly metadata: GroupMetadata
  start(): void
  heartEvent(event: HeartEvent): void
  /** Other topics than before. */
  topicsChanged(): void
  enforceRebalance(reason: string): void
  commitRefused(code: number, sentAs: GroupMetadata): void
  /** Stops what it is doing, has the owner give up everything, and leaves. */
  leave(options: { readonly leaveGroup: boolean; readonly signal: AbortSignal }): Promise<void>
}
