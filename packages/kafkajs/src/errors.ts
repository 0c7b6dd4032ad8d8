/** The errors that KafkaJS's programs know, by its names and with its fields. */

import type { DeleteGroupsResult } from './admin/groups.ts'
import type { PartitionMetadata } from './producer/partitioners.ts'

/** An error, or what says what went wrong. */
type Reason = Error | string

export interface KafkaJSErrorMetadata {
  retriable?: boolean
  topic?: string
  partitionId?: number
  metadata?: PartitionMetadata
}

/** Fields that KafkaJS's types promise and that are undefined where nobody knows them are declared as its types have them. */

export class KafkaJSError extends Error {
  override name = 'KafkaJSError'
  readonly retriable: boolean
  declare readonly helpUrl?: string
  declare readonly cause?: Error

  constructor(reason: Reason, { retriable = true, cause }: KafkaJSErrorMetadata & { readonly cause?: unknown } = {}) {
    super(messageOf(reason), cause === undefined ? {} : { cause })
    this.retriable = retriable
    const { helpUrl } = reason as { helpUrl?: string }
    if (helpUrl !== undefined) this.helpUrl = helpUrl
  }
}

export class KafkaJSNonRetriableError extends KafkaJSError {
  override name = 'KafkaJSNonRetriableError'

  constructor(reason: Reason, { cause }: { readonly cause?: unknown } = {}) {
    super(reason, { retriable: false, ...(cause === undefined ? {} : { cause }) })
  }
}

/** What a broker refused: Kafka's code, and its name. */
export class KafkaJSProtocolError extends KafkaJSError {
  override name = 'KafkaJSProtocolError'
  readonly code: number
  readonly type: string

  constructor(reason: Reason, metadata: KafkaJSErrorMetadata & { readonly cause?: unknown } = {}) {
    const { code = -1, type = 'UNKNOWN', retriable } = reason as { code?: number; type?: string; retriable?: boolean }
    super(reason, { ...metadata, retriable: metadata.retriable ?? retriable ?? false })
    this.code = code
    this.type = type
  }
}

export interface KafkaJSOffsetOutOfRangeMetadata {
  topic: string
  partition: number
}

export class KafkaJSOffsetOutOfRange extends KafkaJSProtocolError {
  override name = 'KafkaJSOffsetOutOfRange'
  readonly topic: string
  readonly partition: number

  constructor(reason: Reason, metadata?: KafkaJSOffsetOutOfRangeMetadata) {
    super(reason)
    const { topic, partition } = metadata ?? ({} as KafkaJSOffsetOutOfRangeMetadata)
    this.topic = topic
    this.partition = partition
  }
}

export class KafkaJSCreateTopicError extends KafkaJSProtocolError {
  override name = 'KafkaJSCreateTopicError'
  readonly topic: string

  constructor(reason: Reason, topic: string) {
    super(reason)
    this.topic = topic
  }
}

export class KafkaJSAlterPartitionReassignmentsError extends KafkaJSProtocolError {
  override name = 'KafkaJSAlterPartitionReassignmentsError'
  declare readonly topic?: string
  declare readonly partition?: number

  constructor(reason: Reason, topic?: string, partition?: number) {
    super(reason)
    if (topic !== undefined) this.topic = topic
    if (partition !== undefined) this.partition = partition
  }
}

export interface KafkaJSNumberOfRetriesExceededMetadata {
  retryCount: number
  retryTime: number
}

/** `retryTime`: milliseconds until the consumer begins anew. */
export class KafkaJSNumberOfRetriesExceeded extends KafkaJSNonRetriableError {
  override name = 'KafkaJSNumberOfRetriesExceeded'
  declare readonly stack: string
  readonly retryCount: number
  readonly retryTime: number

  constructor(reason: Reason, metadata?: KafkaJSNumberOfRetriesExceededMetadata) {
    super(reason, { cause: reason })
    const { retryCount, retryTime } = metadata ?? ({} as KafkaJSNumberOfRetriesExceededMetadata)
    this.retryCount = retryCount
    this.retryTime = retryTime
    this.stack = `${this.name}\n  Caused by: ${typeof reason === 'string' ? reason : reason.stack}`
  }
}

export interface KafkaJSConnectionErrorMetadata {
  broker?: string
  code?: string
}

