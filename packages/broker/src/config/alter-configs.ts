/**
 * Changing configurations: what a request may ask for, what comes of it, and whether that may be. Pure: the controller is the one who
 * stores. Messages and error codes are Kafka's.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { BrokerConfig, ConfigTexts } from './broker-config.ts'
import { brokerDefinition } from './broker-configs.ts'
import { validateClientMetricsConfigs } from './client-metrics-configs.ts'
import { resourceDefinition, ResourceType, type StoredResourceType } from './config-resources.ts'
import { parseConfig } from './config-value.ts'
import { invalidDynamicNames } from './dynamic-configs.ts'
import { validateGroupConfigs } from './group-configs.ts'
import { validateTopicConfigs } from './topic-configs.ts'

/** By their numbers on the wire. */
export const ConfigOperationType = { SET: 0, DELETE: 1, APPEND: 2, SUBTRACT: 3 } as const

export interface ConfigOperation {
  readonly name: string
  /** One of `ConfigOperationType`. */
  readonly type: number
  /** null only for DELETE. */
  readonly value: string | null
}

export interface StoredResource {
  readonly type: StoredResourceType
  /** '' is the default of all brokers. */
  readonly name: string
}

const longestValue = 32_767

/** @throws KafkaError INVALID_REQUEST for a key given twice or a value that is missing. */
export function checkOperations(operations: readonly ConfigOperation[]): void {
  if (new Set(operations.map(({ name }) => name)).size < operations.length)
    throw new KafkaError(ErrorCode.INVALID_REQUEST, 'Error due to duplicate config keys')
  const missing = operations.filter(({ type, value }) => type !== ConfigOperationType.DELETE && value === null)
  if (missing.length > 0)
    throw new KafkaError(
      ErrorCode.INVALID_REQUEST,
      `Null value not supported for : ${missing.map(({ name }) => name).join(', ')}`,
    )
}

/**
 * The settings a resource has after `operations`.
 * @throws KafkaError INVALID_REQUEST for an unknown operation, INVALID_CONFIG for adding to what is no list.
 */
export function applyOperations(
  type: StoredResourceType,
  current: ConfigTexts,
  operations: readonly ConfigOperation[],
): Map<string, string> {
  const configs = new Map(current)
  for (const { name, type: operation, value } of operations) {
    switch (operation) {
      case ConfigOperationType.SET:
        configs.set(name, value ?? '')
        break
      case ConfigOperationType.DELETE:
        configs.delete(name)
        break
      case ConfigOperationType.APPEND: {
        const elements = listElements(type, name, configs, 'APPEND')
        for (const one of (value ?? '').split(',')) if (!elements.includes(one)) elements.push(one)
        configs.set(name, elements.join(','))
        break
      }
      case ConfigOperationType.SUBTRACT: {
        const elements = listElements(type, name, configs, 'SUBTRACT')
        for (const one of (value ?? '').split(',')) {
          const at = elements.indexOf(one)
          if (at >= 0) elements.splice(at, 1)
        }
        configs.set(name, elements.join(','))
        break
      }
      default:
        throw new KafkaError(ErrorCode.INVALID_REQUEST, `Unknown operations type ${operation}`)
    }
  }
  return configs
}

/** What APPEND and SUBTRACT work on: the list that is set, or else the default. */
function listElements(
  type: StoredResourceType,
  name: string,
  configs: ConfigTexts,
  operation: 'APPEND' | 'SUBTRACT',
): string[] {
  const definition = resourceDefinition(type, name)
  if (definition?.type !== 'LIST')
    throw new KafkaError(ErrorCode.INVALID_CONFIG, `Can't ${operation} to key ${name} because its type is not LIST.`)
  return (configs.get(name) ?? definition.defaultText ?? '').split(',').filter((one) => one !== '')
}

/**
 * Whether a resource may have these settings, all of them.
 * @throws KafkaError INVALID_CONFIG; INVALID_REQUEST for a bad name of the resource, and for broker settings that cannot be applied.
 */
