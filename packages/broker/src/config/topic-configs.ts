/** A topic's configuration: its own settings over those of the broker, by other names and in coarser units. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { CompressionType, LogConfig } from '@millrace/storage'
import { brokerSynonyms, type BrokerConfigName, type BrokerConfigReader } from './broker-configs.ts'
import type { ConfigTexts } from './broker-config.ts'
import type { ConfigDefinition, ConfigValue, ValueOf } from './config-definition.ts'
import { configText, parseConfig } from './config-value.ts'
import { topicConfigs } from './definitions/topic.ts'
import { logFlushMs, logRetentionMs, logRollJitterMs, logRollMs } from './derived.ts'

export type TopicConfigName = keyof typeof topicConfigs
type TopicConfigValue<N extends TopicConfigName> = ValueOf<(typeof topicConfigs)[N]>

/** The broker setting a topic's falls back to, the first of its names; those without one are not here. */
const brokerNames: { readonly [N in TopicConfigName]?: BrokerConfigName } = {
  'cleanup.policy': 'log.cleanup.policy',
  'compression.type': 'compression.type',
  'compression.gzip.level': 'compression.gzip.level',
  'compression.lz4.level': 'compression.lz4.level',
  'compression.zstd.level': 'compression.zstd.level',
  'delete.retention.ms': 'log.cleaner.delete.retention.ms',
  'file.delete.delay.ms': 'log.segment.delete.delay.ms',
  'flush.messages': 'log.flush.interval.messages',
  'flush.ms': 'log.flush.interval.ms',
  'index.interval.bytes': 'log.index.interval.bytes',
  'local.retention.bytes': 'log.local.retention.bytes',
  'local.retention.ms': 'log.local.retention.ms',
  'max.compaction.lag.ms': 'log.cleaner.max.compaction.lag.ms',
  'max.message.bytes': 'message.max.bytes',
  'message.timestamp.after.max.ms': 'log.message.timestamp.after.max.ms',
  'message.timestamp.before.max.ms': 'log.message.timestamp.before.max.ms',
  'message.timestamp.type': 'log.message.timestamp.type',
  'min.cleanable.dirty.ratio': 'log.cleaner.min.cleanable.ratio',
  'min.compaction.lag.ms': 'log.cleaner.min.compaction.lag.ms',
  'min.insync.replicas': 'min.insync.replicas',
  preallocate: 'log.preallocate',
  'retention.bytes': 'log.retention.bytes',
  'retention.ms': 'log.retention.ms',
  'segment.bytes': 'log.segment.bytes',
  'segment.index.bytes': 'log.index.size.max.bytes',
  'segment.jitter.ms': 'log.roll.jitter.ms',
  'segment.ms': 'log.roll.ms',
  'unclean.leader.election.enable': 'unclean.leader.election.enable',
}

/** The broker's names for a topic setting, in the order in which they are looked at; empty when the broker has none. */
export function topicConfigSynonyms(name: TopicConfigName): readonly string[] {
  const first = brokerNames[name]
  return first === undefined ? [] : brokerSynonyms(first)
}

export function isTopicConfig(name: string): name is TopicConfigName {
  return Object.hasOwn(topicConfigs, name)
}

/** Effective values of a topic's settings. */
export class TopicConfig {
  readonly #broker: BrokerConfigReader
  readonly #own = new Map<string, { readonly value: NonNullable<ConfigValue>; readonly text: string }>()

  /** Overrides with unknown names or values that cannot be read are left out: they have been refused when they came in. */
  constructor(broker: BrokerConfigReader, overrides: ConfigTexts) {
    this.#broker = broker
    for (const [name, text] of overrides) {
      if (!isTopicConfig(name)) continue
      const parsed = parseConfig(name, topicConfigs[name], text)
      if (parsed.problem === null) this.#own.set(name, parsed)
    }
  }

  isOwn(name: string): boolean {
    return this.#own.has(name)
  }

