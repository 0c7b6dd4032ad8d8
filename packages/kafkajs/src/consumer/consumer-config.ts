import type { RetryOptions } from '../retry.ts'
import type { PartitionAssigner } from './assigners.ts'

export interface ConsumerConfig {
  groupId: string
  /** Default: round robin under KafkaJS's name, so that a group may have members of both libraries. */
  partitionAssigners?: PartitionAssigner[]
  metadataMaxAge?: number
  sessionTimeout?: number
  rebalanceTimeout?: number
  heartbeatInterval?: number
  maxBytesPerPartition?: number
  minBytes?: number
  maxBytes?: number
  maxWaitTimeInMs?: number
  retry?: RetryOptions
  allowAutoTopicCreation?: boolean
  /** Without effect: the client has one fetch under way per broker. */
  maxInFlightRequests?: number
  readUncommitted?: boolean
  rackId?: string
}
