/**
 * Reads the cluster's metadata from the coordination tree, as a new controller does, and finds what an earlier one has left half done.
 */
import { createNode, deleteNode, isCoordinationFailure, setNode } from '@millrace/coordination'
import type { CoordinationSession, NodeValue, Operation } from '@millrace/coordination'
import type { Random } from '@millrace/runtime'
import { SUPPORTED_FEATURES } from '../metadata/features.ts'
import type { FeaturesImage } from '../metadata/features.ts'
import type { BrokerImage, ConfigEntityKey, ConfigEntries, PartitionImage, TopicImage } from '../metadata/image.ts'
import { NO_STATE } from './partition-election.ts'
import { randomUuid } from './random-uuid.ts'
import {
  brokerPath,
  brokersPath,
  configNameOf,
  configPath,
  decodeBroker,
  decodeConfig,
  decodeFeatures,
  decodeProducerIdBlock,
  decodeState,
  decodeTopic,
  deletionPath,
  deletionsPath,
  encodeTopic,
  featuresPath,
  partitionPath,
  partitionsPath,
  producerIdBlockPath,
  statePath,
  topicPath,
  topicsPath,
} from './znodes.ts'
import type { Assignment, StoredTopic } from './znodes.ts'

export interface ClusterState {
  readonly brokers: Map<number, BrokerImage>
  readonly topics: Map<string, TopicImage>
  readonly configs: Map<ConfigEntityKey, ConfigEntries>
  readonly features: FeaturesImage
  /** Makes the tree say what `topics` says; to be done before anything else. */
  readonly repairs: Operation[]
  /** Replicas in an ISR whose broker is gone or has registered again since: by topic and partition. Partitions without any are left out. */
  readonly suspects: Map<string, Map<number, readonly number[]>>
  /** First producer id nobody has been given. */
  readonly nextProducerId: bigint
}

/** Reads in flight at once: enough to hide a round trip, few enough for any server. */
const READS_AT_ONCE = 256

export async function readCluster(session: CoordinationSession, random: Random): Promise<ClusterState> {
  const features = await readFeatures(session)
  const brokers = await readBrokers(session)
  const deletions = new Set(await session.children(deletionsPath))
  const repairs: Operation[] = []
  for (const topic of deletions) repairs.push(...(await deletionOf(session, topic)))

  const topics = new Map<string, TopicImage>()
  const suspects: ClusterState['suspects'] = new Map()
  for (const name of await session.children(topicsPath)) {
    if (deletions.has(name)) continue
    const path = topicPath(name)
    const stored = decodeTopic(path, (await session.get(path)).data)
    const id = stored.id ?? randomUuid(random)
    if (stored.id === null) repairs.push(setNode(path, encodeTopic(id, stored.partitions)))
    const partitions = await readPartitions(session, name, stored, repairs)
    const doubted = new Map<number, readonly number[]>()
    const settled = partitions.map(({ image, mzxid }, index) => {
      const doubtful = image.isr.filter((broker) => !((brokers.get(broker)?.epoch ?? mzxid) < mzxid))
      if (doubtful.length === 0) return image
      doubted.set(index, doubtful)
      // A leader that is not there, or not the one that was elected, does not lead.
      return doubtful.includes(image.leader) ? { ...image, leader: -1 } : image
    })
    if (doubted.size > 0) suspects.set(name, doubted)
    topics.set(name, { name, id, partitions: settled })
  }
  const configs = await readConfigs(session, repairs, (topic) => topics.has(topic), deletions)
  const block = decodeProducerIdBlock((await session.get(producerIdBlockPath)).data)
  return { brokers, topics, configs, features, repairs, suspects, nextProducerId: block === null ? 0n : block.end + 1n }
}

/** @throws Error when a newer broker has finalized a level that this one does not know: it would break what that one promised. */
async function readFeatures(session: CoordinationSession): Promise<FeaturesImage> {
  const { data, stat } = await session.get(featuresPath)
  const features = decodeFeatures(data, stat.version)
  for (const [name, level] of features.levels) {
    const range = SUPPORTED_FEATURES.get(name)
    if (range !== undefined && level >= range.min && level <= range.max) continue
    const known = range === undefined ? 'does not know it' : `supports levels ${range.min} to ${range.max}`
    throw new Error(`the cluster has finalized ${name} at level ${level}, and this broker ${known}`)
  }
  return features
}

/** The registered brokers. `onChange` is called once when one comes or goes. */
export async function readBrokers(
  session: CoordinationSession,
  onChange?: () => void,
): Promise<Map<number, BrokerImage>> {
  const brokers = new Map<number, BrokerImage>()
  for (const name of await session.children(brokersPath, onChange)) {
    const id = Number(name)
    const node = await getOrNull(session, brokerPath(id))
    if (node !== null) brokers.set(id, decodeBroker(id, node.data, node.stat.czxid))
  }
  return brokers
}

interface StoredPartition {
  readonly image: PartitionImage
  /** The transaction that wrote its state. */
  readonly mzxid: bigint
}

