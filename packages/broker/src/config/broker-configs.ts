/** Every broker configuration of Kafka 4.3 and our own few, in one table. */
import { groupsConfigs } from './definitions/groups.ts'
import { kraftConfigs } from './definitions/kraft.ts'
import { logConfigs } from './definitions/log.ts'
import { millraceConfigs } from './definitions/millrace.ts'
import { quotasAndMetricsConfigs } from './definitions/quotas-and-metrics.ts'
import { remoteLogConfigs } from './definitions/remote-log.ts'
import { replicationConfigs } from './definitions/replication.ts'
import { securityConfigs } from './definitions/security.ts'
import { serverConfigs } from './definitions/server.ts'
import { shareConfigs } from './definitions/share.ts'
import { socketsConfigs } from './definitions/sockets.ts'
import { transactionsConfigs } from './definitions/transactions.ts'
import type { ConfigDefinition, ValueOf } from './config-definition.ts'

export const brokerConfigs = {
  ...serverConfigs,
  ...socketsConfigs,
  ...logConfigs,
  ...replicationConfigs,
  ...groupsConfigs,
  ...shareConfigs,
  ...transactionsConfigs,
  ...remoteLogConfigs,
  ...kraftConfigs,
  ...quotasAndMetricsConfigs,
  ...securityConfigs,
  ...millraceConfigs,
}

export type BrokerConfigName = keyof typeof brokerConfigs
export type BrokerConfigValue<N extends BrokerConfigName> = ValueOf<(typeof brokerConfigs)[N]>

/** Reads effective values. What most code needs to know of a configuration. */
export interface BrokerConfigReader {
  /** LONGs are numbers: Kafka's Long.MAX_VALUE is Number.MAX_SAFE_INTEGER. */
  get<N extends BrokerConfigName>(name: N): BrokerConfigValue<N>
}

/**
 * The definition of a name, also of a listener's own (`listener.name.<listener>.[<mechanism>.]<name>`); undefined for a name nobody
 * knows.
 */
export function brokerDefinition(name: string): ConfigDefinition | undefined {
  if (Object.hasOwn(brokerConfigs, name)) return brokerConfigs[name as BrokerConfigName] as ConfigDefinition
  const base = listenerConfigBase(name)
  return base === null || base === name ? undefined : brokerDefinition(base)
}

/** SASL settings that are given per listener and mechanism. */
const mechanismConfigs = [
  'sasl.jaas.config',
  'sasl.login.callback.handler.class',
  'sasl.login.class',
  'sasl.server.callback.handler.class',
  'connections.max.reauth.ms',
]

/** The name a listener's own setting overrides; null when `name` is no such setting. */
export function listenerConfigBase(name: string): string | null {
  const rest = /^listener\.name\.[^.]*\.(.*)$/s.exec(name)?.[1]
  if (rest === undefined) return null
  return mechanismConfigs.find((one) => rest.endsWith(one)) ?? rest
}

const synonymGroups: readonly (readonly string[])[] = [
  ['log.roll.ms', 'log.roll.hours'],
  ['log.roll.jitter.ms', 'log.roll.jitter.hours'],
  ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours'],
]

/** The names under which a setting may be given, the first that is set winning; just the name for most. */
export function brokerSynonyms(name: string): readonly string[] {
  if (name === 'log.flush.interval.ms') return ['log.flush.interval.ms', 'log.flush.scheduler.interval.ms']
  const group = synonymGroups.find((names) => names.includes(name))
  if (group !== undefined) return group
  const base = listenerConfigBase(name)
  return base === null ? [name] : [name, base]
}
