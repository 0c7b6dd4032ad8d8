/** How topics are created that nobody created: on first use by a client or by a coordinator. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { BrokerConfigName } from '../config/broker-configs.ts'
import type { BrokerServices } from '../server/broker-services.ts'
import type { NewTopic } from './create-topics.ts'
import { OFFSETS_TOPIC, SHARE_STATE_TOPIC, TRANSACTION_STATE_TOPIC } from './topic-names.ts'

/** How long to wait for a topic that is being created; after that the client asks again. */
const CREATION_PATIENCE_MS = 2000

type Services = Pick<BrokerServices, 'config' | 'controller' | 'logger' | 'metadata'>

/**
 * Creates the topics that are missing, and waits a moment until they are in the metadata. Whatever goes wrong is logged, and shows as a
 * topic that is still missing.
 */
export async function createAutomatically(names: readonly string[], broker: Services): Promise<void> {
  const { metadata, controller, logger } = broker
  try {
    const created = await controller.createTopics(
      names.map((name) => automaticTopic(name, broker)),
      { validateOnly: false, timeoutMs: CREATION_PATIENCE_MS },
    )
    // Created by somebody else a moment ago, and not visible yet.
    const awaited = created.filter(({ errorCode }) => errorCode === ErrorCode.TOPIC_ALREADY_EXISTS)
    if (awaited.length > 0)
      await metadata.waitFor(({ topics }) => awaited.every(({ name }) => topics.has(name)), CREATION_PATIENCE_MS)
    for (const { name, errorCode, errorMessage } of created)
      if (errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.TOPIC_ALREADY_EXISTS)
        logger.warn(`topic ${name} could not be created automatically: ${errorMessage ?? errorCode}`)
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    logger.warn(`${names.length} topics could not be created automatically: ${error.message}`)
  }
}

/**
 * The request that creates `name` with the broker's defaults, or with what a coordinator needs when it is an internal topic's. Numbers of
 * replicas that nobody has set are not more than there are brokers: see docs/decisions/0009.
 */
function automaticTopic(name: string, { config, metadata }: Services): NewTopic {
  const replicas = (setting: BrokerConfigName & `${string}.${'replication.factor' | 'min.isr'}`): number => {
    const count = config.get(setting) as number
    if (config.isSet(setting)) return count
    const alive = [...metadata.image.brokers.values()].filter(({ fenced }) => !fenced).length
    return Math.min(count, Math.max(1, alive))
  }
  switch (name) {
    case OFFSETS_TOPIC:
      return {
        ...withoutAssignments(name),
        numPartitions: config.get('offsets.topic.num.partitions'),
        replicationFactor: replicas('offsets.topic.replication.factor'),
        configs: entries({
          'cleanup.policy': 'compact',
          'compression.type': 'producer',
          'segment.bytes': config.get('offsets.topic.segment.bytes'),
        }),
      }
    case TRANSACTION_STATE_TOPIC:
      return {
        ...withoutAssignments(name),
        numPartitions: config.get('transaction.state.log.num.partitions'),
        replicationFactor: replicas('transaction.state.log.replication.factor'),
        configs: entries({
          'unclean.leader.election.enable': 'false',
          'compression.type': 'uncompressed',
          'cleanup.policy': 'compact',
          'min.insync.replicas': replicas('transaction.state.log.min.isr'),
          'segment.bytes': config.get('transaction.state.log.segment.bytes'),
        }),
      }
    case SHARE_STATE_TOPIC:
      return {
        ...withoutAssignments(name),
        numPartitions: config.get('share.coordinator.state.topic.num.partitions'),
        replicationFactor: replicas('share.coordinator.state.topic.replication.factor'),
        configs: entries({
          'cleanup.policy': 'delete',
          'compression.type': 'producer',
          'segment.bytes': config.get('share.coordinator.state.topic.segment.bytes'),
          'min.insync.replicas': replicas('share.coordinator.state.topic.min.isr'),
          'retention.ms': -1,
        }),
      }
    default:
      return { ...withoutAssignments(name), configs: [] }
  }
}

function withoutAssignments(name: string): Omit<NewTopic, 'configs'> {
  return { name, numPartitions: -1, replicationFactor: -1, assignments: [] }
}

function entries(values: Readonly<Record<string, string | number>>): NewTopic['configs'] {
  return Object.entries(values).map(([name, value]) => ({ name, value: String(value) }))
}
