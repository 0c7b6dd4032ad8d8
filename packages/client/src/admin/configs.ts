/** Configs of topics, brokers, groups and client metrics. */
import {
  DescribeConfigs,
  IncrementalAlterConfigs,
  ListConfigResources,
  AlterConfigs,
  ErrorCode,
  KafkaError,
} from '@millrace/protocol'
import type { Response } from '@millrace/protocol'
import type { Destination } from '../cluster/destination.ts'
import { configValue, type ConfigValue } from './config-value.ts'
import { enumeration, type Unknown } from './enumeration.ts'
import { afterChanges } from './former-configs.ts'
import { unsupported } from './kafka-versions.ts'
import { refuseUnknownNames } from './known-names.ts'
import type { EachOf, Outcome, ListOf } from './partial-failure.ts'
import { check, matched, outcome, type AdminRequests, type Attempt, type CallOptions } from './requests.ts'
import { toBrokerOrAny } from './routing.ts'

export type ConfigResourceType = 'TOPIC' | 'BROKER' | 'BROKER_LOGGER' | 'CLIENT_METRICS' | 'GROUP'

export interface ConfigResource {
  readonly type: ConfigResourceType
  /** Of a topic, group or set of client metrics; the id of a broker as a text, '' for the defaults of all brokers. */
  readonly name: string
}

export type ConfigSource =
  | 'DYNAMIC_TOPIC_CONFIG'
  | 'DYNAMIC_BROKER_CONFIG'
  | 'DYNAMIC_DEFAULT_BROKER_CONFIG'
  | 'STATIC_BROKER_CONFIG'
  | 'DEFAULT_CONFIG'
  | 'DYNAMIC_BROKER_LOGGER_CONFIG'
  | 'DYNAMIC_CLIENT_METRICS_CONFIG'
  | 'DYNAMIC_GROUP_CONFIG'

export type ConfigType = 'BOOLEAN' | 'STRING' | 'INT' | 'SHORT' | 'LONG' | 'DOUBLE' | 'LIST' | 'CLASS' | 'PASSWORD'

export interface ConfigSynonym {
  readonly name: string
  readonly value: string | null
  readonly source: ConfigSource | Unknown
}

export interface ConfigEntry {
  readonly name: string
  /** Null when there is none, and of sensitive ones. */
  readonly value: string | null
  readonly source: ConfigSource | Unknown
  readonly isDefault: boolean
  readonly isReadOnly: boolean
  readonly isSensitive: boolean
  /** `UNKNOWN` from brokers before Kafka 2.6. */
  readonly type: ConfigType | Unknown
  /** Null when not asked for; empty from brokers before Kafka 2.6. */
  readonly documentation: string | null
  /** Where the value comes from, and what would be used without that, in this order; empty when not asked for. */
  readonly synonyms: readonly ConfigSynonym[]
}

export interface ConfigDescription extends ConfigResource {
  /** By name. */
  readonly configs: Readonly<Record<string, ConfigEntry>>
}

export interface DescribeConfigsOptions extends CallOptions {
  readonly includeSynonyms?: boolean
  /** Since Kafka 2.6. */
  readonly includeDocumentation?: boolean
}

export interface ConfigChanges extends ConfigResource {
  readonly set?: Readonly<Record<string, ConfigValue>>
  /** Back to the default. */
  readonly delete?: readonly string[]
  /** Adds to the values of a list, unless they are in it. */
  readonly append?: Readonly<Record<string, ConfigValue>>
  /** Takes values from a list. */
  readonly subtract?: Readonly<Record<string, ConfigValue>>
}

export interface AlterConfigsOptions extends CallOptions {
  /** Only check whether it could be done. Default false. */
  readonly validateOnly?: boolean
}

export interface ConfigAdmin {
  describeConfigs<Resources extends readonly unknown[]>(
    resources: ListOf<Resources, ConfigResource>,
    options?: DescribeConfigsOptions,
  ): Promise<EachOf<Resources, ConfigDescription>>
  /**
   * Changes the configs named and no others. On brokers before Kafka 2.3 that is done by reading all and writing all: changes that somebody else makes at
   * that moment are lost, and resources with sensitive configs cannot be changed.
   */
  incrementalAlterConfigs<Changes extends readonly unknown[]>(
    changes: ListOf<Changes, ConfigChanges>,
    options?: AlterConfigsOptions,
  ): Promise<EachOf<Changes, ConfigResource>>
  /** Those that have configs of their own, of these types or all. Since Kafka 4.1; client metrics alone since 3.7. */
  listConfigResources(
    types?: readonly ConfigResourceType[] | null,
    options?: CallOptions,
  ): Promise<readonly { readonly type: ConfigResourceType | Unknown; readonly name: string }[]>
}