export function validateConfigs(config: BrokerConfig, { type, name }: StoredResource, configs: ConfigTexts): void {
  for (const value of configs.values())
    if (value.length > longestValue)
      throw new KafkaError(
        ErrorCode.INVALID_CONFIG,
        `The configuration value cannot be added because it exceeds the maximum value size of ${longestValue} bytes.`,
      )
  switch (type) {
    case ResourceType.TOPIC:
      if (name === '') throw new KafkaError(ErrorCode.INVALID_REQUEST, 'Default topic resources are not allowed.')
      return validateTopicConfigs(config, configs)
    case ResourceType.BROKER:
      return validateBrokerConfigs(config, name, configs)
    case ResourceType.GROUP:
      if (name === '') throw new KafkaError(ErrorCode.INVALID_REQUEST, 'Default group resources are not allowed.')
      return validateGroupConfigs(config, configs)
    case ResourceType.CLIENT_METRICS:
      return validateClientMetricsConfigs(name, configs)
  }
}

/**
 * The broker a resource name means, −1 for the default of all.
 * @throws KafkaError INVALID_REQUEST when it is no number.
 */
export function brokerIdOf(name: string): number {
  if (name === '') return -1
  if (!/^\+?[0-9]{1,10}$/.test(name))
    throw new KafkaError(ErrorCode.INVALID_REQUEST, `Node id must be an integer, but it is: ${name}`)
  return Number(name)
}

/** Threads may at most double or halve at a time. */
const threadCounts: readonly string[] = [
  'num.io.threads',
  'num.replica.fetchers',
  'num.recovery.threads.per.data.dir',
  'background.threads',
]

function validateBrokerConfigs(config: BrokerConfig, name: string, configs: ConfigTexts): void {
  const level = brokerIdOf(name) === -1 ? 'cluster' : 'broker'
  const { names, reason } = invalidDynamicNames(configs, level)
  if (names.size > 0) throw new KafkaError(ErrorCode.INVALID_REQUEST, `${reason}: [${[...names].join(', ')}]`)
  for (const [key, text] of configs) {
    const definition = brokerDefinition(key)
    if (definition === undefined) continue
    const { problem } = parseConfig(key, definition, text)
    if (problem !== null) throw new KafkaError(ErrorCode.INVALID_REQUEST, problem)
    if (threadCounts.includes(key)) checkThreadCount(key, Number(text.trim()), Number(config.text(key)))
  }
  const problems = config.problemsOfDynamic(level, configs)
  if (problems.length > 0)
    throw new KafkaError(ErrorCode.INVALID_REQUEST, `Invalid dynamic configuration: ${problems.join('; ')}`)
  const cleanerThreads = configs.get('log.cleaner.threads')
  if (cleanerThreads !== undefined && config.get('log.cleaner.enable'))
    checkCleanerThreads(Number(cleanerThreads.trim()), config.get('log.cleaner.threads'))
}

/** Source: Kafka's LogCleaner.validateReconfiguration. */
function checkCleanerThreads(wanted: number, now: number): void {
  const refuse = (problem: string): never => {
    throw new KafkaError(ErrorCode.INVALID_REQUEST, `Log cleaner threads ${problem}`)
  }
  if (wanted < 1) refuse('should be at least 1')
  if (wanted < Math.floor(now / 2)) refuse(`cannot be reduced to less than half the current value ${now}`)
  if (wanted > now * 2) refuse(`cannot be increased to more than double the current value ${now}`)
}

function checkThreadCount(name: string, wanted: number, now: number): void {
  const failed = `Dynamic thread count update validation failed for ${name}=${wanted}, value should`
  if (wanted < Math.floor(now / 2))
    throw new KafkaError(ErrorCode.INVALID_REQUEST, `${failed} be at least half the current value ${now}`)
  if (wanted > now * 2)
    throw new KafkaError(ErrorCode.INVALID_REQUEST, `${failed} not be greater than double the current value ${now}`)
}
