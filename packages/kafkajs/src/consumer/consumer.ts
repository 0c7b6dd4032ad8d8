/** KafkaJS's consumer. */
import { describeGroup, type GroupDescription } from '../admin/groups.ts'
import { firstFailure } from '../admin/partial-failures.ts'
import type { Connections } from '../connections.ts'
import { KafkaJSNonRetriableError } from '../errors.ts'
import type { Listening } from '../event-types.ts'
import { InstrumentationEvents, type Listener } from '../events.ts'
import type { Logger } from '../logger.ts'
import { forwardRequests } from '../network-events.ts'
import { retryFrom } from '../retry.ts'
import { translated } from '../translate-error.ts'
import type { ConsumerConfig } from './consumer-config.ts'
import { consumerEventNames, type ConsumerEvents } from './consumer-events.ts'
import { ConsumerRun } from './consumer-run.ts'
import type { ConsumerRunConfig, TopicPartitionOffset, TopicPartitionOffsetAndMetadata } from './handlers.ts'
import { PausedPartitions, type TopicPartitions, type TopicSelection } from './paused-partitions.ts'
import { committableFrom, seekTargetOf } from './places.ts'

export interface ConsumerSubscribeTopics {
  topics: (string | RegExp)[]
  fromBeginning?: boolean
}

export interface ConsumerSubscribeTopic {
  topic: string | RegExp
  fromBeginning?: boolean
}

export interface Consumer {
  connect(): Promise<void>
  disconnect(): Promise<void>
  subscribe(subscription: ConsumerSubscribeTopics | ConsumerSubscribeTopic): Promise<void>
  /** Leaves the group; `run` may be called again. */
  stop(): Promise<void>
  /** Resolves when the consumer is a member of its group. */
  run(config?: ConsumerRunConfig): Promise<void>
  commitOffsets(topicPartitions: TopicPartitionOffsetAndMetadata[]): Promise<void>
  seek(topicPartitionOffset: TopicPartitionOffset): void
  describeGroup(): Promise<GroupDescription>
  pause(topics: TopicSelection[]): void
  paused(): TopicPartitions[]
  resume(topics: TopicSelection[]): void
  readonly on: Listening<ConsumerEvents>
  logger(): Logger
  readonly events: ConsumerEvents
}