const resourceTypes = enumeration<ConfigResourceType>('config resource type', {
  TOPIC: 2,
  BROKER: 4,
  BROKER_LOGGER: 8,
  CLIENT_METRICS: 16,
  GROUP: 32,
})

const sources = enumeration<ConfigSource>('config source', {
  DYNAMIC_TOPIC_CONFIG: 1,
  DYNAMIC_BROKER_CONFIG: 2,
  DYNAMIC_DEFAULT_BROKER_CONFIG: 3,
  STATIC_BROKER_CONFIG: 4,
  DEFAULT_CONFIG: 5,
  DYNAMIC_BROKER_LOGGER_CONFIG: 6,
  DYNAMIC_CLIENT_METRICS_CONFIG: 7,
  DYNAMIC_GROUP_CONFIG: 8,
})

const types = enumeration<ConfigType>('config type', {
  BOOLEAN: 1,
  STRING: 2,
  INT: 3,
  SHORT: 4,
  LONG: 5,
  DOUBLE: 6,
  LIST: 7,
  CLASS: 8,
  PASSWORD: 9,
})

const changeCodes = { set: 0, delete: 1, append: 2, subtract: 3 } as const

const changeNames: Record<keyof ConfigChanges, true> = {
  type: true,
  name: true,
  set: true,
  delete: true,
  append: true,
  subtract: true,
}

/** A broker knows its own configs; those of everything else any broker knows. */
const toOwner = toBrokerOrAny<ConfigResource>(({ type, name }) => {
  if ((type !== 'BROKER' && type !== 'BROKER_LOGGER') || name === '') return null
  const id = Number(name)
  if (!Number.isInteger(id)) throw new TypeError(`the name of a ${type} is the id of a broker, but got ${name}`)
  return id
})

export function configAdmin(requests: AdminRequests): ConfigAdmin {
  return {
    describeConfigs: (resources, options = {}) =>
      requests.each(
        {
          operation: 'describeConfigs',
          routing: toOwner,
          ask: (attempt, destination, asked: readonly ConfigResource[]) =>
            describeConfigs(attempt, { destination, resources: asked, options }),
        },
        resources,
        options,
      ),
    incrementalAlterConfigs: (changes, options = {}) =>
      requests.each(
        {
          operation: 'incrementalAlterConfigs',
          routing: toOwner,
          retried: new Set([ErrorCode.NOT_CONTROLLER]),
          ask: async (attempt, destination, asked: readonly ConfigChanges[]) => {
            for (const change of asked) refuseUnknownNames('a change of configs', change, changeNames)
            const wish = { destination, changes: asked, validateOnly: options.validateOnly ?? false }
            try {
              return await alterConfigs(attempt, wish)
            } catch (error) {
              if (!(error instanceof KafkaError) || error.code !== ErrorCode.UNSUPPORTED_VERSION) throw error
              return replaceConfigs(attempt, wish)
            }
          },
        },
        changes,
        options,
      ),
    listConfigResources: (wanted = null, options = {}) =>
      requests.one('listConfigResources', options, async ({ send }) => {
        // None asked for stands for all, in the request as well.
        const isClientMetricsOnly = wanted?.length === 1 && wanted[0] === 'CLIENT_METRICS'
        const answer = await send('any', ListConfigResources, (version) => {
          if (version === 0 && !isClientMetricsOnly)
            throw unsupported('listConfigResources of more than CLIENT_METRICS', '4.1')
          return version === 0 ? {} : { resourceTypes: (wanted ?? []).map((type) => resourceTypes.codeOf(type)) }
        })
        check('listConfigResources', answer)
        return answer.configResources.map(({ resourceType, resourceName }) => ({
          type: resourceTypes.nameOf(resourceType),
          name: resourceName,
        }))
      }),
  }
}

function aboutResource({ type, name }: ConfigResource): string {
  return `${type.toLowerCase().replace('_', ' ')} ${name === '' ? 'defaults' : name}`
}

function keyOf({ type, name }: ConfigResource): string {
  return `${resourceTypes.codeOf(type)} ${name}`
}

function keyOfAnswer({ resourceType, resourceName }: { resourceType: number; resourceName: string }): string {
  return `${resourceType} ${resourceName}`
}

interface Describing {
  readonly destination: Destination
  readonly resources: readonly ConfigResource[]
  readonly options: DescribeConfigsOptions
}

