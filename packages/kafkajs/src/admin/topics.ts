/** Topics, partitions and their offsets, as KafkaJS's admin has them. */
import type { Admin as ClientAdmin } from '@millrace/client'
import type { TopicPartitions } from '../consumer/paused-partitions.ts'
import {
  KafkaJSAggregateError,
  KafkaJSAlterPartitionReassignmentsError,
  KafkaJSBrokerNotFound,
  KafkaJSCreateTopicError,
  KafkaJSDeleteTopicRecordsError,
  KafkaJSError,
  KafkaJSNonRetriableError,
} from '../errors.ts'
import { partitionMetadata, type PartitionMetadata } from '../producer/partitioners.ts'
import type { PartitionOffset } from '../producer/transaction.ts'
import { translated } from '../translate-error.ts'
import { failuresOf, firstFailure } from './partial-failures.ts'

export interface ReplicaAssignment {
  partition: number
  replicas: number[]
}

export interface IResourceConfigEntry {
  name: string
  value: string
}

export interface ITopicConfig {
  topic: string
  numPartitions?: number
  replicationFactor?: number
  replicaAssignment?: ReplicaAssignment[]
  configEntries?: IResourceConfigEntry[]
}

export interface ITopicPartitionConfig {
  topic: string
  count: number
  assignments?: number[][]
}

export interface ITopicMetadata {
  name: string
  partitions: PartitionMetadata[]
}

export interface PartitionReassignment {
  topic: string
  partitionAssignment: ReplicaAssignment[]
}

export interface OngoingPartitionReassignment {
  partitionIndex: number
  replicas: number[]
  addingReplicas?: number[]
  removingReplicas?: number[]
}

export interface OngoingTopicReassignment {
  topic: string
  partitions: OngoingPartitionReassignment[]
}

export interface ListPartitionReassignmentsResponse {
  topics: OngoingTopicReassignment[]
}

export type SeekEntry = PartitionOffset

export interface TopicAdmin {
  listTopics(): Promise<string[]>
  /** False when all of the topics exist already. */
  createTopics(options: {
    validateOnly?: boolean
    /** Without effect: the client waits where it needs a leader. */
    waitForLeaders?: boolean
    timeout?: number
    topics: ITopicConfig[]
  }): Promise<boolean>
  deleteTopics(options: { topics: string[]; timeout?: number }): Promise<void>
  createPartitions(options: {
    validateOnly?: boolean
    timeout?: number
    topicPartitions: ITopicPartitionConfig[]
  }): Promise<boolean>
  fetchTopicMetadata(options?: { topics?: string[] }): Promise<{ topics: ITopicMetadata[] }>
  fetchTopicOffsets(topic: string): Promise<(SeekEntry & { high: string; low: string })[]>
  /** Without a timestamp: the ends. */
  fetchTopicOffsetsByTimestamp(topic: string, timestamp?: number): Promise<SeekEntry[]>
  deleteTopicRecords(options: { topic: string; partitions: SeekEntry[] }): Promise<void>
  alterPartitionReassignments(request: { topics: PartitionReassignment[]; timeout?: number }): Promise<void>
  listPartitionReassignments(request?: {
    topics?: TopicPartitions[]
    timeout?: number
  }): Promise<ListPartitionReassignmentsResponse>
}

const DEFAULT_TIMEOUT_MS = 5_000

