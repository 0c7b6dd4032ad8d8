/**
 * The settings of one broker: what it was started with, and over that what is set while it runs, for the cluster and for this broker.
 *
 * Invariant: the effective values are consistent by Kafka's rules at any time. Dynamic settings that would break them, or that this
 * broker cannot read, are left out with a warning; the others apply.
 */
import type { ConfigDefinition, ConfigValue } from './config-definition.ts'
import { ConfigError } from './config-error.ts'
import { parseConfig } from './config-value.ts'
import {
  brokerConfigs,
  brokerDefinition,
  brokerSynonyms,
  type BrokerConfigName,
  type BrokerConfigReader,
  type BrokerConfigValue,
} from './broker-configs.ts'
import { brokerConfigProblems } from './broker-config-rules.ts'
import { cordonedDirectories, logDirectories } from './derived.ts'
import { invalidDynamicNames } from './dynamic-configs.ts'
import { readListeners, type ListenerConfig, type ListenerSettings } from './listeners.ts'
import { propertiesOf, type Properties, type PropertyInput } from './properties.ts'
import { propertyWarnings, refusedProperties, supportOf } from './support.ts'

/** Settings by name, as text. */
export type ConfigTexts = ReadonlyMap<string, string>

/** Values that are set on some level, read and checked. */
interface Effective {
  readonly values: ReadonlyMap<string, NonNullable<ConfigValue>>
  /** As clients see them. */
  readonly texts: ConfigTexts
}

const nothing: ConfigTexts = new Map()

export class BrokerConfig implements BrokerConfigReader {
  /** For people, from the start: properties that are unknown or have no effect. */
  readonly warnings: readonly string[]
  /** Names given at the start that nobody knows. */
  readonly unknownNames: readonly string[]
  readonly #static: ConfigTexts
  readonly #listeners: ListenerSettings
  readonly #changeListeners = new Set<(config: BrokerConfig) => void>()
  #clusterDefaults: ConfigTexts = nothing
  #ofThisBroker: ConfigTexts = nothing
  #effective: Effective