async function describeConfigs(
  { send }: Attempt,
  { destination, resources, options }: Describing,
): Promise<readonly Outcome<ConfigDescription>[]> {
  const { includeSynonyms = false, includeDocumentation = false } = options
  const { results } = await send(destination, DescribeConfigs, (version) => {
    if (includeDocumentation && version < 3) throw unsupported('describeConfigs with includeDocumentation', '2.6')
    if (includeSynonyms && version < 1) throw unsupported('describeConfigs with includeSynonyms', '1.1')
    return {
      resources: resources.map(({ type, name }) => ({
        resourceType: resourceTypes.codeOf(type),
        resourceName: name,
        configurationKeys: null,
      })),
      includeSynonyms,
      includeDocumentation,
    }
  })
  return matched(
    resources,
    results.map((result) => [keyOfAnswer(result), result] as const),
    {
      keyOf,
      about: aboutResource,
      outcome: (result, { type, name }) =>
        outcome(aboutResource({ type, name }), result, () => ({
          type,
          name,
          configs: Object.fromEntries(result.configs.map((config) => [config.name, configEntry(config, type)])),
        })),
    },
  )
}

type DescribedConfig = Response<typeof DescribeConfigs>['results'][number]['configs'][number]

function configEntry(config: DescribedConfig, of: ConfigResourceType): ConfigEntry {
  const source = config.configSource < 0 ? formerSource(config, of) : sources.nameOf(config.configSource)
  return {
    name: config.name,
    value: config.value,
    source,
    isDefault: source === 'DEFAULT_CONFIG',
    isReadOnly: config.readOnly,
    isSensitive: config.isSensitive,
    type: types.nameOf(config.configType),
    documentation: config.documentation,
    synonyms: config.synonyms.map((synonym) => ({
      name: synonym.name,
      value: synonym.value,
      source: sources.nameOf(synonym.source),
    })),
  }
}

/** Brokers before Kafka 1.1 say only whether it is the default. */
function formerSource({ isDefault }: DescribedConfig, of: ConfigResourceType): ConfigSource | Unknown {
  if (isDefault) return 'DEFAULT_CONFIG'
  if (of === 'BROKER') return 'STATIC_BROKER_CONFIG'
  return of === 'TOPIC' ? 'DYNAMIC_TOPIC_CONFIG' : 'UNKNOWN'
}

interface Altering {
  readonly destination: Destination
  readonly changes: readonly ConfigChanges[]
  readonly validateOnly: boolean
}

async function alterConfigs(
  { send }: Attempt,
  { destination, changes, validateOnly }: Altering,
): Promise<readonly Outcome<ConfigResource>[]> {
  const { responses } = await send(destination, IncrementalAlterConfigs, {
    resources: changes.map((change) => ({
      resourceType: resourceTypes.codeOf(change.type),
      resourceName: change.name,
      configs: [
        ...valued(change.set, changeCodes.set),
        ...(change.delete ?? []).map((name) => ({ name, configOperation: changeCodes.delete, value: null })),
        ...valued(change.append, changeCodes.append),
        ...valued(change.subtract, changeCodes.subtract),
      ],
    })),
    validateOnly,
  })
  return alterOutcomes(changes, responses)
}

function valued(configs: Readonly<Record<string, ConfigValue>> | undefined, configOperation: number) {
  return Object.entries(configs ?? {}).map(([name, value]) => ({ name, configOperation, value: configValue(value) }))
}

/** AlterConfigs takes away what it does not name, so what is set now has to be known. */
async function replaceConfigs(
  attempt: Attempt,
  { destination, changes, validateOnly }: Altering,
): Promise<readonly Outcome<ConfigResource>[]> {
  const present = await describeConfigs(attempt, { destination, resources: changes, options: {} })
  const outcomes = changes.map((change, index): Outcome<readonly { name: string; value: string }[]> => {
    const described = present[index]!
    return 'error' in described ? described : afterChanges(described.value, change)
  })
  const altered = changes.flatMap((change, index) => {
    const after = outcomes[index]!
    return 'error' in after ? [] : [{ change, configs: after.value }]
  })
  if (altered.length === 0) return outcomes as readonly { error: KafkaError }[]
  const { responses } = await attempt.send(destination, AlterConfigs, {
    resources: altered.map(({ change, configs }) => ({
      resourceType: resourceTypes.codeOf(change.type),
      resourceName: change.name,
      configs,
    })),
    validateOnly,
  })
  const answered = alterOutcomes(changes, responses)
  return outcomes.map((before, index) => ('error' in before ? before : answered[index]!))
}

function alterOutcomes(
  changes: readonly ConfigChanges[],
  responses: Response<typeof AlterConfigs>['responses'],
): readonly Outcome<ConfigResource>[] {
  return matched(
    changes,
    responses.map((response) => [keyOfAnswer(response), response] as const),
    {
      keyOf,
      about: aboutResource,
      outcome: (response, { type, name }) => outcome(aboutResource({ type, name }), response, () => ({ type, name })),
    },
  )
}