export function topicAdmin(admin: () => ClientAdmin): TopicAdmin {
  const partitionNumbers = async (topic: string): Promise<number[]> => {
    const [description] = await translated(admin().describeTopics([topic]))
    return description.partitions.map(({ partition }) => partition)
  }

  return {
    listTopics: async () => (await translated(admin().listTopics({ includeInternal: true }))).map(({ name }) => name),

    async createTopics({ topics, validateOnly = false, timeout = DEFAULT_TIMEOUT_MS }) {
      checkList(topics, 'topics')
      for (const { topic, configEntries } of topics) checkEntries(topic, configEntries)
      const failures = await failuresOf(
        admin().createTopics(
          topics.map(({ topic, numPartitions = -1, replicationFactor = -1, replicaAssignment, configEntries }) => ({
            name: topic,
            ...(replicaAssignment !== undefined && replicaAssignment.length > 0
              ? { replicaAssignments: inOrder(replicaAssignment) }
              : {
                  ...(numPartitions > 0 ? { numPartitions } : {}),
                  ...(replicationFactor > 0 ? { replicationFactor } : {}),
                }),
            configs: Object.fromEntries((configEntries ?? []).map(({ name, value }) => [name, value])),
          })),
          { validateOnly, timeoutMs: timeout },
        ),
      )
      if (failures.size === 0) return true
      const errors = [...failures].map(([index, error]) => new KafkaJSCreateTopicError(error, topics[index]!.topic))
      if (errors.every(({ type }) => type === 'TOPIC_ALREADY_EXISTS')) return false
      throw new KafkaJSAggregateError('Topic creation errors', errors)
    },

    async deleteTopics({ topics, timeout = DEFAULT_TIMEOUT_MS }) {
      if (!Array.isArray(topics)) throw new KafkaJSNonRetriableError(`Invalid topics array ${String(topics)}`)
      checkNames(topics)
      await firstFailure(admin().deleteTopics(topics, { timeoutMs: timeout }))
    },

    async createPartitions({ topicPartitions, validateOnly = false, timeout = DEFAULT_TIMEOUT_MS }) {
      checkList(topicPartitions, 'topic partitions')
      if (topicPartitions.length === 0) throw new KafkaJSNonRetriableError('Empty topic partitions array')
      await firstFailure(
        admin().createPartitions(
          topicPartitions.map(({ topic, count, assignments }) => ({
            topic,
            totalCount: count,
            ...(assignments === undefined || assignments === null ? {} : { assignments }),
          })),
          { validateOnly, timeoutMs: timeout },
        ),
      )
      return true
    },

    async fetchTopicMetadata({ topics = [] } = {}) {
      checkNames(topics)
      const names =
        topics.length > 0
          ? topics
          : (await translated(admin().listTopics({ includeInternal: true }))).map(({ name }) => name)
      const descriptions = await firstFailure(admin().describeTopics(names))
      return {
        topics: descriptions.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(partitionMetadata),
        })),
      }
    },

    async fetchTopicOffsets(topic) {
      checkNames([topic])
      const partitions = await partitionNumbers(topic)
      const ends = await firstFailure(
        admin().listOffsets(partitions.map((partition) => ({ topic, partition, offset: 'latest' as const }))),
      )
      const beginnings = await firstFailure(
        admin().listOffsets(partitions.map((partition) => ({ topic, partition, offset: 'earliest' as const }))),
      )
      return partitions.map((partition, index) => {
        const high = String(ends[index]?.offset ?? -1n)
        return { partition, offset: high, high, low: String(beginnings[index]?.offset ?? -1n) }
      })
    },

    async fetchTopicOffsetsByTimestamp(topic, timestamp) {
      checkNames([topic])
      const partitions = await partitionNumbers(topic)
      const ends = await firstFailure(
        admin().listOffsets(partitions.map((partition) => ({ topic, partition, offset: 'latest' as const }))),
      )
      const found =
        timestamp === undefined
          ? ends
          : await firstFailure(
              admin().listOffsets(partitions.map((partition) => ({ topic, partition, offset: { timestamp } }))),
            )
      return partitions.map((partition, index) => ({
        partition,
        offset: String(found[index]?.offset ?? ends[index]?.offset ?? -1n),
      }))
    },

    async deleteTopicRecords({ topic, partitions }) {
      checkNames([topic])
      if (!Array.isArray(partitions) || partitions.length === 0)
        throw new KafkaJSNonRetriableError('Invalid partitions')
      const numbers = await partitionNumbers(topic)
      const absent = partitions.filter(({ partition }) => !numbers.includes(partition))
      if (absent.length > 0)
        throw new KafkaJSDeleteTopicRecordsError({
          partitions: absent.map((one) => ({ ...one, error: leaderNotFound() })),
        })
      const failures = await failuresOf(
        admin().deleteRecords(
          partitions.map(({ partition, offset }) => ({
            topic,
            partition,
            beforeOffset: offset === '-1' ? ('end' as const) : BigInt(offset),
          })),
        ),
      )
      if (failures.size === 0) return
      throw new KafkaJSDeleteTopicRecordsError({
        partitions: [...failures].map(([index, error]) => ({ ...partitions[index]!, error: error as KafkaJSError })),
      })
    },

    async alterPartitionReassignments({ topics, timeout = DEFAULT_TIMEOUT_MS }) {
      const reassignments = topics.flatMap(({ topic, partitionAssignment }) =>
        partitionAssignment.map(({ partition, replicas }) => ({ topic, partition, replicas })),
      )
      const failures = await failuresOf(admin().alterPartitionReassignments(reassignments, { timeoutMs: timeout }))
      if (failures.size === 0) return
      throw new KafkaJSAggregateError(
        'Errors altering partition reassignments',
        [...failures].map(([index, error]) => {
          const { topic, partition } = reassignments[index]!
          return new KafkaJSAlterPartitionReassignmentsError(error, topic, partition)
        }),
      )
    },

    async listPartitionReassignments({ topics, timeout = DEFAULT_TIMEOUT_MS } = {}) {
      const wanted =
        topics === undefined || topics === null
          ? null
          : topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
      const byTopic = new Map<string, OngoingTopicReassignment>()
      for (const one of await translated(admin().listPartitionReassignments(wanted, { timeoutMs: timeout }))) {
        const entry = byTopic.get(one.topic) ?? { topic: one.topic, partitions: [] }
        byTopic.set(one.topic, entry)
        entry.partitions.push({
          partitionIndex: one.partition,
          replicas: [...one.replicas],
          addingReplicas: [...one.addingReplicas],
          removingReplicas: [...one.removingReplicas],
        })
      }
      return { topics: [...byTopic.values()] }
    },
  }
}

