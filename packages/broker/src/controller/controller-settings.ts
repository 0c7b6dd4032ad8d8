import { validateConfigs } from '../config/alter-configs.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import { ResourceType } from '../config/config-resources.ts'
import { TopicConfig } from '../config/topic-configs.ts'
import type { ConfigEntries, MetadataImage } from '../metadata/image.ts'

/** What the controller takes from the broker's configuration. Functions, because some of it changes while the broker runs. */
export interface ControllerSettings {
  /** `num.partitions` */
  defaultPartitions(): number
  /** `default.replication.factor` */
  defaultReplicationFactor(): number
  /** `unclean.leader.election.enable` in force for the topic. */
  allowsUncleanElection(image: MetadataImage, topic: string): boolean
  /** @throws KafkaError INVALID_CONFIG when one of a topic's own settings is unknown or has a bad value, or they contradict each other. */
  validateTopicConfigs(topic: string, configs: ConfigEntries): void
}

export function controllerSettings(config: BrokerConfig): ControllerSettings {
  return {
    defaultPartitions: () => config.get('num.partitions'),
    defaultReplicationFactor: () => config.get('default.replication.factor'),
    allowsUncleanElection: (image, topic) =>
      new TopicConfig(config, image.configs('topics', topic)).get('unclean.leader.election.enable'),
    validateTopicConfigs: (name, configs) => validateConfigs(config, { type: ResourceType.TOPIC, name }, configs),
  }
}
