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