export function createConsumer(connections: Connections, config: ConsumerConfig, rootLogger: Logger): Consumer {
  const { groupId, sessionTimeout = 30_000, heartbeatInterval = 3_000 } = config
  if (!groupId) throw new KafkaJSNonRetriableError('Consumer groupId must be a non-empty string.')
  if (heartbeatInterval >= sessionTimeout)
    throw new KafkaJSNonRetriableError(
      `Consumer heartbeatInterval (${heartbeatInterval}) must be lower than sessionTimeout (${sessionTimeout}). It is recommended to set heartbeatInterval to approximately a third of the sessionTimeout.`,
    )
  const logger = rootLogger.namespace('Consumer')
  const events = new InstrumentationEvents(consumerEventNames, logger)
  // As with KafkaJS, a consumer has repetitions of its own, whatever `new Kafka` says of them.
  const retry = retryFrom(connections.retry, config.retry ?? { retries: 5 })
  /** Whether to begin at the beginning, by topic. */
  const topics = new Map<string, boolean>()
  const paused = new PausedPartitions()
  let run: ConsumerRun | null = null
  let stopForwarding: (() => void) | null = null

  const running = (method: string): ConsumerRun => {
    if (run === null)
      throw new KafkaJSNonRetriableError(
        `Consumer group was not initialized, consumer#run must be called first (${method})`,
      )
    return run
  }

  let stopping: Promise<void> | null = null
  /** Called again meanwhile, it waits for the same end. */
  const stop = (): Promise<void> => {
    const ending = run
    if (ending === null) return stopping ?? Promise.resolve()
    return (stopping ??= translated(ending.stop())
      .then(() => {
        if (run === ending) run = null
        events.emit(consumerEventNames.STOP)
        logger.info('Stopped', { groupId })
      })
      .finally(() => {
        stopping = null
      }))
  }

  return {
    events: consumerEventNames,
    on: (eventName: string, listener: Listener) => events.on(eventName, listener),
    logger: () => logger,

    async connect() {
      await translated(connections.connect())
      stopForwarding ??= forwardRequests(connections.clientId, (error, payload) =>
        events.emit(error ? consumerEventNames.REQUEST_TIMEOUT : consumerEventNames.REQUEST, payload),
      )
      events.emit(consumerEventNames.CONNECT)
    },

    async disconnect() {
      await stop()
      stopForwarding?.()
      stopForwarding = null
      events.emit(consumerEventNames.DISCONNECT)
    },

    async subscribe(subscription) {
      if (run !== null) throw new KafkaJSNonRetriableError('Cannot subscribe to topic while consumer is running')
      const names = await translated(topicsOf(subscription, connections))
      if (config.allowAutoTopicCreation === false) await checkExisting(names, connections)
      for (const topic of names) topics.set(topic, subscription.fromBeginning === true)
    },

    stop,

    async run(runConfig = {}) {
      if (run !== null) {
        logger.warn('consumer#run was called, but the consumer is already running', { groupId })
        return
      }
      paused.clear()
      const starting = new ConsumerRun({
        kafka: connections.kafka(),
        config: { ...config, sessionTimeout, heartbeatInterval },
        runConfig,
        topics,
        paused,
        retry,
        events,
        logger,
      })
      run = starting
      logger.info('Starting', { groupId })
      void starting.ended.then(() => {
        if (run === starting) run = null
      })
      await starting.joined
    },

    async commitOffsets(offsets = []) {
      const wanted = offsets.map(committableFrom)
      await translated(running('commitOffsets').commit(wanted))
    },
    seek: (topicPartitionOffset) => {
      const target = seekTargetOf(topicPartitionOffset)
      running('seek').seek(topicPartitionOffset, target)
    },

    async describeGroup() {
      await using admin = connections.kafka().admin()
      return await describeGroup(admin, groupId)
    },

    pause(selections = []) {
      checkSelections(selections, 'pause')
      const present = running('pause')
      paused.pause(selections)
      present.applyPauses()
    },
    paused: () => (run === null ? [] : paused.list(run.assignment())),
    resume(selections = []) {
      checkSelections(selections, 'resume')
      const present = running('resume')
      paused.resume(selections)
      present.applyPauses()
    },
  }
}

/** The names subscribed to; patterns stand for the topics that there are now. */
async function topicsOf(
  subscription: ConsumerSubscribeTopics | ConsumerSubscribeTopic,
  connections: Connections,
): Promise<string[]> {
  const { topic, topics } = subscription as Partial<ConsumerSubscribeTopics & ConsumerSubscribeTopic>
  if (topic === undefined && topics === undefined)
    throw new KafkaJSNonRetriableError('Missing required argument "topics"')
  if (topics !== undefined && !Array.isArray(topics))
    throw new KafkaJSNonRetriableError('Argument "topics" must be an array')
  const wanted = topics ?? [topic!]
  for (const one of wanted)
    if (typeof one !== 'string' && !(one instanceof RegExp))
      throw new KafkaJSNonRetriableError(
        `Invalid topic ${String(one)} (${typeof one}), the topic name has to be a String or a RegExp`,
      )
  if (!wanted.some((one) => one instanceof RegExp)) return wanted as string[]
  await using admin = connections.kafka().admin()
  const existing = (await admin.listTopics()).map(({ name }) => name)
  return wanted.flatMap((one) => (typeof one === 'string' ? [one] : existing.filter((name) => name.search(one) >= 0)))
}

/** @throws KafkaJSProtocolError UNKNOWN_TOPIC_OR_PARTITION for a topic that there is not. */
async function checkExisting(names: readonly string[], connections: Connections): Promise<void> {
  await using admin = connections.kafka().admin()
  await firstFailure(admin.describeTopics(names))
}

function checkSelections(selections: readonly TopicSelection[], what: 'pause' | 'resume'): void {
  for (const selection of selections) {
    if (!selection?.topic) throw new KafkaJSNonRetriableError(`Invalid topic ${String(selection?.topic)}`)
    const { partitions } = selection
    if (partitions !== undefined && (!Array.isArray(partitions) || partitions.some((one) => Number.isNaN(Number(one)))))
      throw new KafkaJSNonRetriableError(
        `Array of valid partitions required to ${what} specific partitions instead of ${String(partitions)}`,
      )
  }
}
