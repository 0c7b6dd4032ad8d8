/** Configs, as KafkaJS's admin has them. */
import type { Admin as ClientAdmin, ConfigEntry } from '@millrace/client'
import { KafkaJSNonRetriableError } from '../errors.ts'
import { firstFailure } from './partial-failures.ts'
import { codeIn, ConfigResourceTypes, ConfigSource, nameIn } from './resource-types.ts'
import type { IResourceConfigEntry } from './topics.ts'

export interface ResourceConfigQuery {
  type: ConfigResourceTypes
  name: string
  configNames?: string[]
}

/** Values are null for configs without one and for secrets; KafkaJS's types say nothing of that, and programs follow its types. */
export interface ConfigSynonyms {
  configName: string
  configValue: string
  configSource: ConfigSource
}

export interface ConfigEntries {
  configName: string
  configValue: string
  isDefault: boolean
  configSource: ConfigSource
  isSensitive: boolean
  readOnly: boolean
  configSynonyms: ConfigSynonyms[]
}

export interface DescribeConfigResponse {
  resources: {
    configEntries: ConfigEntries[]
    errorCode: number
    errorMessage: string
    resourceName: string
    resourceType: ConfigResourceTypes
  }[]
  throttleTime: number
}

export interface IResourceConfig {
  type: ConfigResourceTypes
  name: string
  configEntries: IResourceConfigEntry[]
}

export interface ConfigAdmin {
  describeConfigs(configs: {
    resources: ResourceConfigQuery[]
    includeSynonyms?: boolean
  }): Promise<DescribeConfigResponse>
  /** Changes the entries named and no others, where KafkaJS puts all others back to their defaults. */
  alterConfigs(configs: { validateOnly?: boolean; resources: IResourceConfig[] }): Promise<unknown>
}

export function configAdmin(admin: () => ClientAdmin): ConfigAdmin {
  return {
    async describeConfigs({ resources, includeSynonyms = false }) {
      checkResources(resources)
      const described = await firstFailure(admin().describeConfigs(resources.map(resourceOf), { includeSynonyms }))
      return {
        resources: resources.map(({ type, name, configNames }, index) => ({
          configEntries: Object.values(described[index]!.configs)
            .filter(({ name: entry }) => !configNames || configNames.length === 0 || configNames.includes(entry))
            .map(entryFrom),
          errorCode: 0,
          errorMessage: '',
          resourceName: name,
          resourceType: type,
        })),
        throttleTime: 0,
      }
    },

    async alterConfigs({ resources, validateOnly = false }) {
      checkResources(resources)
      await firstFailure(
        admin().incrementalAlterConfigs(
          resources.map((resource) => ({
            ...resourceOf(resource),
            set: Object.fromEntries(resource.configEntries.map(({ name, value }) => [name, value])),
          })),
          { validateOnly },
        ),
      )
      return {
        resources: resources.map(({ type, name }) => ({
          errorCode: 0,
          errorMessage: null,
          resourceName: name,
          resourceType: type,
        })),
      }
    },
  }
}

function resourceOf({ type, name }: { readonly type: number; readonly name: string }) {
  return { type: nameIn(ConfigResourceTypes, type, 'resource type') as 'TOPIC' | 'BROKER' | 'BROKER_LOGGER', name }
}

function checkResources(resources: readonly { readonly name: unknown }[]): void {
  if (!Array.isArray(resources) || resources.length === 0)
    throw new KafkaJSNonRetriableError('Resources array cannot be empty')
  for (const { name } of resources)
    if (typeof name !== 'string') throw new KafkaJSNonRetriableError(`Invalid resource name ${String(name)}`)
}

function entryFrom({ name, value, source, isDefault, isReadOnly, isSensitive, synonyms }: ConfigEntry): ConfigEntries {
  return {
    configName: name,
    configValue: value as string,
    isDefault,
    configSource: sourceFrom(source),
    isSensitive,
    readOnly: isReadOnly,
    configSynonyms: synonyms.map((synonym) => ({
      configName: synonym.name,
      configValue: synonym.value as string,
      configSource: sourceFrom(synonym.source),
    })),
  }
}

function sourceFrom(source: string): ConfigSource {
  return codeIn(ConfigSource, source === 'DYNAMIC_TOPIC_CONFIG' ? 'TOPIC_CONFIG' : source) as ConfigSource
}
