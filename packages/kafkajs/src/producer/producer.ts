/** KafkaJS's producer. */
import {
  ErrorCode,
  type Producer as ClientProducer,
  type ProducerRecord as ClientRecord,
  type RecordMetadata as ClientMetadata,
} from '@millrace/client'
import type { Connections } from '../connections.ts'
import { KafkaJSError, KafkaJSNonRetriableError } from '../errors.ts'
import type { Listening } from '../event-types.ts'
import { InstrumentationEvents, type Listener } from '../events.ts'
import type { Logger } from '../logger.ts'
import { recordFrom, type Bytes, type Message } from '../message.ts'
import { forwardRequests } from '../network-events.ts'
import { budgetMs, retryFrom, type RetryOptions } from '../retry.ts'
import { exceeding, protocolError, translated, translateError } from '../translate-error.ts'
import { compressionName, CompressionTypes } from './compression.ts'
import {
  defaultPartitioner,
  partitionMetadata,
  type ICustomPartitioner,
  type PartitionMetadata,
} from './partitioners.ts'
import { createTransaction, type Transaction } from './transaction.ts'

export interface ProducerConfig {
  createPartitioner?: ICustomPartitioner
  retry?: RetryOptions
  metadataMaxAge?: number
  allowAutoTopicCreation?: boolean
  idempotent?: boolean
  transactionalId?: string
  transactionTimeout?: number
  /** Requests on their way to one broker. Default 5, where KafkaJS has no bound. */
  maxInFlightRequests?: number
}

export interface ProducerRecord {
  topic: string
  messages: Message[]
  acks?: number
  /** Without effect: the client's `requestTimeout` holds. */
  timeout?: number
  compression?: CompressionTypes
}

export interface TopicMessages {
  topic: string
  messages: Message[]
}

export interface ProducerBatch {
  acks?: number
  /** Without effect: the client's `requestTimeout` holds. */
  timeout?: number
  compression?: CompressionTypes
  topicMessages?: TopicMessages[]
}

/** Of the records that one call wrote to one partition. */
export interface RecordMetadata {
  topicName: string
  partition: number
  errorCode: number
  baseOffset?: string
  logAppendTime?: string
  /** Not told, as the two of brokers before Kafka 0.11. */
  logStartOffset?: string
  offset?: string
  timestamp?: string
}

export interface Sender {
  send(record: ProducerRecord): Promise<RecordMetadata[]>
  sendBatch(batch: ProducerBatch): Promise<RecordMetadata[]>
}

const eventNames = {
  CONNECT: 'producer.connect',
  DISCONNECT: 'producer.disconnect',
  REQUEST: 'producer.network.request',
  REQUEST_TIMEOUT: 'producer.network.request_timeout',
  REQUEST_QUEUE_SIZE: 'producer.network.request_queue_size',
} as const
export type ProducerEvents = typeof eventNames

export interface Producer extends Sender {
  connect(): Promise<void>
  disconnect(): Promise<void>
  isIdempotent(): boolean
  readonly events: ProducerEvents
  readonly on: Listening<ProducerEvents>
  transaction(): Promise<Transaction>
  logger(): Logger
}

type Underlying = ClientProducer<ClientRecord<Bytes, Bytes>>

/** Bytes of a batch: what one call sends to a partition goes out as one, as with KafkaJS. */
const BATCH_SIZE = 1024 * 1024
/** KafkaJS has no bound of its own; the broker has. */
const MAX_REQUEST_SIZE = 100 * 1024 * 1024

