/**
 * The seam between a share consumer and its group: the membership holds the place in the group, and tells which partitions may be read. Partitions are
 * not owned, so nothing has to be given up before another member may have them.
 */
import type { TopicIdPartition } from '../topic-id-partition.ts'

export interface ShareMembershipOwner {
  readonly subscription: readonly string[]
  /** What may be read from now on. */
  assigned(partitions: readonly TopicIdPartition[]): void
  /** Something the application should know of, after which the membership goes on. */
  troubled(error: Error): void
  /** The membership has ended for good: not authorized, unsupported, a group of another type. */
  failed(error: Error): void
}

export interface ShareMembership extends AsyncDisposable {
  /** The same for as long as it lives; share sessions go by it. */
  readonly memberId: string
  /** Begins to be a member. Once. */
  join(): void
  subscriptionChanged(): void
  /** The application asks for records: what maxPollIntervalMs counts from. */
  polled(): void
  /** The application waits for records that are not there, which counts as asking all the time, until `polled`. */
  waiting(): void
  leave(options: { readonly signal: AbortSignal }): Promise<void>
}