async function readPartitions(
  session: CoordinationSession,
  topic: string,
  { partitions }: StoredTopic,
  repairs: Operation[],
): Promise<StoredPartition[]> {
  const read: StoredPartition[] = []
  const stateless: number[] = []
  for (let start = 0; start < partitions.length; start += READS_AT_ONCE) {
    const some = partitions.slice(start, start + READS_AT_ONCE)
    const states = await Promise.all(some.map((_, offset) => getOrNull(session, statePath(topic, start + offset))))
    for (const [offset, assignment] of some.entries()) {
      const index = start + offset
      const state = states[offset] ?? null
      if (state === null) stateless.push(index)
      read.push(
        state === null
          ? { image: withoutState(assignment), mzxid: 0n }
          : { image: withState(statePath(topic, index), assignment, state), mzxid: state.stat.mzxid },
      )
    }
  }
  if (stateless.length > 0) repairs.push(...(await missingParents(session, topic, stateless)))
  return read
}

function withState(path: string, assignment: Assignment, { data, stat }: NodeValue): PartitionImage {
  const state = decodeState(path, data)
  const { replicas } = assignment
  // Most partitions have all replicas in sync: share the array.
  const isr =
    state.isr.length === replicas.length && state.isr.every((id, at) => id === replicas[at]) ? replicas : state.isr
  return { ...state, isr, partitionEpoch: stat.version, ...assignment }
}

/** Assigned, but its first leader was never written. */
function withoutState(assignment: Assignment): PartitionImage {
  return { leader: -1, leaderEpoch: 0, partitionEpoch: NO_STATE, isr: [], leaderRecovering: false, ...assignment }
}

/** Nodes above the states of partitions that have none. */
async function missingParents(
  session: CoordinationSession,
  topic: string,
  partitions: readonly number[],
): Promise<Operation[]> {
  const repairs: Operation[] = []
  const present = await childrenOrNull(session, partitionsPath(topic))
  if (present === null) repairs.push(createNode(partitionsPath(topic)))
  const names = new Set(present)
  for (const index of partitions) if (!names.has(String(index))) repairs.push(createNode(partitionPath(topic, index)))
  return repairs
}

/** Completes a deletion that was begun: what is left of the topic, its configuration and the mark. */
async function deletionOf(session: CoordinationSession, topic: string): Promise<Operation[]> {
  const operations = await treeDeletion(session, topicPath(topic))
  const config = configPath(`topics/${topic}`)
  if ((await session.exists(config)) !== null) operations.push(deleteNode(config))
  operations.push(deleteNode(deletionPath(topic)))
  return operations
}

async function treeDeletion(session: CoordinationSession, path: string): Promise<Operation[]> {
  const children = await childrenOrNull(session, path)
  if (children === null) return []
  const operations: Operation[] = []
  for (const child of children) operations.push(...(await treeDeletion(session, `${path}/${child}`)))
  operations.push(deleteNode(path))
  return operations
}

/**
 * Afterwards a node is there exactly for the entities in the result (users apart, whose nodes also hold their clients): nodes that say
 * nothing, and those of topics that do not exist, are removed by the repairs.
 */
async function readConfigs(
  session: CoordinationSession,
  repairs: Operation[],
  isTopic: (name: string) => boolean,
  deletions: ReadonlySet<string>,
): Promise<Map<ConfigEntityKey, ConfigEntries>> {
  const configs = new Map<ConfigEntityKey, ConfigEntries>()
  const read = async (entity: ConfigEntityKey, path: string): Promise<void> => {
    const topic = entity.startsWith('topics/') ? entity.slice('topics/'.length) : null
    if (topic !== null && deletions.has(topic)) return
    const entries = decodeConfig(path, (await session.get(path)).data)
    if (entries.size > 0 && (topic === null || isTopic(topic))) configs.set(entity, entries)
    else if (!entity.startsWith('users/')) repairs.push(deleteNode(path))
  }
  for (const type of ['topics', 'brokers', 'groups', 'client-metrics', 'clients', 'users', 'ips'] as const) {
    const names = await session.children(`/config/${type}`)
    for (let start = 0; start < names.length; start += READS_AT_ONCE) {
      const some = names.slice(start, start + READS_AT_ONCE)
      await Promise.all(some.map((name) => read(`${type}/${configNameOf(type, name)}`, `/config/${type}/${name}`)))
    }
  }
  for (const user of await session.children('/config/users')) {
    const clients = (await childrenOrNull(session, `/config/users/${user}/clients`)) ?? []
    for (const client of clients)
      await read(`users/${user}/clients/${client}`, `/config/users/${user}/clients/${client}`)
  }
  return configs
}

async function getOrNull(session: CoordinationSession, path: string): Promise<NodeValue | null> {
  try {
    return await session.get(path)
  } catch (error) {
    if (isCoordinationFailure(error, 'no-node')) return null
    throw error
  }
}

async function childrenOrNull(session: CoordinationSession, path: string): Promise<string[] | null> {
  try {
    return await session.children(path)
  } catch (error) {
    if (isCoordinationFailure(error, 'no-node')) return null
    throw error
  }
}
