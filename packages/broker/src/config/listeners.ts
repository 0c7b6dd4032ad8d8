/** `listeners` and what belongs to them, by Kafka's rules: names, ports, protocols, and what clients are told. */
import type { Address } from '@millrace/runtime'
import type { BrokerConfigReader } from './broker-configs.ts'

export type SecurityProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'

export interface BindAddress extends Address {
  /** A machine without this address (no IPv6) goes without it. */
  readonly isOptional: boolean
  /** Bound instead on a machine that lacks `host`; null: nothing. */
  readonly fallbackHost: string | null
}

export interface ListenerConfig {
  /** Upper case, unique. */
  readonly name: string
  /** null: all interfaces. */
  readonly host: string | null
  /** 0: any free one. */
  readonly port: number
  readonly securityProtocol: SecurityProtocol
  /** What to bind for it; `localhost` is both loopback addresses. */
  readonly bind: readonly BindAddress[]
  /** Where clients are told to find this broker; null: where they have found it. */
  readonly advertised: Address | null
}

export interface ListenerSettings {
  readonly listeners: readonly ListenerConfig[]
  /** The listener of this name is the one brokers talk over. */
  readonly interBrokerListenerName: string
  readonly warnings: readonly string[]
}

interface Endpoint {
  readonly name: string
  readonly host: string | null
  readonly port: number
  /** As it was written. */
  readonly text: string
}

const protocols: readonly string[] = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']

/** Reads the settings of the listeners; what is wrong goes into `problems`, each with the property's name. */
export function readListeners(
  config: BrokerConfigReader,
  isSet: (name: string) => boolean,
  problems: string[],
): ListenerSettings {
  const controllerNames = new Set((config.get('controller.listener.names') ?? []).map((name) => name.toUpperCase()))
  const protocolMap = readProtocolMap(config, isSet, controllerNames, problems)
  const all = parseEndpoints('listeners', config.get('listeners'), problems)
  checkNames('listeners', all, problems)
  checkPorts(all, problems)
  const dropped = all.filter(({ name }) => controllerNames.has(name))
  const opened = all.filter(({ name }) => !controllerNames.has(name))
  if (opened.length === 0 && all.length > 0)
    problems.push(
      'listeners: there is none besides those named in controller.listener.names, which Millrace does not open',
    )

  const advertised = readAdvertised(config, opened, controllerNames, problems)
  const listeners = opened.map((endpoint) => ({
    name: endpoint.name,
    host: endpoint.host,
    port: endpoint.port,
    securityProtocol: protocolOf(endpoint, protocolMap, problems),
    bind: bindAddresses(endpoint),
    advertised: advertisedAddress(endpoint, advertised, problems),
  }))
  const reachable = advertised === null ? opened : opened.filter(({ name }) => advertised.has(name))
  const interBrokerListenerName = readInterBroker(config, isSet, reachable, protocolMap, problems)
  const warnings =
    dropped.length === 0
      ? []
      : [`not opening ${dropped.map(({ text }) => text).join(', ')}: listeners of KRaft controllers have no use here`]
  return { listeners, interBrokerListenerName, warnings }
}

/** Groups: name, host with or without brackets, port. */
const endpointPattern = /^(.*):\/\/\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$/

function parseEndpoints(property: string, texts: readonly string[], problems: string[]): Endpoint[] {
  const endpoints: Endpoint[] = []
  for (const text of texts) {
    const [, name, host, portText] = endpointPattern.exec(text) ?? []
    const port = Number(portText)
    if (name === undefined || name === '' || host === undefined)
      problems.push(`${property}: ${text} is not of the form NAME://host:port`)
    else if (!(port >= 0 && port <= 65_535)) problems.push(`${property}: the port of ${text} must be from 0 to 65535`)
    else endpoints.push({ name: name.toUpperCase(), host: host === '' ? null : host, port, text })
  }
  return endpoints
}

function checkNames(property: string, endpoints: readonly Endpoint[], problems: string[]): void {
  const seen = new Set<string>()
  for (const { name } of endpoints) {
    if (seen.has(name)) problems.push(`${property}: each listener must have a different name, ${name} is there twice`)
    seen.add(name)
  }
}

/** One port twice is allowed only for one IPv4 and one IPv6 address. */
function checkPorts(endpoints: readonly Endpoint[], problems: string[]): void {
  const byPort = Map.groupBy(
    endpoints.filter(({ port }) => port !== 0),
    ({ port }) => port,
  )
  for (const [port, sharing] of byPort) {
    if (sharing.length < 2) continue
    const versions = sharing.map(({ host }) => ipVersion(host))
    if (versions.length === 2 && versions.includes(4) && versions.includes(6)) continue
    problems.push(
      `listeners: ${sharing.map(({ text }) => text).join(' and ')} share port ${port}; each must have its own, ` +
        `except for one IPv4 and one IPv6 address`,
    )
  }
}

/** 0 for anything that is not a numeric address. */
function ipVersion(host: string | null): 0 | 4 | 6 {
  if (host === null) return 0
  if (/^(\d{1,3}\.){3}\d{1,3}$/.test(host)) return 4
  return host.includes(':') ? 6 : 0
}

