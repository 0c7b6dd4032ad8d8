import type { TopicPartition } from '../record.ts'

/**
 * Told when partitions come and go. Each call is awaited before the group goes on, while no record is being handed out: the place to
 * finish and to save what belongs to the partitions. One that throws ends the consumer with that error.
 */
export interface RebalanceListener {
  /** New partitions, before any record of them. `seek` works here. */
  onAssigned?(partitions: readonly TopicPartition[]): void | Promise<void>
  /** Partitions to be given up; still owned, so their offsets can be committed. */
  onRevoked?(partitions: readonly TopicPartition[]): void | Promise<void>
  /** Partitions that are gone already, perhaps to another member: nothing can be committed. Default: as `onRevoked`. */
  onLost?(partitions: readonly TopicPartition[]): void | Promise<void>
}
