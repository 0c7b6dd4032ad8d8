/** Incremental changes for brokers that can only replace all configs of a resource (before Kafka 2.3, KIP-339). */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { configValue } from './config-value.ts'
import type { ConfigChanges, ConfigDescription, ConfigEntry } from './configs.ts'
import type { Outcome } from './partial-failure.ts'

const own = new Set(['DYNAMIC_TOPIC_CONFIG', 'DYNAMIC_BROKER_CONFIG', 'DYNAMIC_DEFAULT_BROKER_CONFIG'])

/** All that has to be set so that what is set now is changed by `change`. */
export function afterChanges(
  present: ConfigDescription,
  change: ConfigChanges,
): Outcome<readonly { readonly name: string; readonly value: string }[]> {
  const values = new Map<string, string>()
  for (const entry of Object.values(present.configs)) {
    if (!isOwn(entry, change)) continue
    if (entry.value === null && !isReplaced(entry.name, change)) return { error: hidden(entry, change) }
    values.set(entry.name, entry.value ?? '')
  }
  for (const [name, value] of Object.entries(change.set ?? {})) values.set(name, configValue(value))
  for (const name of change.delete ?? []) values.delete(name)
  for (const [name, value] of Object.entries(change.append ?? {})) {
    const list = listOf(values.get(name) ?? present.configs[name]?.value)
    values.set(name, [...new Set([...list, ...listOf(configValue(value))])].join(','))
  }
  for (const [name, value] of Object.entries(change.subtract ?? {})) {
    const gone = new Set(listOf(configValue(value)))
    const list = listOf(values.get(name) ?? present.configs[name]?.value)
    values.set(name, list.filter((one) => !gone.has(one)).join(','))
  }
  return { value: [...values].map(([name, value]) => ({ name, value })) }
}

/** The defaults of all brokers and a broker's own configs are different resources, though a broker is described with both. */
function isOwn({ source }: ConfigEntry, { type, name }: ConfigChanges): boolean {
  if (type !== 'BROKER') return own.has(source)
  return source === (name === '' ? 'DYNAMIC_DEFAULT_BROKER_CONFIG' : 'DYNAMIC_BROKER_CONFIG')
}

function isReplaced(name: string, change: ConfigChanges): boolean {
  return Object.hasOwn(change.set ?? {}, name) || (change.delete ?? []).includes(name)
}

function hidden({ name }: ConfigEntry, change: ConfigChanges): KafkaError {
  return new KafkaError(
    ErrorCode.INVALID_REQUEST,
    `${change.type} ${change.name}: this broker can only replace all configs at once, and it does not tell the value of ${name}, which would be lost; set it as well`,
  )
}

function listOf(value: string | null | undefined): readonly string[] {
  return value === null || value === undefined || value === '' ? [] : value.split(',').map((one) => one.trim())
}
