/** The errors that KafkaJS's programs know, by its names and with its fields. */

import type { PartitionMetadata } from './partitioners.ts'

/** An error, or what says what went wrong. */
type Reason = Error | string

export interface KafkaJSErrorMetadata {
  readonly retriable?: boolean
  readonly cause?: unknown
}

export class KafkaJSError extends Error {
  override name = 'KafkaJSError'
  readonly retriable: boolean
  readonly helpUrl: string | undefined

  constructor(reason: Reason, { retriable = true, cause }: KafkaJSErrorMetadata = {}) {
    super(messageOf(reason), cause === undefined ? {} : { cause })
    this.retriable = retriable
    this.helpUrl = typeof reason === 'string' ? undefined : (reason as { helpUrl?: string }).helpUrl
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

  constructor(reason: Reason, metadata: KafkaJSErrorMetadata = {}) {
    const { code = -1, type = 'UNKNOWN', retriable } = reason as { code?: number; type?: string; retriable?: boolean }
    super(reason, { ...metadata, retriable: metadata.retriable ?? retriable ?? false })
    this.code = code
    this.type = type
  }
}

export interface KafkaJSOffsetOutOfRangeMetadata {
  readonly topic: string
  readonly partition: number
}

export class KafkaJSOffsetOutOfRange extends KafkaJSProtocolError {
  override name = 'KafkaJSOffsetOutOfRange'
  readonly topic: string
  readonly partition: number

  constructor(reason: Reason, { topic, partition }: KafkaJSOffsetOutOfRangeMetadata) {
    super(reason)
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
  readonly topic: string | undefined
  readonly partition: number | undefined

  constructor(reason: Reason, topic?: string, partition?: number) {
    super(reason)
    this.topic = topic
    this.partition = partition
  }
}

export interface KafkaJSNumberOfRetriesExceededMetadata {
  readonly retryCount: number
  readonly retryTime: number
}

/** `retryTime`: milliseconds until the consumer begins anew. */
export class KafkaJSNumberOfRetriesExceeded extends KafkaJSNonRetriableError {
  override name = 'KafkaJSNumberOfRetriesExceeded'
  readonly retryCount: number
  readonly retryTime: number

  constructor(reason: Error, { retryCount, retryTime }: KafkaJSNumberOfRetriesExceededMetadata) {
    super(reason, { cause: reason })
    this.retryCount = retryCount
    this.retryTime = retryTime
    this.stack = `${this.name}\n  Caused by: ${reason.stack}`
  }
}

export interface KafkaJSConnectionErrorMetadata {
  readonly broker?: string
  readonly code?: string
}

export class KafkaJSConnectionError extends KafkaJSError {
  override name = 'KafkaJSConnectionError'
  readonly broker: string | undefined
  readonly code: string | undefined

  constructor(reason: Reason, metadata: KafkaJSConnectionErrorMetadata & { readonly cause?: unknown } = {}) {
    super(reason, metadata.cause === undefined ? {} : { cause: metadata.cause })
    this.broker = metadata.broker
    this.code = metadata.code
  }
}

export interface KafkaJSRequestTimeoutErrorMetadata {
  readonly broker?: string
  readonly clientId?: string
  readonly correlationId?: number
  readonly createdAt?: number
  readonly sentAt?: number
  readonly pendingDuration?: number
}

/** Of its fields those only that are known here: see the README. */
export class KafkaJSRequestTimeoutError extends KafkaJSError {
  override name = 'KafkaJSRequestTimeoutError'
  readonly broker: string | undefined
  readonly correlationId: number | undefined
  readonly createdAt: number | undefined
  readonly sentAt: number | undefined
  readonly pendingDuration: number | undefined

