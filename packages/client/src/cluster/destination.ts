/** Where a request goes. */
import type { TopicPartition } from '../record.ts'

export type CoordinatorKind = 'group' | 'transaction' | 'share'

/**
 * Requests of one lane wait for each other, so what may wait long has a connection of its own: a fetch must not hold up a commit, nor a join a
 * commit.
 */
export type Lane = 'requests' | 'fetch' | 'coordinator' | 'membership'

export type Destination =
  /** Whichever broker has least to do. */
  | 'any'
  | 'controller'
  | { readonly node: number; readonly lane?: Lane }
  | { readonly leaderOf: TopicPartition; readonly lane?: Lane }
  | { readonly coordinatorOf: string; readonly kind: CoordinatorKind; readonly lane?: Lane }