export class KafkaJSConnectionError extends KafkaJSError {
  override name = 'KafkaJSConnectionError'
  readonly broker: string
  readonly code: string | undefined

  constructor(reason: Reason, metadata: KafkaJSConnectionErrorMetadata & { readonly cause?: unknown } = {}) {
    super(reason, metadata.cause === undefined ? {} : { cause: metadata.cause })
    this.broker = metadata.broker as string
    this.code = metadata.code
  }
}

export interface KafkaJSRequestTimeoutErrorMetadata {
  broker: string
  clientId: string
  correlationId: number
  createdAt: number
  sentAt: number
  pendingDuration: number
}

/** Of its fields those only that are known here: see the README. */
export class KafkaJSRequestTimeoutError extends KafkaJSError {
  override name = 'KafkaJSRequestTimeoutError'
  readonly broker: string
  readonly correlationId: number
  readonly createdAt: number
  readonly sentAt: number
  readonly pendingDuration: number

  constructor(
    reason: Reason,
    metadata: Partial<KafkaJSRequestTimeoutErrorMetadata> & { readonly cause?: unknown } = {},
  ) {
    super(reason, metadata.cause === undefined ? {} : { cause: metadata.cause })
    const { broker, correlationId, createdAt, sentAt, pendingDuration } = metadata as KafkaJSRequestTimeoutErrorMetadata
    this.broker = broker
    this.correlationId = correlationId
    this.createdAt = createdAt
    this.sentAt = sentAt
    this.pendingDuration = pendingDuration
  }
}

export class KafkaJSSASLAuthenticationError extends KafkaJSNonRetriableError {
  override name = 'KafkaJSSASLAuthenticationError'
}

export interface KafkaJSServerDoesNotSupportApiKeyMetadata {
  apiKey: number
  apiName: string
}

export class KafkaJSServerDoesNotSupportApiKey extends KafkaJSNonRetriableError {
  override name = 'KafkaJSServerDoesNotSupportApiKey'
  readonly apiKey: number
  readonly apiName: string

  constructor(reason: Reason, metadata?: KafkaJSServerDoesNotSupportApiKeyMetadata) {
    super(reason)
    const { apiKey, apiName } = metadata ?? ({} as KafkaJSServerDoesNotSupportApiKeyMetadata)
    this.apiKey = apiKey
    this.apiName = apiName
  }
}

export interface KafkaJSDeleteGroupsErrorGroups {
  groupId: string
  errorCode: number
  error: KafkaJSError
}

export class KafkaJSDeleteGroupsError extends KafkaJSError {
  override name = 'KafkaJSDeleteGroupsError'
  readonly groups: DeleteGroupsResult[]

  constructor(reason: Reason, groups: KafkaJSDeleteGroupsErrorGroups[] = []) {
    super(reason)
    this.groups = groups as DeleteGroupsResult[]
  }
}

export interface KafkaJSDeleteTopicRecordsErrorPartition {
  partition: number
  offset: string
  error: KafkaJSError
}

export interface KafkaJSDeleteTopicRecordsErrorTopic {
  topic: string
  partitions: KafkaJSDeleteTopicRecordsErrorPartition[]
}

export class KafkaJSDeleteTopicRecordsError extends KafkaJSError {
  override name = 'KafkaJSDeleteTopicRecordsError'
  readonly partitions: KafkaJSDeleteTopicRecordsErrorPartition[]

  constructor({ partitions }: Pick<KafkaJSDeleteTopicRecordsErrorTopic, 'partitions'>) {
    super('Error while deleting records', { retriable: partitions.every(({ error }) => error.retriable) })
    this.partitions = partitions
  }
}

export class KafkaJSAggregateError extends Error {
  override name = 'KafkaJSAggregateError'
  readonly errors: (Error | string)[]

  constructor(reason: Reason, errors: (Error | string)[]) {
    super(messageOf(reason))
    this.errors = errors
  }
}

export class KafkaJSBrokerNotFound extends KafkaJSError {
  override name = 'KafkaJSBrokerNotFound'
}

export class KafkaJSNotImplemented extends KafkaJSNonRetriableError {
  override name = 'KafkaJSNotImplemented'
}

export function isKafkaJSError(error: unknown): error is KafkaJSError {
  return error instanceof KafkaJSError
}

function messageOf(reason: Reason): string {
  return typeof reason === 'string' ? reason : reason.message
}
