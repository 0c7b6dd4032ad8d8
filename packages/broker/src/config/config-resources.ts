/** The kinds of things that have configurations, by their numbers on the wire, and where their settings are kept. */
import type { ConfigEntityType } from '../metadata/image.ts'
import { brokerConfigs } from './broker-configs.ts'
import type { ConfigDefinition, ConfigTable } from './config-definition.ts'
import { clientMetricsConfigs } from './definitions/client-metrics.ts'
import { groupResourceConfigs } from './definitions/group.ts'
import { topicConfigs } from './definitions/topic.ts'

export const ResourceType = { TOPIC: 2, BROKER: 4, BROKER_LOGGER: 8, CLIENT_METRICS: 16, GROUP: 32 } as const
export type ResourceType = (typeof ResourceType)[keyof typeof ResourceType]

/** Those whose settings are stored: loggers live with their process. */
export type StoredResourceType = Exclude<ResourceType, typeof ResourceType.BROKER_LOGGER>

const stored: Readonly<Record<StoredResourceType, { entity: ConfigEntityType; table: ConfigTable }>> = {
  [ResourceType.TOPIC]: { entity: 'topics', table: topicConfigs },
  [ResourceType.BROKER]: { entity: 'brokers', table: brokerConfigs },
  [ResourceType.CLIENT_METRICS]: { entity: 'client-metrics', table: clientMetricsConfigs },
  [ResourceType.GROUP]: { entity: 'groups', table: groupResourceConfigs },
}

export function isStoredResource(type: number): type is StoredResourceType {
  return Object.hasOwn(stored, type)
}

/** The folder under `/config` of the coordination tree. */
export function entityOf(type: StoredResourceType): ConfigEntityType {
  return stored[type].entity
}

/** undefined for a name the resource type does not have. */
export function resourceDefinition(type: StoredResourceType, name: string): ConfigDefinition | undefined {
  const { table } = stored[type]
  return Object.hasOwn(table, name) ? table[name] : undefined
}
