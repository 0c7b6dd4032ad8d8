import type { PartitionAssigner } from './assigners.ts'
import type { RetryOptions } from './retry.ts'

export interface ConsumerConfig {
  readonly groupId: string
  /** Default: round robin under KafkaJS's name, so that a group may have members of both libraries. */
  readonly partitionAssigners?: readonly PartitionAssigner[]
  readonly metadataMaxAge?: number
  readonly sessionTimeout?: number
  readonly rebalanceTimeout?: number
  readonly heartbeatInterval?: number
  readonly maxBytesPerPartition?: number
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly maxWaitTimeInMs?: number
  readonly retry?: RetryOptions
  readonly allowAutoTopicCreation?: boolean
  /** Without effect: the client has one fetch under way per broker. */
  readonly maxInFlightRequests?: number
  readonly readUncommitted?: boolean
  readonly rackId?: string
}