  get<N extends TopicConfigName>(name: N): TopicConfigValue<N> {
    return (this.#own.get(name)?.value ?? this.#fallback(name)) as TopicConfigValue<N>
  }

  /** As clients see it; null when there is no value. */
  text(name: TopicConfigName): string | null {
    const own = this.#own.get(name)
    if (own !== undefined) return own.text
    const definition: ConfigDefinition = topicConfigs[name]
    const value = this.#fallback(name)
    // The default of a LONG may be beyond what a number holds; its text is not.
    return value === null || value === definition.default ? definition.defaultText : configText(definition.type, value)
  }

  #fallback(name: TopicConfigName): ConfigValue {
    switch (name) {
      case 'segment.ms':
        return logRollMs(this.#broker)
      case 'segment.jitter.ms':
        return logRollJitterMs(this.#broker)
      case 'retention.ms':
        return logRetentionMs(this.#broker)
      case 'flush.ms':
        return logFlushMs(this.#broker)
      default: {
        const brokerName = brokerNames[name]
        return brokerName === undefined ? topicConfigs[name].default : this.#broker.get(brokerName)
      }
    }
  }
}

/** What a topic's logs need of its configuration. */
export function topicLogConfig(broker: BrokerConfigReader, overrides: ConfigTexts): LogConfig {
  const config = new TopicConfig(broker, overrides)
  const policies = config.get('cleanup.policy')
  return {
    segmentBytes: config.get('internal.segment.bytes') ?? config.get('segment.bytes'),
    segmentMs: config.get('segment.ms'),
    segmentJitterMs: config.get('segment.jitter.ms'),
    segmentIndexBytes: config.get('segment.index.bytes'),
    indexIntervalBytes: config.get('index.interval.bytes'),
    maxMessageBytes: config.get('max.message.bytes'),
    retentionMs: config.get('retention.ms'),
    retentionBytes: config.get('retention.bytes'),
    cleanupPolicies: { compact: policies.includes('compact'), delete: policies.includes('delete') },
    flushMessages: config.get('flush.messages'),
    flushMs: config.get('flush.ms'),
    fileDeleteDelayMs: config.get('file.delete.delay.ms'),
    preallocate: config.get('preallocate'),
    deleteRetentionMs: config.get('delete.retention.ms'),
    minCleanableDirtyRatio: config.get('min.cleanable.dirty.ratio'),
    minCompactionLagMs: config.get('min.compaction.lag.ms'),
    maxCompactionLagMs: config.get('max.compaction.lag.ms'),
    messageTimestampType: config.get('message.timestamp.type') as LogConfig['messageTimestampType'],
    messageTimestampBeforeMaxMs: config.get('message.timestamp.before.max.ms'),
    messageTimestampAfterMaxMs: config.get('message.timestamp.after.max.ms'),
    compressionType: config.get('compression.type') as CompressionType,
    compressionLevels: {
      gzip: config.get('compression.gzip.level'),
      lz4: config.get('compression.lz4.level'),
      zstd: config.get('compression.zstd.level'),
    },
    minInsyncReplicas: config.get('min.insync.replicas'),
    uncleanLeaderElectionEnable: config.get('unclean.leader.election.enable'),
    leaderReplicationThrottledReplicas: config.get('leader.replication.throttled.replicas'),
    followerReplicationThrottledReplicas: config.get('follower.replication.throttled.replicas'),
    remoteStorageEnable: config.get('remote.storage.enable'),
    localRetentionMs: config.get('local.retention.ms'),
    localRetentionBytes: config.get('local.retention.bytes'),
  }
}

/**
 * Checks all settings a topic is to have.
 * @throws KafkaError INVALID_CONFIG in Kafka's words for unknown names, values that cannot be read and contradictions.
 */
export function validateTopicConfigs(broker: BrokerConfigReader, overrides: ConfigTexts): void {
  for (const name of overrides.keys())
    if (!isTopicConfig(name)) throw new KafkaError(ErrorCode.INVALID_CONFIG, `Unknown topic config name: ${name}`)
  for (const [name, text] of overrides) {
    const { problem } = parseConfig(name, topicConfigs[name as TopicConfigName], text)
    if (problem !== null) throw new KafkaError(ErrorCode.INVALID_CONFIG, problem)
  }
  const config = new TopicConfig(broker, overrides)
  const leastLag = config.get('min.compaction.lag.ms')
  const mostLag = config.get('max.compaction.lag.ms')
  if (leastLag > mostLag)
    throw new KafkaError(
      ErrorCode.INVALID_CONFIG,
      `conflict topic config setting min.compaction.lag.ms (${leastLag}) > max.compaction.lag.ms (${mostLag})`,
    )
  if (config.get('remote.storage.enable'))
    throw new KafkaError(
      ErrorCode.INVALID_CONFIG,
      'Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.',
    )
}
