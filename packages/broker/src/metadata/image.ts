/**
 * What a broker knows of the cluster at one moment. Immutable: a change makes a new image that shares all that did not change, so
 * `previous.topics.get(name) === image.topics.get(name)` says that nothing of the topic changed, and likewise for its partitions.
 */
import type { FeaturesImage, LevelRange } from './features.ts'
import type { PersistentMap } from './persistent-map.ts'

export interface PartitionImage {
  /** Node id of the leader, −1 when there is none. */
  readonly leader: number
  readonly leaderEpoch: number
  /** Version of the partition's state in the coordination tree; rises with every change of the state. */
  readonly partitionEpoch: number
  /** In order of preference: the first is the preferred leader. */
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly addingReplicas: readonly number[]
  readonly removingReplicas: readonly number[]
  /** True after an unclean election until the leader has said that it has recovered. */
  readonly leaderRecovering: boolean
}

export interface TopicImage {
  readonly name: string
  /** 22 characters of URL-safe base64. */
  readonly id: string
  /** Index = partition number; no gaps. */
  readonly partitions: readonly PartitionImage[]
}

export interface EndpointImage {
  readonly host: string
  readonly port: number
  /** PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL. */
  readonly securityProtocol: string
}

export interface BrokerImage {
  readonly id: number
  /** Changes with every registration of the broker. */
  readonly epoch: bigint
  readonly rack: string | null
  /** By listener name (upper case), in the order of the broker's configuration. */
  readonly endpoints: ReadonlyMap<string, EndpointImage>
  /** A fenced broker is registered but may neither lead nor join an ISR, and clients are not sent to it. */
  readonly fenced: boolean
  /** Levels it supports, by feature. */
  readonly features: ReadonlyMap<string, LevelRange>
}

/** What configurations belong to: the names of the folders under `/config` in the coordination tree. */
export type ConfigEntityType = 'topics' | 'brokers' | 'groups' | 'client-metrics' | 'users' | 'clients' | 'ips'

/** `type/name`, the name '' being the default entity. For users' clients the name is `user/clients/client`. */
export type ConfigEntityKey = `${ConfigEntityType}/${string}`

export type ConfigEntries = ReadonlyMap<string, string>

export interface MetadataImage {
  /** Rises by one with each change. 0: nothing is known yet. */
  readonly version: number
  /** '' while nothing is known. */
  readonly clusterId: string
  /** −1 while there is none. */
  readonly controllerId: number
  readonly features: FeaturesImage
  readonly brokers: ReadonlyMap<number, BrokerImage>
  readonly topics: ReadonlyMap<string, TopicImage>
  topicNameById(id: string): string | undefined
  topicById(id: string): TopicImage | undefined
  /** undefined when the topic or the partition does not exist. */
  partition(topic: string, partition: number): PartitionImage | undefined
  /** The dynamic configuration of an entity, '' naming the default entity of the type; empty when it has none. */
  configs(type: ConfigEntityType, name: string): ConfigEntries
  /** Names of the entities of a type that have a dynamic configuration ('' the default one). O(entities of all types). */
  configNames(type: ConfigEntityType): string[]
}

/** What makes one image from another. A value of null takes the thing away. */
export interface MetadataDelta {
  readonly clusterId?: string
  readonly controllerId?: number
  readonly features?: FeaturesImage
  readonly brokers?: ReadonlyMap<number, BrokerImage | null>
  readonly topics?: ReadonlyMap<string, TopicImage | null>
  readonly configs?: ReadonlyMap<ConfigEntityKey, ConfigEntries | null>
}

interface Parts {
  readonly version: number
  readonly clusterId: string
  readonly controllerId: number
  readonly features: FeaturesImage
  readonly brokers: ReadonlyMap<number, BrokerImage>
  readonly topics: PersistentMap<string, TopicImage>
  readonly namesById: PersistentMap<string, string>
  readonly configs: PersistentMap<string, ConfigEntries>
}

const NO_CONFIGS: ConfigEntries = new Map()

/** The one implementation. Make the first with `emptyImage`, others with `applyDelta`. */
export class SharedImage implements MetadataImage {
  readonly version: number
  readonly clusterId: string
  readonly controllerId: number
  readonly features: FeaturesImage
  readonly brokers: ReadonlyMap<number, BrokerImage>
  readonly topics: PersistentMap<string, TopicImage>
  readonly namesById: PersistentMap<string, string>
  readonly configEntities: PersistentMap<string, ConfigEntries>

  constructor(parts: Parts) {
    this.version = parts.version
    this.clusterId = parts.clusterId
    this.controllerId = parts.controllerId
    this.features = parts.features
    this.brokers = parts.brokers
    this.topics = parts.topics
    this.namesById = parts.namesById
    this.configEntities = parts.configs
  }

  topicNameById(id: string): string | undefined {
    return this.namesById.get(id)
  }

  topicById(id: string): TopicImage | undefined {
    const name = this.namesById.get(id)
    return name === undefined ? undefined : this.topics.get(name)
  }

  partition(topic: string, partition: number): PartitionImage | undefined {
    return this.topics.get(topic)?.partitions[partition]
  }

  configs(type: ConfigEntityType, name: string): ConfigEntries {
    return this.configEntities.get(`${type}/${name}`) ?? NO_CONFIGS
  }

  configNames(type: ConfigEntityType): string[] {
    const names: string[] = []
    for (const key of this.configEntities.keys())
      if (key.startsWith(type) && key[type.length] === '/') names.push(key.slice(type.length + 1))
    return names
  }
}
