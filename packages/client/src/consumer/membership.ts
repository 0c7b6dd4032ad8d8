/**
 * The seam between a consumer and its group: a membership holds the place in the group (joining, heartbeats, leaving); its owner, the
 * consumer, holds positions and records. The membership never takes or gives partitions but by the calls below, and waits for each.
 */
import type { GroupMetadata } from '../producer/producer.ts'
import type { TopicPartition } from '../record.ts'

export type Subscription = readonly string[] | RegExp

/** The consumer, as its membership sees it. The membership makes one call at a time, and waits for it. */
export interface MembershipOwner {
  readonly subscription: Subscription
  /**
   * Resolves when the partitions can be given up: no record of them is being handled, handled ones are committed, the listener is done.
   * A consumer does this where it asks for records, so it may take up to maxPollIntervalMs.
   */
  revoked(partitions: readonly TopicPartition[]): Promise<void>
  /** They are gone already; as above, but nothing can be committed. */
  lost(partitions: readonly TopicPartition[]): Promise<void>
  /** Resolves when the listener is done and reading may begin. Called after every rebalance, maybe with none. */
  assigned(partitions: readonly TopicPartition[]): Promise<void>
  /** Something the application should know of, after which the membership goes on. */
  troubled(error: Error): void
  /** The membership has ended for good: fenced, not authorized, unsupported. */
  failed(error: Error): void
}

export interface Membership extends AsyncDisposable {
  /** For commits and transactions. Generation -1 and an empty member id while not in the group. */
  readonly metadata: GroupMetadata
  /** The topics that the subscription stands for now: those a pattern matches, as far as this client knows. */
  readonly subscribedTopics: readonly string[]
  /** Begins to be a member. Once. */
  join(): void
  /** The owner's subscription has changed. */
  subscriptionChanged(): void
  /**
   * The application asks for records: what maxPollIntervalMs counts from. Cheap enough to be called for every record. A member that had
   * exceeded it joins again.
   */
  polled(): void
  /** The application waits for records that are not there, which counts as asking all the time, until `polled`. */
  waiting(): void
  /**
   * What the application is being given records of, for the message when maxPollIntervalMs is exceeded. To be called when it changes, before the
   * application gets the records.
   */
  handling(partition: TopicPartition | null): void
  enforceRebalance(reason: string): void
  /**
   * A commit made as `sentAs` was refused with this error code (REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH,
   * FENCED_…): the membership draws its conclusions, if it still is that member.
   */
  commitRefused(code: number, sentAs: GroupMetadata): void
  /**
   * Revokes everything through the owner (what is lost, by `lost`) and leaves, unless told to stay: `leaveGroup` false. A static member that stays
   * keeps its place for when it comes back.
   */
  leave(options: { readonly leaveGroup: boolean; readonly signal: AbortSignal }): Promise<void>
}
