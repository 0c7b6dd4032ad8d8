/** Every setting of topics, brokers, groups and client metrics subscriptions, with where each value comes from. */
import { DescribeConfigs, ErrorCode, KafkaError, type Request, type ResponseInput } from '@millrace/protocol'
import { brokerIdOf } from '../config/alter-configs.ts'
import { ResourceType } from '../config/config-resources.ts'
import {
  ConfigSource,
  describeBroker,
  describeClientMetrics,
  describeClusterDefaults,
  describeGroup,
  describeTopic,
  type DescribedConfig,
} from '../config/describe-configs.ts'
import { topicNameProblem } from '../controller/topic-names.ts'
import type { BrokerServices } from '../server/broker-services.ts'
import { handler } from '../server/handler.ts'
import { failure } from './config-failure.ts'

type Resource = Request<typeof DescribeConfigs>['resources'][number]
type Result = ResponseInput<typeof DescribeConfigs>['results'][number]

export const describeConfigs = handler(DescribeConfigs, (request, { version, broker }) => ({
  throttleTimeMs: 0,
  results: request.resources.map((resource) => describe(resource, request, version, broker)),
}))

function describe(
  resource: Resource,
  request: Request<typeof DescribeConfigs>,
  version: number,
  broker: BrokerServices,
): Result {
  const { resourceType, resourceName, configurationKeys } = resource
  try {
    const isWanted = (name: string): boolean =>
      configurationKeys === null || configurationKeys.length === 0 || configurationKeys.includes(name)
    const configs = configsOf(resourceType, resourceName, broker)
      .filter(({ name }) => isWanted(name))
      .map((config) => ({
        ...config,
        ...(version === 0 ? { isDefault: config.configSource === ConfigSource.DEFAULT } : {}),
        synonyms: request.includeSynonyms ? [...config.synonyms] : [],
        documentation: request.includeDocumentation ? config.documentation : null,
      }))
    // Kafka's message is empty here, not null.
    return { errorCode: ErrorCode.NONE, errorMessage: '', resourceType, resourceName, configs }
  } catch (error) {
    return { ...failure(error, 'describe', resource, broker.logger), configs: [] }
  }
}

function configsOf(type: number, name: string, broker: BrokerServices): readonly DescribedConfig[] {
  const { config } = broker
  const { image } = broker.metadata
  switch (type) {
    case ResourceType.TOPIC: {
      const problem = topicNameProblem(name)
      if (problem !== null) throw new KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, problem)
      if (!image.topics.has(name)) throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
      return describeTopic(config, image.configs('topics', name))
    }
    case ResourceType.BROKER:
      if (name === '') return describeClusterDefaults(config)
      assertThisBroker(name, broker.nodeId, `expected ${broker.nodeId} or empty string`)
      return describeBroker(config)
    case ResourceType.BROKER_LOGGER:
      if (name === '') throw new KafkaError(ErrorCode.INVALID_REQUEST, 'Broker id must not be empty')
      assertThisBroker(name, broker.nodeId, `expected ${broker.nodeId}`)
      // Loggers whose levels can be changed one by one do not exist here.
      return []
    case ResourceType.CLIENT_METRICS:
      if (name === '')
        throw new KafkaError(ErrorCode.INVALID_REQUEST, 'Client metrics subscription name must not be empty')
      return describeClientMetrics(image.configs('client-metrics', name))
    case ResourceType.GROUP:
      if (name === '') throw new KafkaError(ErrorCode.INVALID_REQUEST, 'Group name must not be empty')
      return describeGroup(config, image.configs('groups', name))
    default:
      throw new KafkaError(ErrorCode.INVALID_REQUEST, `Unexpected resource type ${type} for resource ${name}`)
  }
}

function assertThisBroker(name: string, nodeId: number, expected: string): void {
  if (brokerIdOf(name) !== nodeId)
    throw new KafkaError(ErrorCode.INVALID_REQUEST, `Unexpected broker id, ${expected}, but received ${name}`)
}