/** @throws KafkaJSNonRetriableError */
export function checkNames(topics: readonly unknown[]): void {
  if (topics.some((topic) => typeof topic !== 'string' || topic === ''))
    throw new KafkaJSNonRetriableError(`Invalid topic among ${JSON.stringify(topics)}: expected names`)
}

function leaderNotFound(): KafkaJSBrokerNotFound {
  return new KafkaJSBrokerNotFound('Could not find the leader for the partition', { retriable: false })
}

/** @throws KafkaJSNonRetriableError for what is no list of topics, or names one twice. */
function checkList(topics: readonly { readonly topic: string }[], what: string): void {
  if (!Array.isArray(topics)) throw new KafkaJSNonRetriableError(`Invalid ${what} array: ${typeof topics}`)
  const names = topics.map(({ topic }) => topic)
  checkNames(names)
  if (new Set(names).size < names.length)
    throw new KafkaJSNonRetriableError(`Invalid ${what} array, it cannot have multiple entries for the same topic`)
}

/** @throws KafkaJSNonRetriableError */
function checkEntries(topic: string, entries: readonly IResourceConfigEntry[] | undefined | null): void {
  if (entries === undefined || entries === null) return
  if (!Array.isArray(entries))
    throw new KafkaJSNonRetriableError(`Invalid configEntries for topic "${topic}", must be an array`)
  for (const [index, entry] of entries.entries()) {
    const { name, value } = (entry ?? {}) as Partial<IResourceConfigEntry>
    if (typeof name !== 'string' || typeof value !== 'string')
      throw new KafkaJSNonRetriableError(
        `Invalid configEntries for topic "${topic}". Entry ${index} must have a name and a value, both texts`,
      )
  }
}

function inOrder(assignment: readonly ReplicaAssignment[]): number[][] {
  return assignment.toSorted((one, other) => one.partition - other.partition).map(({ replicas }) => replicas)
}
