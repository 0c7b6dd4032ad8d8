/** Where the cluster's metadata lies in the coordination tree, and its JSON: Kafka's layout (ZkData). */
import { FeaturesImage } from '../metadata/features.ts'
import type { LevelRange } from '../metadata/features.ts'
import type { BrokerImage, ConfigEntityKey, ConfigEntries, EndpointImage, PartitionImage } from '../metadata/image.ts'

/** Persistent nodes that are always there, parents first. */
export const permanentPaths: readonly string[] = [
  '/cluster',
  '/consumers',
  '/brokers',
  '/brokers/ids',
  '/brokers/topics',
  '/brokers/seqid',
  '/config',
  '/config/changes',
  '/config/topics',
  '/config/clients',
  '/config/users',
  '/config/brokers',
  '/config/ips',
  '/config/groups',
  '/config/client-metrics',
  '/admin',
  '/admin/delete_topics',
  '/isr_change_notification',
  '/latest_producer_id_block',
  '/log_dir_event_notification',
]

export const controllerPath = '/controller'
export const controllerEpochPath = '/controller_epoch'
export const featuresPath = '/feature'
export const clusterIdPath = '/cluster/id'
export const brokersPath = '/brokers/ids'
export const topicsPath = '/brokers/topics'
export const deletionsPath = '/admin/delete_topics'
export const producerIdBlockPath = '/latest_producer_id_block'

export const brokerPath = (id: number): string => `${brokersPath}/${id}`
export const topicPath = (topic: string): string => `${topicsPath}/${topic}`
export const partitionsPath = (topic: string): string => `${topicsPath}/${topic}/partitions`
export const partitionPath = (topic: string, partition: number): string =>
  `${topicsPath}/${topic}/partitions/${partition}`
export const statePath = (topic: string, partition: number): string => `${partitionPath(topic, partition)}/state`
export const deletionPath = (topic: string): string => `${deletionsPath}/${topic}`

const DEFAULT_ENTITY = '<default>'
/** Names of these may hold any character. Those of users and clients are kept in their escaped form everywhere. */
const ESCAPED_TYPES: readonly string[] = ['groups', 'client-metrics']

export function configPath(entity: ConfigEntityKey): string {
  const slash = entity.indexOf('/')
  const type = entity.slice(0, slash)
  const name = entity.slice(slash + 1)
  if (name === '') return `/config/${type}/${DEFAULT_ENTITY}`
  return `/config/${type}/${ESCAPED_TYPES.includes(type) ? escapeName(name) : name}`
}

/** The name of the entity whose node, under `/config/<type>`, is called `nodeName`. */
export function configNameOf(type: string, nodeName: string): string {
  if (nodeName === DEFAULT_ENTITY) return ''
  return ESCAPED_TYPES.includes(type) ? decodeURIComponent(nodeName) : nodeName
}