export function createProducer(connections: Connections, config: ProducerConfig, rootLogger: Logger): Producer {
  const { idempotent = false, transactionalId, transactionTimeout = 60_000, createPartitioner } = config
  const logger = rootLogger.namespace('Producer')
  const retry = retryFrom(connections.retry, config.retry)
  if (idempotent && retry.retries < 1)
    throw new KafkaJSNonRetriableError('Idempotent producer must allow retries to protect against transient errors')
  const events = new InstrumentationEvents(eventNames, logger)
  const partitioner = createPartitioner?.()
  const roundRobinWithoutKey = defaultPartitioner()
  /** By what KafkaJS lets each call choose and the client a producer: acks and codec. */
  const producers = new Map<string, Underlying>()
  let transactional: Underlying | null = null
  let isInTransaction = false
  let status: 'new' | 'connected' | 'disconnected' = 'new'
  let stopForwarding: (() => void) | null = null

  const open = (own: { acks: -1 | 0 | 1; compression: CompressionTypes; transactionalId?: string }): Underlying =>
    connections.kafka().producer({
      acks: own.acks,
      compressionType: compressionName(own.compression),
      enableIdempotence: idempotent || own.transactionalId !== undefined,
      retries: idempotent || own.transactionalId !== undefined ? 0x7fff_ffff : retry.retries,
      retryBackoffMs: retry.initialRetryTime,
      retryBackoffMaxMs: retry.maxRetryTime,
      lingerMs: 0,
      partitioner: roundRobinWithoutKey,
      batchSize: BATCH_SIZE,
      maxRequestSize: MAX_REQUEST_SIZE,
      transactionTimeoutMs: transactionTimeout,
      ...(own.transactionalId === undefined ? {} : { transactionalId: own.transactionalId }),
      ...(config.metadataMaxAge === undefined ? {} : { metadataMaxAgeMs: config.metadataMaxAge }),
      ...(config.allowAutoTopicCreation === undefined ? {} : { allowAutoCreateTopics: config.allowAutoTopicCreation }),
      ...(config.maxInFlightRequests ? { maxInFlightRequestsPerConnection: config.maxInFlightRequests } : {}),
    }) as Underlying

  const producerFor = (acks: number, compression: CompressionTypes): Underlying => {
    if (acks !== -1 && acks !== 0 && acks !== 1)
      throw new KafkaJSNonRetriableError(`Invalid acks ${acks}: expected -1, 0 or 1`)
    const identity = `${acks} ${compression}`
    const producer = producers.get(identity) ?? open({ acks, compression })
    producers.set(identity, producer)
    return producer
  }

  const partitionsOf = async (producer: Underlying, topic: string): Promise<PartitionMetadata[]> =>
    (await producer.partitionsFor(topic)).map(partitionMetadata)

  const recordsOf = async (
    producer: Underlying,
    topicMessages: readonly TopicMessages[],
  ): Promise<ClientRecord<Bytes, Bytes>[]> => {
    const records: ClientRecord<Bytes, Bytes>[] = []
    for (const { topic, messages } of topicMessages) {
      const partitionMetadata = partitioner === undefined ? [] : await partitionsOf(producer, topic)
      for (const message of messages)
        records.push(recordFrom(topic, message, partitioner?.({ topic, partitionMetadata, message })))
    }
    return records
  }

  /** Of topics that nobody creates by sending: those that have been there. */
  const existing = new Set<string>()
  const checkExisting = async (producer: Underlying, topic: string): Promise<void> => {
    if (existing.has(topic)) return
    const signal = AbortSignal.timeout(budgetMs(retry))
    try {
      await producer.partitionsFor(topic, { signal })
      existing.add(topic)
    } catch (error) {
      if (!signal.aborted) throw error
      throw protocolError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `${topic}: there is no such topic`)
    }
  }

  const sendThrough = async (
    producer: Underlying,
    acks: number,
    topicMessages: readonly TopicMessages[],
  ): Promise<RecordMetadata[]> => {
    if (config.allowAutoTopicCreation === false)
      for (const { topic } of topicMessages) await checkExisting(producer, topic)
    const sent = await producer.sendAll(await recordsOf(producer, topicMessages))
    return acks === 0 ? [] : byPartition(sent)
  }

  const sendBatch = async ({
    acks = -1,
    compression = CompressionTypes.None,
    topicMessages = [],
  }: ProducerBatch): Promise<RecordMetadata[]> => {
    checkMessages(topicMessages)
    if (idempotent && acks !== -1)
      throw new KafkaJSNonRetriableError(
        "Not requiring ack for all messages invalidates the idempotent producer's EoS guarantees",
      )
    checkConnected()
    return await exceeding(retry, sendThrough(producerFor(acks, compression), acks, topicMessages))
  }

  const checkConnected = (): void => {
    if (status === 'new')
      throw new KafkaJSError('The producer is disconnected: call connect first', { retriable: false })
    if (status === 'disconnected') throw new KafkaJSError('The producer is disconnected')
  }

  return {
    events: eventNames,
    on: (eventName: string, listener: Listener) => events.on(eventName, listener),
    logger: () => logger,
    isIdempotent: () => idempotent,

    async connect() {
      await translated(connections.connect())
      stopForwarding ??= forwardRequests(connections.clientId, (isTimeout, payload) =>
        events.emit(isTimeout ? eventNames.REQUEST_TIMEOUT : eventNames.REQUEST, payload),
      )
      status = 'connected'
      events.emit(eventNames.CONNECT)
    },

    async disconnect() {
      status = 'disconnected'
      const open_ = [...producers.values(), ...(transactional === null ? [] : [transactional])]
      producers.clear()
      transactional = null
      await translated(Promise.all(open_.map((producer) => producer.close())))
      stopForwarding?.()
      stopForwarding = null
      events.emit(eventNames.DISCONNECT)
    },

    send: ({ topic, messages, ...rest }) => sendBatch({ ...rest, topicMessages: [{ topic, messages }] }),
    sendBatch,

    async transaction() {
      if (transactionalId === undefined || transactionalId === '')
        throw new KafkaJSNonRetriableError('Must provide transactional id for transactional producer')
      checkConnected()
      if (isInTransaction)
        throw new KafkaJSNonRetriableError(
          'There is already an ongoing transaction for this producer. Please end the transaction before beginning another.',
        )
      isInTransaction = true
      try {
        if (transactional === null) {
          const producer = open({ acks: -1, compression: CompressionTypes.None, transactionalId })
          await translated(producer.initTransactions())
          transactional = producer
        }
        transactional.beginTransaction()
      } catch (error) {
        isInTransaction = false
        throw translateError(error)
      }
      const producer = transactional
      return createTransaction({
        producer,
        send: (topicMessages) => {
          checkMessages(topicMessages)
          return exceeding(retry, sendThrough(producer, -1, topicMessages))
        },
        ended: () => {
          isInTransaction = false
        },
      })
    },
  }
}

/** @throws KafkaJSNonRetriableError */
function checkMessages(topicMessages: readonly TopicMessages[]): void {
  for (const { topic, messages } of topicMessages) {
    if (!topic) throw new KafkaJSNonRetriableError('Invalid topic')
    if (!Array.isArray(messages))
      throw new KafkaJSNonRetriableError(`Invalid messages array [${String(messages)}] for topic "${topic}"`)
    const lacking = messages.find(({ value }) => value === undefined)
    if (lacking !== undefined)
      throw new KafkaJSNonRetriableError(
        `Invalid message without value for topic "${topic}": ${JSON.stringify(lacking)}`,
      )
  }
}

function byPartition(sent: readonly ClientMetadata[]): RecordMetadata[] {
  const first = new Map<string, ClientMetadata>()
  for (const metadata of sent) {
    const name = `${metadata.topic} ${metadata.partition}`
    const known = first.get(name)
    if (known === undefined || metadata.offset < known.offset) first.set(name, metadata)
  }
  return [...first.values()].map(({ topic, partition, offset }) => ({
    topicName: topic,
    partition,
    errorCode: 0,
    baseOffset: offset.toString(),
    logAppendTime: '-1',
  }))
}