  private constructor(properties: Properties) {
    const texts = withNodeIdSynonyms(properties)
    const problems = refusedProperties(properties)
    const effective = readTexts(texts, properties, problems)
    const reader = readerOf(effective)
    const isSet = (name: string): boolean => texts.has(name)
    if (problems.length === 0) {
      problems.push(...withSources(brokerConfigProblems(reader), properties))
      if (reader.get('node.id') !== Number(texts.get('broker.id') ?? reader.get('node.id')))
        problems.push('node.id and broker.id are both set and differ; one of them is enough')
    }
    const listenerProblems: string[] = []
    this.#listeners = readListeners(reader, isSet, listenerProblems)
    problems.push(...withSources(listenerProblems, properties))
    if (problems.length > 0) throw new ConfigError(problems)
    this.#static = texts
    this.#effective = effective
    this.unknownNames = [...properties.keys()].filter((name) => supportOf(name) === 'unknown')
    this.warnings = [...propertyWarnings(properties), ...this.#listeners.warnings]
  }

  /** Settings read from a file and a command line. @throws ConfigError naming all that is wrong. */
  static from(properties: Properties): BrokerConfig {
    return new BrokerConfig(properties)
  }

  /** Settings given in code, by Kafka's names. @throws ConfigError naming all that is wrong. */
  static of(values: Readonly<Record<string, PropertyInput>> = {}): BrokerConfig {
    return new BrokerConfig(propertiesOf(values, 'configs'))
  }

  get<N extends BrokerConfigName>(name: N): BrokerConfigValue<N> {
    return (this.#effective.values.get(name) ?? brokerConfigs[name].default) as BrokerConfigValue<N>
  }

  /** Whether a value was given, at the start or while running; if not, `get` gives the default. */
  isSet(name: BrokerConfigName): boolean {
    return this.#effective.values.has(name)
  }

  /** An effective value as clients see it; null when there is none or the name is unknown. Passwords in the clear. */
  text(name: string): string | null {
    return this.#effective.texts.get(name) ?? brokerDefinition(name)?.defaultText ?? null
  }

  get nodeId(): number {
    return this.get('node.id')
  }

  get logDirectories(): readonly string[] {
    return logDirectories(this)
  }

  /** Directories that get no new partitions. */
  get cordonedLogDirectories(): readonly string[] {
    return cordonedDirectories(this)
  }

  /** At least one. They are those of the start; changing `listeners` while running is accepted and applies at the next start. */
  get listeners(): readonly ListenerConfig[] {
    return this.#listeners.listeners
  }

  get interBrokerListenerName(): string {
    return this.#listeners.interBrokerListenerName
  }

  /** What the broker was started with. */
  get static(): ConfigTexts {
    return this.#static
  }

  /** Dynamic settings for all brokers. */
  get clusterDefaults(): ConfigTexts {
    return this.#clusterDefaults
  }

  /** Dynamic settings of this broker. */
  get ofThisBroker(): ConfigTexts {
    return this.#ofThisBroker
  }

  /**
   * Takes over the dynamic settings that the cluster's metadata holds. Returns warnings about what was left out.
   * Listeners of `onChange` are called when an effective value may have changed.
   */
  setDynamic(clusterDefaults: ConfigTexts, ofThisBroker: ConfigTexts): string[] {
    const warnings: string[] = []
    const cluster = applicable(clusterDefaults, 'cluster', warnings)
    const broker = applicable(ofThisBroker, 'broker', warnings)
    if (isSame(cluster, this.#clusterDefaults) && isSame(broker, this.#ofThisBroker)) return warnings
    const effective = this.#overlay(cluster, broker)
    const problems = brokerConfigProblems(readerOf(effective))
    if (problems.length > 0) return [...warnings, `dynamic settings are not applied: ${problems.join('; ')}`]
    this.#clusterDefaults = cluster
    this.#ofThisBroker = broker
    this.#effective = effective
    for (const listener of this.#changeListeners) listener(this)
    return warnings
  }

  /** What would be wrong if these were the dynamic settings of one level, the other level staying as it is. Empty: nothing. */
  problemsOfDynamic(level: 'cluster' | 'broker', texts: ConfigTexts): string[] {
    const effective =
      level === 'cluster' ? this.#overlay(texts, this.#ofThisBroker) : this.#overlay(this.#clusterDefaults, texts)
    return brokerConfigProblems(readerOf(effective))
  }

  /** Calls `listener` after every change of dynamic settings. Returns how to stop it. */
  onChange(listener: (config: BrokerConfig) => void): () => void {
    this.#changeListeners.add(listener)
    return () => this.#changeListeners.delete(listener)
  }

  #overlay(clusterDefaults: ConfigTexts, ofThisBroker: ConfigTexts): Effective {
    const texts = new Map(this.#static)
    for (const level of [clusterDefaults, ofThisBroker]) {
      for (const [name, text] of level) {
        // A dynamic log.retention.hours wins over a static log.retention.ms, though the latter is the finer unit.
        if (!name.startsWith('listener.name.')) for (const synonym of brokerSynonyms(name)) texts.delete(synonym)
        texts.set(name, text)
      }
    }
    return readTexts(texts, new Map(), [])
  }
}

/** Adds `broker.id` when only `node.id` is given, and the other way round. */
function withNodeIdSynonyms(properties: Properties): Map<string, string> {
  const texts = new Map<string, string>()
  for (const [name, { value }] of properties) texts.set(name, value)
  const nodeId = texts.get('node.id')
  const brokerId = texts.get('broker.id')
  if (nodeId === undefined && brokerId !== undefined) texts.set('node.id', brokerId)
  else if (brokerId === undefined) texts.set('broker.id', nodeId ?? String(brokerConfigs['node.id'].default))
  return texts
}

function readTexts(texts: ConfigTexts, properties: Properties, problems: string[]): Effective {
  const values = new Map<string, NonNullable<ConfigValue>>()
  const shown = new Map<string, string>()
  for (const [name, text] of texts) {
    const definition = brokerDefinition(name)
    if (definition === undefined) continue
    const parsed = parseConfig(name, definition, text)
    if (parsed.problem === null) {
      values.set(name, parsed.value)
      shown.set(name, parsed.text)
    } else if (properties.has(name)) {
      problems.push(`${parsed.problem} (${properties.get(name)!.source})`)
    }
  }
  return { values, texts: shown }
}

function readerOf({ values }: Effective): BrokerConfigReader {
  return {
    get: (name) => (values.get(name) ?? (brokerConfigs[name] as ConfigDefinition).default) as never,
  }
}

/** The settings of a level that may be set there and can be read. */
function applicable(texts: ConfigTexts, level: 'cluster' | 'broker', warnings: string[]): ConfigTexts {
  const { names, reason } = invalidDynamicNames(texts, level)
  const result = new Map<string, string>()
  for (const [name, text] of texts) {
    const definition = brokerDefinition(name)
    const problem = definition === undefined ? null : parseConfig(name, definition, text).problem
    if (problem === null && !names.has(name)) result.set(name, text)
    else warnings.push(`a dynamic setting is left out: ${problem ?? `${name} (${reason})`}`)
  }
  return result
}

function isSame(one: ConfigTexts, other: ConfigTexts): boolean {
  if (one.size !== other.size) return false
  for (const [name, text] of one) if (other.get(name) !== text) return false
  return true
}

/** Adds where the properties named in a problem were given. */
function withSources(problems: readonly string[], properties: Properties): string[] {
  return problems.map((problem) => {
    const named = new Set(problem.match(/[a-z]+(\.[a-z0-9]+)*/g)?.filter((word) => properties.has(word)))
    if (named.size === 0) return problem
    const sources = [...named].map((name) => (named.size === 1 ? '' : `${name}: `) + properties.get(name)!.source)
    return `${problem} (${sources.join(', ')})`
  })
}