/** Percent-encodes all but letters, digits, '.', '-' and '_'. */
export function escapeName(name: string): string {
  return encodeURIComponent(name).replace(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

export function encode(value: unknown): Uint8Array {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
}

/** @throws Error that names the node when its data is not a JSON object. */
export function decode(path: string, data: Uint8Array): Record<string, unknown> {
  const text = Buffer.from(data.buffer, data.byteOffset, data.length).toString()
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch (cause) {
    throw new Error(`coordination tree: ${path} does not hold JSON: ${text.slice(0, 200)}`, { cause })
  }
  throw new Error(`coordination tree: ${path} does not hold a JSON object: ${text.slice(0, 200)}`)
}

export interface Assignment {
  readonly replicas: readonly number[]
  readonly addingReplicas: readonly number[]
  readonly removingReplicas: readonly number[]
}

export function encodeTopic(id: string, partitions: readonly Assignment[]): Uint8Array {
  const listed = (
    pick: (partition: Assignment) => readonly number[],
    skipsEmpty: boolean,
  ): Record<string, readonly number[]> =>
    Object.fromEntries(
      partitions.flatMap((partition, index) => {
        const ids = pick(partition)
        return skipsEmpty && ids.length === 0 ? [] : [[index, ids] as const]
      }),
    )
  return encode({
    version: 3,
    topic_id: id,
    partitions: listed(({ replicas }) => replicas, false),
    adding_replicas: listed(({ addingReplicas }) => addingReplicas, true),
    removing_replicas: listed(({ removingReplicas }) => removingReplicas, true),
  })
}

export interface StoredTopic {
  /** null in nodes written before topic ids (versions 1 and 2). */
  readonly id: string | null
  readonly partitions: readonly Assignment[]
}

export function decodeTopic(path: string, data: Uint8Array): StoredTopic {
  const { topic_id: id, partitions, adding_replicas: adding, removing_replicas: removing } = decode(path, data)
  const replicasOf = (lists: unknown, index: number): readonly number[] =>
    idList((lists as Record<string, unknown> | undefined)?.[index])
  const count = Object.keys((partitions as object | undefined) ?? {}).length
  const assignments = Array.from({ length: count }, (_, index) => ({
    replicas: replicasOf(partitions, index),
    addingReplicas: replicasOf(adding, index),
    removingReplicas: replicasOf(removing, index),
  }))
  const gap = assignments.findIndex(({ replicas }) => replicas.length === 0)
  if (gap >= 0 || count === 0)
    throw new Error(
      `coordination tree: ${path} assigns ${count} partitions but has no replicas for partition ${Math.max(gap, 0)}`,
    )
  return { id: typeof id === 'string' ? id : null, partitions: assignments }
}

/** One array for the many partitions that have the same single replica. */
const singles = Array.from({ length: 256 }, (_, id) => Object.freeze([id]))
const noIds: readonly number[] = Object.freeze([])

function idList(value: unknown): readonly number[] {
  if (!Array.isArray(value) || value.length === 0) return noIds
  const [first] = value as unknown[]
  return value.length === 1 && typeof first === 'number' ? (singles[first] ?? [first]) : value.map(Number)
}

export function encodeState(partition: PartitionImage, controllerEpoch: number): Uint8Array {
  const recovery = partition.leaderRecovering ? ',"leader_recovery_state":1' : ''
  return encode(
    `{"controller_epoch":${controllerEpoch},"leader":${partition.leader},"version":1,"leader_epoch":${partition.leaderEpoch},"isr":[${partition.isr.join()}]${recovery}}`,
  )
}

export type StoredState = Pick<PartitionImage, 'leader' | 'leaderEpoch' | 'isr' | 'leaderRecovering'>

export function decodeState(path: string, data: Uint8Array): StoredState {
  const { leader, leader_epoch: leaderEpoch, isr, leader_recovery_state: recovery } = decode(path, data)
  if (typeof leader !== 'number' || typeof leaderEpoch !== 'number' || !Array.isArray(isr))
    throw new Error(`coordination tree: ${path} lacks leader, leader_epoch or isr`)
  return { leader, leaderEpoch, isr: idList(isr), leaderRecovering: recovery === 1 }
}

export interface BrokerRegistration {
  readonly rack: string | null
  /** By listener name, in the order of the configuration. */
  readonly endpoints: ReadonlyMap<string, EndpointImage>
  /** Levels it supports. */
  readonly features: ReadonlyMap<string, LevelRange>
}

export function encodeBroker({ rack, endpoints, features }: BrokerRegistration, nowMs: number): Uint8Array {
  const plaintext = [...endpoints.values()].find(({ securityProtocol }) => securityProtocol === 'PLAINTEXT')
  return encode({
    version: 5,
    host: plaintext?.host ?? null,
    port: plaintext?.port ?? -1,
    endpoints: [...endpoints].map(
      ([name, { host, port }]) => `${name}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ),
    jmx_port: -1,
    timestamp: String(nowMs),
    ...(rack === null ? {} : { rack }),
    listener_security_protocol_map: Object.fromEntries(
      [...endpoints].map(([name, { securityProtocol }]) => [name, securityProtocol]),
    ),
    features: Object.fromEntries(
      Array.from(features, ([name, { min, max }]) => [name, { min_version: min, max_version: max }]),
    ),
  })
}

export function decodeBroker(id: number, data: Uint8Array, epoch: bigint): BrokerImage {
  const path = brokerPath(id)
  const { endpoints, rack, listener_security_protocol_map: protocols, features } = decode(path, data)
  const byName = new Map<string, EndpointImage>()
  for (const endpoint of Array.isArray(endpoints) ? (endpoints as unknown[]) : []) {
    const match = /^([^:]+):\/\/(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(String(endpoint))
    if (match === null) throw new Error(`coordination tree: ${path} has an endpoint ${String(endpoint)}`)
    const [, name = '', bracketed, plain = '', port] = match
    const securityProtocol = (protocols as Record<string, unknown> | undefined)?.[name]
    byName.set(name, {
      host: bracketed ?? plain,
      port: Number(port),
      securityProtocol: typeof securityProtocol === 'string' ? securityProtocol : name,
    })
  }
  return {
    id,
    epoch,
    rack: typeof rack === 'string' ? rack : null,
    endpoints: byName,
    fenced: false,
    features: new Map(
      Object.entries((features as object | undefined) ?? {}).map(([feature, range]) => {
        const { min_version: min, max_version: max } = range as Record<string, unknown>
        return [feature, { min: Number(min), max: Number(max) }]
      }),
    ),
  }
}

/** The finalized levels; a node without the status "enabled" finalizes nothing. */
const FEATURES_ENABLED = 1

export function encodeFeatures(levels: ReadonlyMap<string, number>): Uint8Array {
  return encode({
    version: 2,
    status: FEATURES_ENABLED,
    features: Object.fromEntries(Array.from(levels, ([name, level]) => [name, { max_version_level: level }])),
  })
}

export function decodeFeatures(data: Uint8Array, epoch: number): FeaturesImage {
  const { status, features } = decode(featuresPath, data)
  const levels = new Map<string, number>()
  if (status !== FEATURES_ENABLED) return new FeaturesImage(epoch, levels)
  for (const [name, range] of Object.entries((features as object | undefined) ?? {})) {
    const level = (range as Record<string, unknown> | null)?.max_version_level
    if (typeof level !== 'number')
      throw new Error(`coordination tree: ${featuresPath} has no max_version_level for ${name}`)
    if (level > 0) levels.set(name, level)
  }
  return new FeaturesImage(epoch, levels)
}

export function encodeConfig(entries: ConfigEntries): Uint8Array {
  return encode({ version: 1, config: Object.fromEntries(entries) })
}

export function decodeConfig(path: string, data: Uint8Array): ConfigEntries {
  // Kafka leaves the data of a user without settings of its own empty when it has clients.
  if (data.length === 0) return new Map()
  const { config } = decode(path, data)
  return new Map(Object.entries((config as object | undefined) ?? {}).map(([name, value]) => [name, String(value)]))
}

export function encodeController(brokerId: number, nowMs: number): Uint8Array {
  return encode({ version: 2, brokerid: brokerId, timestamp: String(nowMs), kraftControllerEpoch: -1 })
}

export function encodeClusterId(id: string): Uint8Array {
  return encode({ version: '1', id })
}

export interface ProducerIdBlock {
  readonly brokerId: number
  readonly start: bigint
  /** The last id of the block. */
  readonly end: bigint
}

export function encodeProducerIdBlock({ brokerId, start, end }: ProducerIdBlock): Uint8Array {
  return encode({ version: 1, broker: brokerId, block_start: String(start), block_end: String(end) })
}

/** null when no block was handed out yet. */
export function decodeProducerIdBlock(data: Uint8Array): ProducerIdBlock | null {
  if (data.length === 0) return null
  const block = decode(producerIdBlockPath, data)
  return {
    brokerId: Number(block.broker),
    start: BigInt(String(block.block_start)),
    end: BigInt(String(block.block_end)),
  }
}
