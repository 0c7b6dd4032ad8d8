/** The client's consumer that a KafkaJS consumer works with. */
import type {
  Consumer as ClientConsumer,
  Kafka as ClientKafka,
  RebalanceListener,
  TopicPartition,
} from '@millrace/client'
import { clientLogger, type Logger } from '../logger.ts'
import type { Retry } from '../retry.ts'
import { assignorFrom, PartitionAssigners } from './assigners.ts'
import type { ConsumerConfig } from './consumer-config.ts'
import type { GroupJoin } from './group-join.ts'

export type BytesConsumer = ClientConsumer<Uint8Array, Uint8Array>

export interface ClientConsumerOptions {
  readonly kafka: ClientKafka
  readonly config: ConsumerConfig & { readonly sessionTimeout: number; readonly heartbeatInterval: number }
  readonly topics: readonly string[]
  readonly offsetReset: 'earliest' | 'latest'
  readonly retry: Retry
  readonly logger: Logger
  readonly join: GroupJoin
  readonly onRebalance: RebalanceListener
  readonly onError: (error: Error) => void
}

/** KafkaJS hands out what a fetch brought for a partition. */
const MAX_BATCH_RECORDS = 10_000
/** KafkaJS knows no limit between two polls, but a member that hangs must not hold up its group for ever. */
const MIN_POLL_INTERVAL_MS = 300_000

export function openClientConsumer(options: ClientConsumerOptions): BytesConsumer {
  const { kafka, config, topics, offsetReset, retry, logger, join, onRebalance, onError } = options
  const { groupId, partitionAssigners = [PartitionAssigners.roundRobin] } = config
  return kafka.consumer<Uint8Array, Uint8Array>({
    groupId,
    topics,
    groupProtocol: 'classic',
    partitionAssignmentStrategy: partitionAssigners.map((create) => assignorFrom(create, { groupId, logger, join })),
    enableAutoCommit: false,
    offsetReset,
    isolationLevel: config.readUncommitted === true ? 'read_uncommitted' : 'read_committed',
    sessionTimeoutMs: config.sessionTimeout,
    heartbeatIntervalMs: config.heartbeatInterval,
    maxPollIntervalMs: Math.max(config.rebalanceTimeout ?? 60_000, MIN_POLL_INTERVAL_MS),
    maxPollRecords: MAX_BATCH_RECORDS,
    maxPartitionFetchBytes: config.maxBytesPerPartition ?? 1_048_576,
    fetchMinBytes: config.minBytes ?? 1,
    fetchMaxBytes: config.maxBytes ?? 10_485_760,
    fetchMaxWaitMs: config.maxWaitTimeInMs ?? 5_000,
    clientRack: config.rackId ?? '',
    retryBackoffMs: retry.initialRetryTime,
    retryBackoffMaxMs: retry.maxRetryTime,
    logger: clientLogger(logger),
    metadataMaxAgeMs: config.metadataMaxAge,
    allowAutoCreateTopics: config.allowAutoTopicCreation,
    onRebalance,
    onError,
  })
}

export function isAssigned(client: BytesConsumer, { topic, partition }: TopicPartition): boolean {
  return client.assignment().some((one) => one.topic === topic && one.partition === partition)
}