  constructor(reason: Reason, metadata: KafkaJSRequestTimeoutErrorMetadata & { readonly cause?: unknown } = {}) {
    super(reason, metadata.cause === undefined ? {} : { cause: metadata.cause })
    this.broker = metadata.broker
    this.correlationId = metadata.correlationId
    this.createdAt = metadata.createdAt
    this.sentAt = metadata.sentAt
    this.pendingDuration = metadata.pendingDuration
  }
}

export class KafkaJSSASLAuthenticationError extends KafkaJSNonRetriableError {
  override name = 'KafkaJSSASLAuthenticationError'
}

export interface KafkaJSServerDoesNotSupportApiKeyMetadata {
  readonly apiKey?: number
  readonly apiName?: string
}

export class KafkaJSServerDoesNotSupportApiKey extends KafkaJSNonRetriableError {
  override name = 'KafkaJSServerDoesNotSupportApiKey'
  readonly apiKey: number | undefined
  readonly apiName: string | undefined

  constructor(reason: Reason, { apiKey, apiName }: KafkaJSServerDoesNotSupportApiKeyMetadata = {}) {
    super(reason)
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
  readonly groups: readonly KafkaJSDeleteGroupsErrorGroups[]

  constructor(reason: Reason, groups: KafkaJSDeleteGroupsError['groups'] = []) {
    super(reason)
    this.groups = groups
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
  readonly partitions: readonly KafkaJSDeleteTopicRecordsErrorPartition[]

  constructor({ partitions }: { readonly partitions: readonly KafkaJSDeleteTopicRecordsErrorPartition[] }) {
    super('Error while deleting records', { retriable: partitions.every(({ error }) => error.retriable) })
    this.partitions = partitions
  }
}

export class KafkaJSAggregateError extends Error {
  override name = 'KafkaJSAggregateError'
  readonly errors: readonly (Error | string)[]

  constructor(reason: Reason, errors: readonly (Error | string)[]) {
    super(messageOf(reason))
    this.errors = errors
  }
}

export interface KafkaJSTopicMetadataNotLoadedMetadata {
  readonly topic: string
}

export interface KafkaJSStaleTopicMetadataAssignmentMetadata {
  readonly topic: string
  readonly unknownPartitions: readonly PartitionMetadata[]
}

/** Never thrown here; for programs that ask `instanceof`. */
export class KafkaJSBrokerNotFound extends KafkaJSError {
  override name = 'KafkaJSBrokerNotFound'
}
export class KafkaJSMetadataNotLoaded extends KafkaJSError {
  override name = 'KafkaJSMetadataNotLoaded'
}
export class KafkaJSTopicMetadataNotLoaded extends KafkaJSMetadataNotLoaded {
  override name = 'KafkaJSTopicMetadataNotLoaded'
  readonly topic: string | undefined

  constructor(reason: Reason, { topic }: Partial<KafkaJSTopicMetadataNotLoadedMetadata> = {}) {
    super(reason)
    this.topic = topic
  }
}
export class KafkaJSStaleTopicMetadataAssignment extends KafkaJSError {
  override name = 'KafkaJSStaleTopicMetadataAssignment'
  readonly topic: string | undefined
  readonly unknownPartitions: readonly PartitionMetadata[] | undefined

  constructor(reason: Reason, { topic, unknownPartitions }: Partial<KafkaJSStaleTopicMetadataAssignmentMetadata> = {}) {
    super(reason)
    this.topic = topic
    this.unknownPartitions = unknownPartitions
  }
}
export class KafkaJSPartialMessageError extends KafkaJSNonRetriableError {
  override name = 'KafkaJSPartialMessageError'
}
export class KafkaJSGroupCoordinatorNotFound extends KafkaJSNonRetriableError {
  override name = 'KafkaJSGroupCoordinatorNotFound'
}
export class KafkaJSNotImplemented extends KafkaJSNonRetriableError {
  override name = 'KafkaJSNotImplemented'
}
export class KafkaJSTimeout extends KafkaJSNonRetriableError {
  override name = 'KafkaJSTimeout'
}
export class KafkaJSLockTimeout extends KafkaJSTimeout {
  override name = 'KafkaJSLockTimeout'
}
export class KafkaJSUnsupportedMagicByteInMessageSet extends KafkaJSNonRetriableError {
  override name = 'KafkaJSUnsupportedMagicByteInMessageSet'
}

export function isKafkaJSError(error: unknown): error is KafkaJSError {
  return error instanceof KafkaJSError
}

function messageOf(reason: Reason): string {
  return typeof reason === 'string' ? reason : reason.message
}
