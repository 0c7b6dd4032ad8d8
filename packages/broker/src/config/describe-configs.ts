/** What DescribeConfigs says: every setting with its value, where it comes from and what else it might have come from. */
import type { BrokerConfig, ConfigTexts } from './broker-config.ts'
import { brokerConfigs, brokerDefinition, brokerSynonyms, type BrokerConfigName } from './broker-configs.ts'
import type { ConfigDefinition, ConfigTable, ConfigType } from './config-definition.ts'
import { parseConfig } from './config-value.ts'
import { clientMetricsConfigs } from './definitions/client-metrics.ts'
import { groupResourceConfigs } from './definitions/group.ts'
import { topicConfigs } from './definitions/topic.ts'
import { groupConfigSynonym, type GroupConfigName } from './group-configs.ts'
import { TopicConfig, topicConfigSynonyms, type TopicConfigName } from './topic-configs.ts'

/** By their numbers on the wire. */
export const ConfigSource = {
  TOPIC: 1,
  DYNAMIC_BROKER: 2,
  DYNAMIC_DEFAULT_BROKER: 3,
  STATIC_BROKER: 4,
  DEFAULT: 5,
  DYNAMIC_BROKER_LOGGER: 6,
  CLIENT_METRICS: 7,
  GROUP: 8,
} as const

const typeNumbers: Readonly<Record<ConfigType, number>> = {
  BOOLEAN: 1,
  STRING: 2,
  INT: 3,
  SHORT: 4,
  LONG: 5,
  DOUBLE: 6,
  LIST: 7,
  CLASS: 8,
  PASSWORD: 9,
}

export interface ConfigSynonym {
  readonly name: string
  /** null for a secret. */
  readonly value: string | null
  readonly source: number
}

export interface DescribedConfig {
  readonly name: string
  /** null for a secret, and where there is no value. */
  readonly value: string | null
  readonly readOnly: boolean
  /** One of `ConfigSource`: that of the first synonym. */
  readonly configSource: number
  readonly isSensitive: boolean
  /** What applies first comes first; the later ones would apply if those before them were taken away. */
  readonly synonyms: readonly ConfigSynonym[]
  /** 0 for a setting nobody knows. */
  readonly configType: number
  readonly documentation: string | null
}

/** All settings of a broker. */
export function describeBroker(config: BrokerConfig): DescribedConfig[] {
  const names = new Set([...visibleNames(brokerConfigs), ...config.static.keys(), ...config.ofThisBroker.keys()])
  for (const name of config.clusterDefaults.keys()) names.add(name)
  for (const name of names)
    if (brokerDefinition(name)?.isDynamicOnly && !isDynamicallySet(config, name)) names.delete(name)
  return [...names].toSorted().map((name) => {
    const synonyms = brokerConfigSynonyms(config, brokerSynonyms(name), isSensitive(brokerDefinition(name)))
    return described(name, brokerDefinition(name), brokerText(config, name), from(name, synonyms), {
      readOnly: !isDynamic(name),
    })
  })
}

/** Dynamic settings for all brokers of the cluster. */
export function describeClusterDefaults(config: BrokerConfig): DescribedConfig[] {
  return [...config.clusterDefaults].toSorted(byName).map(([name, value]) => {
    const definition = brokerDefinition(name)
    const synonyms = brokerConfigSynonyms(config, brokerSynonyms(name), isSensitive(definition))
    const ofCluster = from(name, synonyms).filter(({ source }) => source === ConfigSource.DYNAMIC_DEFAULT_BROKER)
    return described(name, definition, value, ofCluster, { readOnly: !isDynamic(name) })
  })
}

/**
 * All settings of a topic. Where Kafka calls a value that comes from, say, a static `log.retention.hours` a default without synonyms, we
 * tell its real source.
 */
export function describeTopic(config: BrokerConfig, overrides: ConfigTexts): DescribedConfig[] {
  const topic = new TopicConfig(config, overrides)
  const names = [
    ...visibleNames(topicConfigs),
    ...[...overrides.keys()].filter((name) => isInternal(topicConfigs, name)),
  ]
  return names.toSorted().map((name) => {
    const definition: ConfigDefinition = topicConfigs[name as TopicConfigName]
    const text = topic.text(name as TopicConfigName)
    const synonyms = brokerConfigSynonyms(config, topicConfigSynonyms(name as TopicConfigName), isSensitive(definition))
    if (overrides.has(name)) synonyms.unshift({ name, value: text, source: ConfigSource.TOPIC })
    return described(name, definition, text, synonyms, { readOnly: false })
  })
}

