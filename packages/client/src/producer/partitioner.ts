/** Chooses the partitions of records that name none. */

export interface PartitionerInput {
  readonly topic: string
  readonly key: Uint8Array | string | null
  readonly value: Uint8Array | string | null
  readonly partitionsCount: number
  /** Partitions that have a leader now, ascending. */
  readonly availablePartitions: readonly number[]
  /** Bytes of records that wait for this partition. */
  readonly queuedBytes: (partition: number) => number
}

/** The number of the partition, from 0 to `partitionsCount` - 1. Keys and values are as serialized: texts stand for their UTF-8 bytes. */
export type Partitioner = (input: PartitionerInput) => number
