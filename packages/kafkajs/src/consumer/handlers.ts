/** What a KafkaJS program gives to `run`, and what its handlers are given. */
import type { KafkaMessage } from '../message.ts'
import type { Offsets } from '../producer/transaction.ts'
import type { Batch } from './batch.ts'

export interface EachMessagePayload {
  topic: string
  partition: number
  message: KafkaMessage
  /** Does nothing: heartbeats have a thread of their own. */
  readonly heartbeat: () => Promise<void>
  /** Pauses the partition; the function it returns resumes it. */
  readonly pause: () => () => void
}

export interface EachBatchPayload {
  batch: Batch
  readonly resolveOffset: (offset: string) => void
  /** Does nothing: heartbeats have a thread of their own. */
  readonly heartbeat: () => Promise<void>
  readonly pause: () => () => void
  readonly commitOffsetsIfNecessary: (offsets?: Offsets) => Promise<void>
  readonly uncommittedOffsets: () => Offsets
  readonly isRunning: () => boolean
  readonly isStale: () => boolean
}

export type EachMessageHandler = (payload: EachMessagePayload) => Promise<void>
export type EachBatchHandler = (payload: EachBatchPayload) => Promise<void>

export interface ConsumerRunConfig {
  autoCommit?: boolean
  autoCommitInterval?: number | null
  autoCommitThreshold?: number | null
  eachBatchAutoResolve?: boolean
  partitionsConsumedConcurrently?: number
  eachBatch?: EachBatchHandler
  eachMessage?: EachMessageHandler
}

export interface TopicPartitionOffset {
  topic: string
  partition: number
  offset: string
}

export interface TopicPartitionOffsetAndMetadata extends TopicPartitionOffset {
  metadata?: string | null
}