/** All settings of a group. */
export function describeGroup(config: BrokerConfig, overrides: ConfigTexts): DescribedConfig[] {
  return Object.keys(groupResourceConfigs)
    .toSorted()
    .map((name) => {
      const definition: ConfigDefinition = groupResourceConfigs[name as GroupConfigName]
      const brokerName = groupConfigSynonym(name as GroupConfigName)
      const synonyms: ConfigSynonym[] =
        brokerName === null
          ? [{ name, value: definition.defaultText, source: ConfigSource.DEFAULT }]
          : brokerConfigSynonyms(config, brokerSynonyms(brokerName), false)
      const own = shownText(name, definition, overrides.get(name))
      if (own !== null) synonyms.unshift({ name, value: own, source: ConfigSource.GROUP })
      const fallback = brokerName === null ? definition.defaultText : config.text(brokerName)
      return described(name, definition, own ?? fallback, synonyms, { readOnly: false })
    })
}

/** All settings of a client metrics subscription. */
export function describeClientMetrics(configs: ConfigTexts): DescribedConfig[] {
  return Object.entries(clientMetricsConfigs as ConfigTable)
    .toSorted(byName)
    .map(([name, definition]) => {
      const own = shownText(name, definition, configs.get(name))
      const synonyms = own === null ? [] : [{ name, value: own, source: ConfigSource.CLIENT_METRICS }]
      return described(name, definition, own ?? definition.defaultText, synonyms, { readOnly: false })
    })
}

function described(
  name: string,
  definition: ConfigDefinition | undefined,
  value: string | null,
  synonyms: readonly ConfigSynonym[],
  { readOnly }: { readOnly: boolean },
): DescribedConfig {
  const sensitive = isSensitive(definition)
  return {
    name,
    value: sensitive ? null : value,
    readOnly,
    configSource: synonyms[0]?.source ?? ConfigSource.DEFAULT,
    isSensitive: sensitive,
    synonyms,
    configType: definition === undefined ? 0 : typeNumbers[definition.type],
    documentation: definition?.documentation ?? null,
  }
}

/** Where the broker's value may come from: for each level all the names, then the next level. */
function brokerConfigSynonyms(config: BrokerConfig, names: readonly string[], sensitive: boolean): ConfigSynonym[] {
  const synonyms: ConfigSynonym[] = []
  const add = (name: string, value: string | null | undefined, source: number): void => {
    if (value !== null && value !== undefined) synonyms.push({ name, value: sensitive ? null : value, source })
  }
  for (const name of names) add(name, config.ofThisBroker.get(name), ConfigSource.DYNAMIC_BROKER)
  for (const name of names) add(name, config.clusterDefaults.get(name), ConfigSource.DYNAMIC_DEFAULT_BROKER)
  for (const name of names) add(name, config.static.get(name), ConfigSource.STATIC_BROKER)
  for (const name of names)
    if (Object.hasOwn(brokerConfigs, name) && !brokerConfigs[name as BrokerConfigName].isDynamicOnly)
      add(name, brokerConfigs[name as BrokerConfigName].defaultText, ConfigSource.DEFAULT)
  return synonyms
}

/** Without what another name says of the same thing before this name does: `log.retention.hours` is not the source of `log.retention.ms`. */
function from(name: string, synonyms: readonly ConfigSynonym[]): readonly ConfigSynonym[] {
  const at = synonyms.findIndex((synonym) => synonym.name === name)
  return at < 0 ? [] : synonyms.slice(at)
}

function brokerText(config: BrokerConfig, name: string): string | null {
  const text = config.text(name)
  if (text !== null) return text
  return config.ofThisBroker.get(name) ?? config.clusterDefaults.get(name) ?? config.static.get(name) ?? text
}

/** A value that is set, in the form clients see; null when it is not set or cannot be read. */
function shownText(name: string, definition: ConfigDefinition, text: string | undefined): string | null {
  return text === undefined ? null : parseConfig(name, definition, text).text
}

/** What nobody knows might be a secret. */
function isSensitive(definition: ConfigDefinition | undefined): boolean {
  return definition === undefined || definition.type === 'PASSWORD'
}

function isDynamic(name: string): boolean {
  return Object.hasOwn(brokerConfigs, name) && brokerConfigs[name as BrokerConfigName].dynamic !== null
}

function isDynamicallySet(config: BrokerConfig, name: string): boolean {
  return config.ofThisBroker.has(name) || config.clusterDefaults.has(name)
}

function visibleNames(table: ConfigTable): string[] {
  return Object.keys(table).filter((name) => !table[name]!.isInternal)
}

function isInternal(table: ConfigTable, name: string): boolean {
  return Object.hasOwn(table, name) && table[name]!.isInternal
}

function byName([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : one > other ? 1 : 0
}
