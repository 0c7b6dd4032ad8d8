/** Where the state of share partitions outlives their leader: the share coordinator of the group and partition. */
import type { SharePartitionKey } from '../coordinators/share-partition-key.ts'

/** Offsets that stand alike. `deliveryState` is a `RecordState`; what is acquired is persisted as what it was before, or not at all. */
export interface PersistedBatch {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  readonly deliveryState: number
  readonly deliveryCount: number
}

/** Says that nobody has decided yet where the group begins to read. */
export const uninitializedStartOffset = -1n

export interface PersistedState {
  readonly stateEpoch: number
  /** `uninitializedStartOffset`: by the group's `share.auto.offset.reset`. */
  readonly startOffset: bigint
  /** In the order of offsets. */
  readonly batches: readonly PersistedBatch[]
}

export interface StateWrite {
  readonly stateEpoch: number
  readonly leaderEpoch: number
  readonly startOffset: bigint
  /** Records behind the start offset that are done with. */
  readonly deliveryCompleteCount: number
  readonly batches: readonly PersistedBatch[]
}

export interface StateSummary {
  readonly stateEpoch: number
  readonly leaderEpoch: number
  readonly startOffset: bigint
  /** -1 when not known. */
  readonly deliveryCompleteCount: number
}

/**
 * Writes of one share partition take effect in the order of the calls. All methods reject with a KafkaError: FENCED_LEADER_EPOCH and
 * FENCED_STATE_EPOCH when another leader, or an administrator, has taken over; GROUP_ID_NOT_FOUND and UNKNOWN_TOPIC_OR_PARTITION when
 * there is no such state; COORDINATOR_NOT_AVAILABLE and its kin when it did not work within the time for tries.
 */
export interface Persister {
  read(key: SharePartitionKey, leaderEpoch: number): Promise<PersistedState>
  write(key: SharePartitionKey, write: StateWrite): Promise<void>
  readSummary(key: SharePartitionKey): Promise<StateSummary>
  initialize(key: SharePartitionKey, start: { stateEpoch: number; startOffset: bigint }): Promise<void>
  delete(key: SharePartitionKey): Promise<void>
}
