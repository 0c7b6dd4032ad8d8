/** The controller's rules for new topics and new partitions: what may be created, and with which replicas. Kafka's ReplicationControlManager. */
import { ErrorCode, KafkaError, ZERO_UUID } from '@millrace/protocol'
import type { Random } from '@millrace/runtime'
import type { ConfigEntries, MetadataImage, PartitionImage, TopicImage } from '../metadata/image.ts'
import type { ControllerSettings } from './controller-settings.ts'
import type { MetadataWriter } from './metadata-writer.ts'
import { firstState } from './partition-election.ts'
import { randomUuid } from './random-uuid.ts'
import { placeReplicas } from './replica-placement.ts'
import { CLUSTER_METADATA_TOPIC, topicNameProblem } from './topic-names.ts'

/** Bound on what one request may create. */
export const MAX_PARTITIONS_PER_REQUEST = 10_000

export interface ReplicaAssignment {
  readonly partitionIndex: number
  readonly brokerIds: readonly number[]
}

export interface NewTopic {
  readonly name: string
  /** −1: the broker's default, or given by the assignments. */
  readonly numPartitions: number
  readonly replicationFactor: number
  /** Empty: the controller places the replicas. */
  readonly assignments: readonly ReplicaAssignment[]
  readonly configs: readonly { readonly name: string; readonly value: string | null }[]
}

export interface NewPartitions {
  readonly name: string
  /** Of all partitions, old and new. */
  readonly count: number
  /** Of the new partitions in order; null: the controller places the replicas. */
  readonly assignments: readonly { readonly brokerIds: readonly number[] }[] | null
}

export interface CreationContext {
  readonly writer: MetadataWriter
  readonly settings: ControllerSettings
  readonly random: Random
}

export interface PlannedTopic {
  readonly topic: TopicImage
  readonly configs: ConfigEntries
}

/** @throws KafkaError POLICY_VIOLATION when the topics have too many partitions together. */
export function assertCreatableTogether(topics: Iterable<NewTopic>, settings: ControllerSettings): void {
  let total = 0
  for (const { assignments, numPartitions } of topics) {
    if (assignments.length > 0) total += assignments.length
    else if (numPartitions === -1) total += settings.defaultPartitions()
    else if (numPartitions > 0) total += numPartitions
  }
  if (total > MAX_PARTITIONS_PER_REQUEST)
    throw new KafkaError(
      ErrorCode.POLICY_VIOLATION,
      `Excessively large number of partitions per request: ${total}, at most ${MAX_PARTITIONS_PER_REQUEST} are allowed.`,
    )
}

/** @throws KafkaError with the code and message for the client. */
export function planTopic(request: NewTopic, context: CreationContext): PlannedTopic {
  assertNameIsFree(request.name, context.writer)
  const configs = configsOf(request)
  if (configs.size > 0) context.settings.validateTopicConfigs(request.name, configs)
  const { draft } = context.writer
  const partitions =
    request.assignments.length > 0 ? assignedPartitions(request, draft) : placedPartitions(request, draft, context)
  let id = randomUuid(context.random)
  while (id === ZERO_UUID || draft.topicNameById(id) !== undefined) id = randomUuid(context.random)
  return { topic: { name: request.name, id, partitions }, configs }
}

