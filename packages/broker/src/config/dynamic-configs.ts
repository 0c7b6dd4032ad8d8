/** Which broker settings may be changed while brokers run, and where. Source: KIP-226, Kafka's DynamicBrokerConfig. */
import type { ConfigTexts } from './broker-config.ts'
import { brokerConfigs, listenerConfigBase, type BrokerConfigName } from './broker-configs.ts'

/** Only changed per listener (`listener.name.<listener>.`), for the files of one listener's certificates. */
const perListenerOnly: ReadonlySet<string> = new Set([
  'ssl.keystore.type',
  'ssl.keystore.location',
  'ssl.keystore.password',
  'ssl.key.password',
  'ssl.keystore.key',
  'ssl.keystore.certificate.chain',
  'ssl.truststore.type',
  'ssl.truststore.location',
  'ssl.truststore.password',
  'ssl.truststore.certificates',
])

/** Listener settings that may also be given for the whole cluster. */
const clusterListenerConfigs: readonly string[] = [
  'max.connections',
  'max.connection.creation.rate',
  'num.network.threads',
]

/** Names that may not be set on this level while running, and why; the first reason that has any. */
export function invalidDynamicNames(
  texts: ConfigTexts,
  level: 'cluster' | 'broker',
): { names: ReadonlySet<string>; reason: string } {
  const names = [...texts.keys()]
  const readOnly = names.filter((name) => isReadOnly(name))
  if (readOnly.length > 0) return { names: new Set(readOnly), reason: 'Cannot update these configs dynamically' }
  const unprefixed = names.filter((name) => perListenerOnly.has(name))
  if (unprefixed.length > 0)
    return {
      names: new Set(unprefixed),
      reason: 'These security configs can be dynamically updated only per-listener using the listener prefix',
    }
  const perBroker = level === 'broker' ? [] : names.filter((name) => isPerBroker(name))
  return {
    names: new Set(perBroker),
    reason: 'Cannot update these configs at default cluster level, broker id must be specified',
  }
}

/** True for a known setting that only a restart changes. Names nobody knows may be set, as in Kafka. */
export function isReadOnly(name: string): boolean {
  return Object.hasOwn(brokerConfigs, name) && brokerConfigs[name as BrokerConfigName].dynamic === null
}

function isPerBroker(name: string): boolean {
  if (Object.hasOwn(brokerConfigs, name)) return brokerConfigs[name as BrokerConfigName].dynamic === 'per-broker'
  const base = listenerConfigBase(name)
  return base !== null && !clusterListenerConfigs.includes(base)
}
