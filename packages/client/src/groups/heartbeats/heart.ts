/**
 * A heart keeps one member alive at its coordinator, from wherever it runs: see `HeartbeatHost`. Everything that goes to it and comes from it is
 * plain data, as it may have to cross to another thread.
 */
import type { ClientSettings } from '../../config/client-options.ts'
import type { World } from '../../world.ts'

/** What stays the same for as long as the heart lives. */
export interface HeartPlan {
  readonly groupId: string
  readonly groupInstanceId: string | null
  readonly maxPollIntervalMs: number
  /** Of a `PollStamp`. */
  readonly pollMemory: SharedArrayBuffer
}

export interface ClassicVitals {
  readonly protocol: 'classic'
  readonly memberId: string
  readonly generationId: number
  readonly heartbeatIntervalMs: number
  readonly sessionTimeoutMs: number
}

export interface TopicIdPartitions {
  readonly topicId: string
  readonly partitions: readonly number[]
}

export interface OwnedPartitions {
  /** Another one for each assignment that was taken up, be it the same partitions again: the coordinator waits to be told. */
  readonly version: number
  readonly partitions: readonly TopicIdPartitions[]
}

/** What a member of the consumer protocol tells; what has not changed since the last heartbeat is left out of the next. */
export interface ConsumerVitals {
  readonly protocol: 'consumer'
  readonly memberId: string
  /** 0 to join. Later ones are the coordinator's. */
  readonly memberEpoch: number
  readonly rackId: string | null
  readonly rebalanceTimeoutMs: number
  readonly serverAssignor: string | null
  readonly topics: readonly string[]
  /** In RE2's syntax. Null: none. */
  readonly regex: string | null
  readonly owned: OwnedPartitions
}

export interface ShareVitals {
  readonly protocol: 'share'
  readonly memberId: string
  readonly memberEpoch: number
  readonly rackId: string | null
  readonly topics: readonly string[]
}

export type Vitals = ClassicVitals | ConsumerVitals | ShareVitals

export type HeartEvent =
  /** A heartbeat was answered, whatever the answer said. The heart goes on, or tells more. */
  | { readonly kind: 'answered'; readonly latencyMs: number }
  /** Classic: the group rebalances, join again. The heart goes on. */
  | { readonly kind: 'rebalance' }
  /** The coordinator told an epoch or an assignment. The heart goes on. */
  | {
      readonly kind: 'epoch'
      readonly memberId: string
      readonly memberEpoch: number
      /** Null: as before. */
      readonly assignment: readonly TopicIdPartitions[] | null
    }
  /** Something is wrong that may pass without anybody's help: not allowed to describe a topic. The heart goes on. */
  | { readonly kind: 'troubled'; readonly code: number; readonly message: string }
  /** The coordinator refused the member. The heart has stopped. */
  | { readonly kind: 'refused'; readonly code: number; readonly message: string }
  /** The coordinator cannot be asked, and never will: authentication, no such API. The heart has stopped. */
  | { readonly kind: 'failed'; readonly code: number; readonly message: string }
  /** The application did not ask for records in time. The heart has left the group, unless the member is static, and stopped. */
  | { readonly kind: 'poll-exceeded'; readonly silentMs: number; readonly handling: number }

/** Told only of the beat that was begun last. */
export type HeartListener = (event: HeartEvent) => void

export interface Heart extends AsyncDisposable {
  /** Begins to beat for this member, in place of what was before. */
  beat(vitals: Vitals): void
  /** The member tells something new. Sent at once. To no effect when the heart does not beat. */
  update(vitals: Vitals): void
  /** Stops, and tells the coordinator nothing. */
  stop(): void
  /** Stops, and leaves the group. Resolves when the coordinator has answered, cannot be reached, or the time is over. Never throws. */
  leave(options: LeaveOptions): Promise<void>
}

export interface LeaveOptions {
  readonly memberId: string
  readonly protocol: Vitals['protocol']
  /** For the broker's log (KIP-800). */
  readonly reason: string
  /** A static member goes for good, instead of coming back under its instance id. */
  readonly isForGood: boolean
  readonly timeoutMs: number
}

export interface HeartOptions {
  readonly settings: ClientSettings
  readonly world: World
  readonly plan: HeartPlan
  readonly listener: HeartListener
}

/** Where hearts beat: a thread of their own, or the loop of the application. */
export interface HeartbeatHost {
  open(options: HeartOptions): Heart
}
