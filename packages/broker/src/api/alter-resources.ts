/** What AlterConfigs and IncrementalAlterConfigs have in common: the checks, the way to the controller, one answer per resource. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import {
  brokerIdOf,
  checkOperations,
  ConfigOperationType,
  validateConfigs,
  type ConfigOperation,
} from '../config/alter-configs.ts'
import type { ConfigTexts } from '../config/broker-config.ts'
import { entityOf, isStoredResource, ResourceType, type StoredResourceType } from '../config/config-resources.ts'
import { topicNameProblem } from '../controller/topic-names.ts'
import type { BrokerServices } from '../server/broker-services.ts'
import { failure, type ConfigResource } from './config-failure.ts'

export interface ResourceChange extends ConfigResource {
  readonly operations: readonly ConfigOperation[]
}

export interface ResourceOutcome extends ConfigResource {
  readonly errorCode: number
  readonly errorMessage: string | null
}

/** What a resource's settings become. */
type Change = (type: StoredResourceType, current: ConfigTexts, operations: readonly ConfigOperation[]) => ConfigTexts

/** In the order of the request; one resource's failure does not stop the others. */
export async function alterResources(
  changes: readonly ResourceChange[],
  change: Change,
  validateOnly: boolean,
  broker: BrokerServices,
): Promise<ResourceOutcome[]> {
  const times = new Map<string, number>()
  for (const { resourceType, resourceName } of changes) {
    const key = `${resourceType} ${resourceName}`
    times.set(key, (times.get(key) ?? 0) + 1)
  }
  const outcomes: ResourceOutcome[] = []
  for (const requested of changes) {
    const { resourceType, resourceName } = requested
    try {
      if (times.get(`${resourceType} ${resourceName}`) !== 1)
        throw new KafkaError(ErrorCode.INVALID_REQUEST, 'Each resource must appear at most once.')
      await alterResource(requested, change, validateOnly, broker)
      outcomes.push({ errorCode: ErrorCode.NONE, errorMessage: null, resourceType, resourceName })
    } catch (error) {
      outcomes.push(failure(error, 'alter', requested, broker.logger))
    }
  }
  return outcomes
}

async function alterResource(
  { resourceType, resourceName, operations }: ResourceChange,
  change: Change,
  validateOnly: boolean,
  { config, controller, nodeId }: BrokerServices,
): Promise<void> {
  checkOperations(operations)
  if (resourceType === ResourceType.BROKER_LOGGER) refuseLoggers(operations)
  if (!isStoredResource(resourceType))
    throw new KafkaError(ErrorCode.INVALID_REQUEST, `Unknown resource type ${resourceType}`)
  if (resourceType === ResourceType.BROKER && resourceName !== '' && brokerIdOf(resourceName) !== nodeId)
    throw new KafkaError(
      ErrorCode.INVALID_REQUEST,
      `Unexpected broker id, expected ${nodeId}, but received ${resourceName}`,
    )
  if (resourceType === ResourceType.TOPIC) assertTopicName(resourceName)
  const resource = { type: resourceType, name: resourceName }
  await controller.alterConfigs(
    { type: entityOf(resourceType) as 'topics' | 'brokers' | 'groups' | 'client-metrics', name: resourceName },
    (current) => {
      const configs = change(resourceType, current, operations)
      validateConfigs(config, resource, configs)
      return configs
    },
    { validateOnly },
  )
}

function assertTopicName(name: string): void {
  if (name === '') throw new KafkaError(ErrorCode.INVALID_REQUEST, 'Default topic resources are not allowed.')
  const problem = topicNameProblem(name)
  if (problem !== null) throw new KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, problem)
}

const levels: readonly string[] = ['FATAL', 'ERROR', 'WARN', 'INFO', 'DEBUG', 'TRACE']

/** There are no loggers to set, so the answer is Kafka's to the name of one that does not exist. */
function refuseLoggers(operations: readonly ConfigOperation[]): void {
  for (const { name, type, value } of operations) {
    if (type === ConfigOperationType.SET && !levels.includes(value ?? ''))
      throw new KafkaError(
        ErrorCode.INVALID_CONFIG,
        `Cannot set the log level of ${name} to ${value} as it is not a supported log level. Valid log levels are ${levels.join(', ')}`,
      )
    throw new KafkaError(ErrorCode.INVALID_CONFIG, `Logger ${name} does not exist!`)
  }
}