function readProtocolMap(
  config: BrokerConfigReader,
  isSet: (name: string) => boolean,
  controllerNames: ReadonlySet<string>,
  problems: string[],
): Map<string, SecurityProtocol> {
  const property = 'listener.security.protocol.map'
  const map = new Map<string, SecurityProtocol>()
  for (const [name, protocol] of readPairs(property, config.get(property), problems)) {
    const known = protocol.toUpperCase()
    if (protocols.includes(known)) map.set(name.toUpperCase(), known as SecurityProtocol)
    else problems.push(`${property}: ${protocol} is not a security protocol; those are ${protocols.join(', ')}`)
  }
  if (!isSet(property)) for (const name of controllerNames) if (!map.has(name)) map.set(name, 'PLAINTEXT')
  return map
}

/** `key:value` pairs, comma separated; the last colon divides, so that keys may be IPv6 addresses. */
export function readPairs(property: string, text: string, problems: string[]): [key: string, value: string][] {
  const pairs: [string, string][] = []
  if (text.trim() === '') return pairs
  for (const part of text.split(/\s*,\s*/)) {
    const at = part.lastIndexOf(':')
    if (at <= 0) problems.push(`${property}: ${JSON.stringify(part)} is not of the form name:value`)
    else pairs.push([part.slice(0, at).trim(), part.slice(at + 1).trim()])
  }
  return pairs
}

function protocolOf(
  { name, text }: Endpoint,
  map: ReadonlyMap<string, SecurityProtocol>,
  problems: string[],
): SecurityProtocol {
  const protocol = map.get(name)
  if (protocol === undefined)
    problems.push(`listeners: ${text} has no security protocol; give it one in listener.security.protocol.map`)
  else if (protocol !== 'PLAINTEXT')
    problems.push(`listeners: ${text} uses ${protocol}, which is not supported yet; only PLAINTEXT is`)
  return protocol ?? 'PLAINTEXT'
}

function bindAddresses({ host, port }: Endpoint): BindAddress[] {
  if (host === null) return [{ host: '::', port, isOptional: false, fallbackHost: '0.0.0.0' }]
  if (host.toLowerCase() !== 'localhost') return [{ host, port, isOptional: false, fallbackHost: null }]
  return [
    { host: '127.0.0.1', port, isOptional: false, fallbackHost: null },
    { host: '::1', port, isOptional: true, fallbackHost: null },
  ]
}

/** By listener name; null when `advertised.listeners` is not set. */
function readAdvertised(
  config: BrokerConfigReader,
  opened: readonly Endpoint[],
  controllerNames: ReadonlySet<string>,
  problems: string[],
): Map<string, Endpoint> | null {
  const property = 'advertised.listeners'
  const texts = config.get(property)
  if (texts === null) return null
  const endpoints = parseEndpoints(property, texts, problems).filter(({ name }) => !controllerNames.has(name))
  checkNames(property, endpoints, problems)
  const names = new Set(opened.map(({ name }) => name))
  for (const { name, host, text } of endpoints) {
    if (!names.has(name)) problems.push(`${property}: ${text} names a listener that listeners does not have`)
    if (host === '0.0.0.0' || host === '::')
      problems.push(`${property}: ${text} is not an address clients can reach; name the host they should connect to`)
  }
  if (endpoints.length === 0) problems.push(`${property}: there must be at least one that is not a controller's`)
  return new Map(endpoints.map((endpoint) => [endpoint.name, endpoint]))
}

function advertisedAddress(
  { name, port }: Endpoint,
  advertised: ReadonlyMap<string, Endpoint> | null,
  problems: string[],
): Address | null {
  const endpoint = advertised?.get(name)
  if (endpoint === undefined) return null
  if (endpoint.host !== null) return { host: endpoint.host, port: endpoint.port }
  if (endpoint.port !== port)
    problems.push(`advertised.listeners: ${endpoint.text} has another port than the listener and so needs a host`)
  return null
}

function readInterBroker(
  config: BrokerConfigReader,
  isSet: (name: string) => boolean,
  reachable: readonly Endpoint[],
  protocolMap: ReadonlyMap<string, SecurityProtocol>,
  problems: string[],
): string {
  const given = config.get('inter.broker.listener.name')?.toUpperCase() ?? null
  if (given !== null && isSet('security.inter.broker.protocol'))
    problems.push('inter.broker.listener.name, security.inter.broker.protocol: only one of them may be set')
  if (given !== null && !protocolMap.has(given))
    problems.push(`inter.broker.listener.name: ${given} is not in listener.security.protocol.map`)
  const name = given ?? config.get('security.inter.broker.protocol')
  if (reachable.length > 0 && !reachable.some((endpoint) => endpoint.name === name))
    problems.push(
      `${given === null ? 'security.inter.broker.protocol' : 'inter.broker.listener.name'}: ${name} must be a listener that is ` +
        `advertised; those are ${reachable.map((endpoint) => endpoint.name).join(', ')}`,
    )
  return name
}
