/** Errors of KafkaJS that are never thrown here: for programs that ask `instanceof`, or make some for their tests. */
import { KafkaJSConnectionError, KafkaJSError, KafkaJSNonRetriableError, KafkaJSProtocolError } from './errors.ts'
import type { PartitionMetadata } from './producer/partitioners.ts'

export interface KafkaJSTopicMetadataNotLoadedMetadata {
  topic: string
}

export interface KafkaJSStaleTopicMetadataAssignmentMetadata {
  topic: string
  unknownPartitions: PartitionMetadata[]
}

export class KafkaJSMetadataNotLoaded extends KafkaJSError {
  override name = 'KafkaJSMetadataNotLoaded'
}
export class KafkaJSTopicMetadataNotLoaded extends KafkaJSMetadataNotLoaded {
  override name = 'KafkaJSTopicMetadataNotLoaded'
  readonly topic: string

  constructor(reason: Error | string, metadata?: KafkaJSTopicMetadataNotLoadedMetadata) {
    super(reason)
    this.topic = metadata?.topic as string
  }
}
export class KafkaJSStaleTopicMetadataAssignment extends KafkaJSError {
  override name = 'KafkaJSStaleTopicMetadataAssignment'
  readonly topic: string
  /** A list, which KafkaJS's types call a number. */
  readonly unknownPartitions: number

  constructor(reason: Error | string, metadata?: KafkaJSStaleTopicMetadataAssignmentMetadata) {
    super(reason)
    this.topic = metadata?.topic as string
    this.unknownPartitions = metadata?.unknownPartitions as unknown as number
  }
}
export class KafkaJSPartialMessageError extends KafkaJSNonRetriableError {
  override name = 'KafkaJSPartialMessageError'
}
export class KafkaJSGroupCoordinatorNotFound extends KafkaJSNonRetriableError {
  override name = 'KafkaJSGroupCoordinatorNotFound'
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

export class KafkaJSConnectionClosedError extends KafkaJSConnectionError {
  override name = 'KafkaJSConnectionClosedError'
  readonly host: string | undefined
  readonly port: number | undefined

  constructor(reason: Error | string, { host, port }: { host?: string; port?: number } = {}) {
    super(reason, { broker: `${host}:${port}` })
    this.host = host
    this.port = port
  }
}
export class KafkaJSMemberIdRequired extends KafkaJSProtocolError {
  override name = 'KafkaJSMemberIdRequired'
  readonly memberId: string

  constructor(reason: Error | string, { memberId }: { memberId: string }) {
    super(reason)
    this.memberId = memberId
  }
}
export class KafkaJSNoBrokerAvailableError extends KafkaJSError {
  override name = 'KafkaJSNoBrokerAvailableError'

  constructor() {
    super('No broker available')
  }
}
export class KafkaJSInvariantViolation extends KafkaJSNonRetriableError {
  override name = 'KafkaJSInvariantViolation'
}
export class KafkaJSInvalidVarIntError extends KafkaJSNonRetriableError {}
export class KafkaJSInvalidLongError extends KafkaJSNonRetriableError {}
export class KafkaJSFetcherRebalanceError extends Error {}