function assertNameIsFree(name: string, writer: MetadataWriter): void {
  if (name === CLUSTER_METADATA_TOPIC)
    throw new KafkaError(
      ErrorCode.INVALID_REQUEST,
      `Creation of internal topic ${CLUSTER_METADATA_TOPIC} is prohibited.`,
    )
  if (writer.draft.topics.has(name))
    throw new KafkaError(ErrorCode.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`)
  const problem = topicNameProblem(name)
  if (problem !== null) throw new KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, problem)
  const colliding = writer.topicCollidingWith(name)
  if (colliding !== undefined)
    throw new KafkaError(
      ErrorCode.INVALID_TOPIC_EXCEPTION,
      `Topic '${name}' collides with existing topic: ${colliding}`,
    )
}

function configsOf({ configs }: NewTopic): Map<string, string> {
  const entries = new Map<string, string>()
  const withoutValue: string[] = []
  for (const { name, value } of configs) {
    if (value === null) withoutValue.push(name)
    else entries.set(name, value)
  }
  if (withoutValue.length > 0)
    throw new KafkaError(
      ErrorCode.INVALID_CONFIG,
      `Null value not supported for topic configs: ${withoutValue.join(',')}`,
    )
  return entries
}

function assignedPartitions(request: NewTopic, image: MetadataImage): PartitionImage[] {
  if (request.replicationFactor !== -1)
    throw new KafkaError(
      ErrorCode.INVALID_REQUEST,
      'A manual partition assignment was specified, but replication factor was not set to -1.',
    )
  if (request.numPartitions !== -1)
    throw new KafkaError(
      ErrorCode.INVALID_REQUEST,
      'A manual partition assignment was specified, but numPartitions was not set to -1.',
    )
  const byIndex = new Map<number, PartitionImage>()
  let replicationFactor: number | null = null
  for (const { partitionIndex, brokerIds } of request.assignments) {
    if (byIndex.has(partitionIndex))
      throw new KafkaError(
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        `Found multiple manual partition assignments for partition ${partitionIndex}`,
      )
    byIndex.set(partitionIndex, assignedPartition(partitionIndex, brokerIds, replicationFactor, image))
    replicationFactor = brokerIds.length
  }
  return Array.from({ length: byIndex.size }, (_, index) => {
    const partition = byIndex.get(index)
    if (partition === undefined)
      throw new KafkaError(
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        `partitions should be a consecutive 0-based integer sequence, but partition ${index} is missing`,
      )
    return partition
  })
}

function placedPartitions(
  request: NewTopic,
  image: MetadataImage,
  { settings, random }: CreationContext,
): PartitionImage[] {
  if (request.replicationFactor < -1 || request.replicationFactor === 0)
    throw new KafkaError(
      ErrorCode.INVALID_REPLICATION_FACTOR,
      'Replication factor must be larger than 0, or -1 to use the default value.',
    )
  if (request.numPartitions < -1 || request.numPartitions === 0)
    throw new KafkaError(ErrorCode.INVALID_PARTITIONS, 'Number of partitions was set to an invalid non-positive value.')
  const partitionCount = request.numPartitions === -1 ? settings.defaultPartitions() : request.numPartitions
  const replicationFactor =
    request.replicationFactor === -1 ? settings.defaultReplicationFactor() : request.replicationFactor
  return place({ partitionCount, replicationFactor }, image, random)
}

function place(
  placement: { readonly partitionCount: number; readonly replicationFactor: number },
  image: MetadataImage,
  random: Random,
): PartitionImage[] {
  const { replicationFactor } = placement
  try {
    return placeReplicas(image.brokers.values(), placement, random).map((replicas) => {
      const partition = firstState(replicas, { isAlive: (id) => isAlive(image, id) })
      if (partition === null)
        throw new KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR, 'All brokers are currently fenced.')
      return partition
    })
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    throw new KafkaError(
      error.code,
      `Unable to replicate the partition ${replicationFactor} time(s): ${error.message}`,
      { cause: error },
    )
  }
}

export interface PlannedPartitions {
  readonly topic: TopicImage
  readonly added: PartitionImage[]
}

/** The partitions to add to an existing topic. @throws KafkaError with the code and message for the client. */
export function planPartitions(request: NewPartitions, context: CreationContext): PlannedPartitions {
  const { draft } = context.writer
  const topic = draft.topics.get(request.name)
  if (topic === undefined) throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const present = topic.partitions.length
  if (request.count === present)
    throw new KafkaError(ErrorCode.INVALID_PARTITIONS, `Topic already has ${present} partition(s).`)
  if (request.count < present)
    throw new KafkaError(
      ErrorCode.INVALID_PARTITIONS,
      `The topic ${request.name} currently has ${present} partition(s); ${request.count} would not be an increase.`,
    )
  const additional = request.count - present
  if (additional > MAX_PARTITIONS_PER_REQUEST)
    throw new KafkaError(
      ErrorCode.POLICY_VIOLATION,
      `Excessively large number of partitions per request: ${additional}, at most ${MAX_PARTITIONS_PER_REQUEST} are allowed.`,
    )
  const { assignments } = request
  if (assignments !== null && assignments.length !== additional)
    throw new KafkaError(
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      `Attempted to add ${additional} additional partition(s), but ${assignments.length} assignment(s) were specified.`,
    )
  const replicationFactor = topic.partitions[0]?.replicas.length ?? context.settings.defaultReplicationFactor()
  const added =
    assignments === null
      ? place({ partitionCount: additional, replicationFactor }, draft, context.random)
      : assignments.map(({ brokerIds }, index) =>
          assignedPartition(present + index, brokerIds, replicationFactor, draft),
        )
  return { topic, added }
}

function assignedPartition(
  index: number,
  brokerIds: readonly number[],
  replicationFactor: number | null,
  image: MetadataImage,
): PartitionImage {
  const problem = assignmentProblem(brokerIds, replicationFactor, image)
  if (problem !== null)
    throw new KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, `The manual partition assignment includes ${problem}.`)
  const partition = firstState(brokerIds, { isAlive: (id) => isAlive(image, id) })
  if (partition === null)
    throw new KafkaError(
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      `All brokers specified in the manual partition assignment for partition ${index} are fenced or in controlled shutdown.`,
    )
  return partition
}

function assignmentProblem(
  brokerIds: readonly number[],
  replicationFactor: number | null,
  image: MetadataImage,
): string | null {
  if (brokerIds.length === 0) return 'an empty replica list'
  const seen = new Set<number>()
  for (const id of brokerIds.toSorted((a, b) => a - b)) {
    if (!image.brokers.has(id)) return `broker ${id}, but no such broker is registered`
    if (seen.has(id)) return `the broker ${id} more than once`
    seen.add(id)
  }
  if (replicationFactor !== null && brokerIds.length !== replicationFactor)
    return `a partition with ${brokerIds.length} replica(s), but this is not consistent with previous partitions, which have ${replicationFactor} replica(s)`
  return null
}

export function isAlive(image: MetadataImage, brokerId: number): boolean {
  const broker = image.brokers.get(brokerId)
  return broker !== undefined && !broker.fenced
}
