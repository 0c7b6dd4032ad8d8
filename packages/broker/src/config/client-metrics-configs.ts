/** Client metrics subscriptions (KIP-714). */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { ConfigTexts } from './broker-config.ts'
import { parseConfig } from './config-value.ts'
import { clientMetricsConfigs } from './definitions/client-metrics.ts'

export type ClientMetricsConfigName = keyof typeof clientMetricsConfigs

export function isClientMetricsConfig(name: string): name is ClientMetricsConfigName {
  return Object.hasOwn(clientMetricsConfigs, name)
}

const matchable: readonly string[] = [
  'client_instance_id',
  'client_id',
  'client_software_name',
  'client_software_version',
  'client_source_address',
  'client_source_port',
]

const shortestIntervalMs = 100
const longestIntervalMs = 3_600_000

/**
 * Checks all settings a subscription is to have.
 * @throws KafkaError INVALID_REQUEST for a bad name of the subscription, of a setting, or a bad interval; INVALID_CONFIG for values that
 * cannot be read and bad patterns.
 */
export function validateClientMetricsConfigs(subscription: string, configs: ConfigTexts): void {
  if (subscription === '') throw new KafkaError(ErrorCode.INVALID_REQUEST, "Subscription name can't be empty")
  for (const name of configs.keys())
    if (!isClientMetricsConfig(name))
      throw new KafkaError(ErrorCode.INVALID_REQUEST, `Unknown client metrics configuration: ${name}`)
  for (const [name, text] of configs) {
    const { value, problem } = parseConfig(name, clientMetricsConfigs[name as ClientMetricsConfigName], text)
    if (problem !== null) throw new KafkaError(ErrorCode.INVALID_CONFIG, problem)
    if (name === 'interval.ms') checkInterval(value as number)
    if (name === 'match') for (const pattern of value as readonly string[]) checkPattern(pattern)
  }
}

function checkInterval(intervalMs: number): void {
  if (intervalMs < shortestIntervalMs || intervalMs > longestIntervalMs)
    throw new KafkaError(
      ErrorCode.INVALID_REQUEST,
      `Invalid value ${intervalMs} for interval.ms, interval must be between 100 and 3600000 (1 hour)`,
    )
}

/** `attribute=regular expression`. */
function checkPattern(text: string): void {
  const parts = text.split('=')
  const [attribute, pattern] = parts
  if (parts.length === 2 && matchable.includes(attribute!.trim()) && isRegularExpression(pattern!.trim())) return
  throw new KafkaError(ErrorCode.INVALID_CONFIG, `Illegal client matching pattern: ${text}`)
}

function isRegularExpression(text: string): boolean {
  try {
    return new RegExp(text, 'u') instanceof RegExp
  } catch {
    return false
  }
}
