/** A group's configuration: its own settings over those of the broker, within the broker's bounds. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { BrokerConfigName, BrokerConfigReader } from './broker-configs.ts'
import type { ConfigTexts } from './broker-config.ts'
import type { ConfigDefinition, ConfigValue, ValueOf } from './config-definition.ts'
import { parseConfig } from './config-value.ts'
import { groupResourceConfigs } from './definitions/group.ts'

export type GroupConfigName = keyof typeof groupResourceConfigs

const withoutBrokerName: readonly GroupConfigName[] = [
  'share.auto.offset.reset',
  'share.isolation.level',
  'share.renew.acknowledge.enable',
]

/** The broker setting a group's falls back to; null when there is none. */
export function groupConfigSynonym(name: GroupConfigName): BrokerConfigName | null {
  return withoutBrokerName.includes(name) ? null : (`group.${name}` as BrokerConfigName)
}

export function isGroupConfig(name: string): name is GroupConfigName {
  return Object.hasOwn(groupResourceConfigs, name)
}

/** An effective value of a group. */
function groupConfigValue<N extends GroupConfigName>(
  broker: BrokerConfigReader,
  overrides: ConfigTexts,
  name: N,
): ValueOf<(typeof groupResourceConfigs)[N]> {
  const definition: ConfigDefinition = groupResourceConfigs[name]
  const own = overrides.get(name)
  const parsed = own === undefined ? null : parseConfig(name, definition, own)
  const brokerName = groupConfigSynonym(name)
  const fallback = brokerName === null ? definition.default : (broker.get(brokerName) as ConfigValue)
  return (parsed?.value ?? fallback) as ValueOf<(typeof groupResourceConfigs)[N]>
}

type Bounds = readonly [name: GroupConfigName, least: BrokerConfigName | null, most: BrokerConfigName]

const bounded: readonly Bounds[] = [
  [
    'consumer.heartbeat.interval.ms',
    'group.consumer.min.heartbeat.interval.ms',
    'group.consumer.max.heartbeat.interval.ms',
  ],
  ['consumer.session.timeout.ms', 'group.consumer.min.session.timeout.ms', 'group.consumer.max.session.timeout.ms'],
  [
    'consumer.assignment.interval.ms',
    'group.consumer.min.assignment.interval.ms',
    'group.consumer.max.assignment.interval.ms',
  ],
  ['share.heartbeat.interval.ms', 'group.share.min.heartbeat.interval.ms', 'group.share.max.heartbeat.interval.ms'],
  ['share.session.timeout.ms', 'group.share.min.session.timeout.ms', 'group.share.max.session.timeout.ms'],
  [
    'share.record.lock.duration.ms',
    'group.share.min.record.lock.duration.ms',
    'group.share.max.record.lock.duration.ms',
  ],
  ['share.delivery.count.limit', 'group.share.min.delivery.count.limit', 'group.share.max.delivery.count.limit'],
  [
    'share.partition.max.record.locks',
    'group.share.min.partition.max.record.locks',
    'group.share.max.partition.max.record.locks',
  ],
  ['share.assignment.interval.ms', 'group.share.min.assignment.interval.ms', 'group.share.max.assignment.interval.ms'],
  [
    'streams.heartbeat.interval.ms',
    'group.streams.min.heartbeat.interval.ms',
    'group.streams.max.heartbeat.interval.ms',
  ],
  ['streams.session.timeout.ms', 'group.streams.min.session.timeout.ms', 'group.streams.max.session.timeout.ms'],
  ['streams.num.standby.replicas', null, 'group.streams.max.standby.replicas'],
  [
    'streams.assignment.interval.ms',
    'group.streams.min.assignment.interval.ms',
    'group.streams.max.assignment.interval.ms',
  ],
]

/**
 * An effective value within the broker's bounds, which may have changed since it was set. What the group has not set is the broker's own,
 * which is not bounded.
 */
export function effectiveGroupConfig<N extends GroupConfigName>(
  broker: BrokerConfigReader,
  overrides: ConfigTexts,
  name: N,
): ValueOf<(typeof groupResourceConfigs)[N]> {
  const value = groupConfigValue(broker, overrides, name)
  const bounds = overrides.has(name) ? bounded.find(([one]) => one === name) : undefined
  if (bounds === undefined) return value
  const [, least, most] = bounds
  const atLeast = least === null ? (value as number) : Math.max(value as number, broker.get(least) as number)
  return Math.min(atLeast, broker.get(most) as number) as ValueOf<(typeof groupResourceConfigs)[N]>
}

/** The broker's settings that an effective value comes from. */
export function brokerConfigsBehind(name: GroupConfigName): BrokerConfigName[] {
  const bounds = bounded.find(([one]) => one === name)
  return [groupConfigSynonym(name), ...(bounds?.slice(1) ?? [])].filter((one) => one !== null) as BrokerConfigName[]
}

const longerThan: readonly (readonly [GroupConfigName, GroupConfigName])[] = [
  ['consumer.session.timeout.ms', 'consumer.heartbeat.interval.ms'],
  ['share.session.timeout.ms', 'share.heartbeat.interval.ms'],
  ['streams.session.timeout.ms', 'streams.heartbeat.interval.ms'],
]

/**
 * Checks all settings a group is to have.
 * @throws KafkaError INVALID_CONFIG in Kafka's words for unknown names, values that cannot be read or are out of the broker's bounds.
 */
export function validateGroupConfigs(broker: BrokerConfigReader, overrides: ConfigTexts): void {
  for (const [name, text] of overrides) {
    if (!isGroupConfig(name)) throw invalid(`Unknown group config name: ${name}`)
    const { problem } = parseConfig(name, groupResourceConfigs[name], text)
    if (problem !== null) throw invalid(problem)
  }
  const value = (name: GroupConfigName): number => groupConfigValue(broker, overrides, name) as number
  for (const [name, least, most] of bounded) {
    // The broker's own interval may lie outside of its bounds, which are only for groups.
    if (name.endsWith('.assignment.interval.ms') && !overrides.has(name)) continue
    if (least !== null && value(name) < (broker.get(least) as number))
      throw invalid(`${name} must be greater than or equal to ${least}`)
    if (value(name) > (broker.get(most) as number)) throw invalid(`${name} must be less than or equal to ${most}`)
  }
  for (const [longer, shorter] of longerThan)
    if (value(longer) <= value(shorter)) throw invalid(`${longer} must be greater than ${shorter}`)
}

function invalid(message: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_CONFIG, message)
}
