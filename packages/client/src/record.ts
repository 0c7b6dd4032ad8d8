/** Records as the application writes and reads them. */

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** The offset of the next record to read from a partition, as it is committed. */
export interface TopicPartitionOffset extends TopicPartition {
  readonly offset: bigint
  /** Epoch of the last record read; lets a truncated log be noticed (KIP-320). */
  readonly leaderEpoch?: number
  /** Whatever the application wants to keep with it. */
  readonly metadata?: string
}

/** Names may repeat; their order is kept. */
export type RecordHeadersInput =
  | Readonly<Record<string, string | Uint8Array | null>>
  | readonly (readonly [name: string, value: string | Uint8Array | null])[]

export interface ProducerRecord<K, V> {
  readonly topic: string
  /** Default: the partitioner decides. */
  readonly partition?: number | undefined
  readonly key?: K | null | undefined
  /** Null: a tombstone, which deletes the key in a compacted topic. */
  readonly value: V | null
  readonly headers?: RecordHeadersInput | undefined
  /** Milliseconds since the epoch. Default: now. */
  readonly timestamp?: number | undefined
}

/** A record for a producer that has a topic of its own. */
export type TopiclessRecord<K, V> = Omit<ProducerRecord<K, V>, 'topic'> & { readonly topic?: string }

/** Where a record was written. */
export interface RecordMetadata extends TopicPartition {
  /** -1n when the broker does not say: with acks 0. */
  readonly offset: bigint
  /** Milliseconds since the epoch: the record's, or the broker's for topics with LogAppendTime. */
  readonly timestamp: number
}

export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}

/**
 * A record that was read. Key, value and headers are decoded when they are first asked for, so a record that cannot be decoded throws
 * there, to the one who handles it. It may be kept as long as wanted; keeping one keeps the bytes of its batch in memory.
 */
export interface ConsumerRecord<K, V> extends TopicPartition {
  readonly offset: bigint
  /** Milliseconds since the epoch; -1 in records older than Kafka 0.10. */
  readonly timestamp: number
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
  /** Null when the broker did not tell. */
  readonly leaderEpoch: number | null
  readonly key: K | null
  readonly value: V | null
  /** As stored. */
  readonly rawKey: Uint8Array | null
  readonly rawValue: Uint8Array | null
  readonly headers: readonly RecordHeader[]
  /** The last header of that name: undefined when there is none. */
  header(name: string): Uint8Array | null | undefined
}
