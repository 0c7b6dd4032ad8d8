/** What the group coordinator knows of a group whatever its type is: classic, consumer (KIP-848) and share groups live under one kind of id. */
import type { CoordinatorRecord } from '../runtime/decision.ts'

export type GroupType = 'classic' | 'consumer' | 'share' | 'streams'

/** Who commits offsets, as far as the request says. */
export interface OffsetCommitter {
  /** '' when the request names none. */
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** −1 when the request has none. */
  readonly generationOrEpoch: number
  readonly isTransactional: boolean
  /** Of OffsetCommit or TxnOffsetCommit. */
  readonly apiVersion: number
}

/** @throws KafkaError when the committer may not commit for this partition. `topicId` is ZERO_UUID when the topic is unknown. */
export type PartitionCommitCheck = (topic: string, topicId: string, partition: number) => void

/** The moment from which an offset's retention counts, in milliseconds since 1970. */
export type RetentionStart = (offset: { readonly commitTimestampMs: number }) => number

export interface Group {
  readonly id: string
  readonly type: GroupType
  /** `consumer`, `connect`, `share`, …; '' while no member has said. */
  readonly protocolType: string
  /** As clients are told it, like `Stable` or `Reconciling`. */
  readonly stateName: string
  readonly isEmpty: boolean
  readonly memberCount: number
  /** Whether the group goes when it is empty and its offsets have expired. */
  readonly expires: boolean

  /** null when all partitions are fine. @throws KafkaError when the committer may not commit at all. */
  checkOffsetCommit(committer: OffsetCommitter): PartitionCommitCheck | null
  /** `memberId` null and `memberEpoch` −1 when the request has none. @throws KafkaError */
  checkOffsetFetch(memberId: string | null, memberEpoch: number): void
  /** @throws KafkaError */
  checkOffsetDelete(): void
  /** @throws KafkaError GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP. */
  checkDelete(): void
  isSubscribedTo(topic: string): boolean
  /** null: its offsets do not expire now. Those of subscribed topics never do. */
  retentionStart(): RetentionStart | null
  /** What deletes it from the log. */
  tombstones(): CoordinatorRecord[]
  /** It is out of the registry: for timers and who waits. */
  removed?(): void
}
