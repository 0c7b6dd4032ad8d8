/**
 * What takes more than the group coordinator: share groups have members here, and state at the share coordinator. Source: Kafka's
 * GroupCoordinatorService.
 */
import {
  ErrorCode,
  KafkaError,
  ZERO_UUID,
  type DescribeShareGroupOffsets,
  type Request,
  type ResponseInput,
} from '@millrace/protocol'
import type { Clock, Logger } from '@millrace/runtime'
import type { MetadataCache } from '../../../metadata/metadata-cache.ts'
import type { Partitions as HostedPartitions } from '../../../partitions/partitions.ts'
import { askInTurns } from '../../../server/ask-in-turns.ts'
import type { Persister, StateSummary } from '../../../sharing/persister.ts'
import type { GroupCoordinator } from '../group-coordinator.ts'
import type { GroupClient } from '../group-part.ts'
import type { Initialization, ShareHeartbeatAnswer, ShareHeartbeatRequest } from './share-heartbeats.ts'
import type { AlteredTopic, AlterRequest, DeletedTopic, DeleteRequest, StartOffsets } from './share-states.ts'
import type { Partitions } from './state-partitions.ts'

type DescribedGroup = ResponseInput<typeof DescribeShareGroupOffsets>['groups'][number]
type DescribedTopic = DescribedGroup['topics'][number]
type DescribedPartition = DescribedTopic['partitions'][number]
type DescribeGroup = Request<typeof DescribeShareGroupOffsets>['groups'][number]

/** How long a member that joins waits for the share coordinator before it is answered all the same. */
const initializationPatienceMs = 2000

const unknownOffset = -1n
const unknownLag = -1n

export interface ShareGroupServiceOptions {
  readonly groups: GroupCoordinator
  readonly persister: Persister
  readonly partitions: HostedPartitions
  readonly metadata: MetadataCache
  readonly clock: Clock
  readonly logger: Logger
}

export class ShareGroupService {
  readonly #options: ShareGroupServiceOptions

  constructor(options: ShareGroupServiceOptions) {
    this.#options = options
  }

  /** For requests that `checkShareHeartbeat` has let through. Rejects with a KafkaError that has the code of the answer. */
  async heartbeat(request: ShareHeartbeatRequest, client: GroupClient): Promise<ShareHeartbeatAnswer> {
    const { groups } = this.#options
    const { groupId } = request
    const first = await groups.write(groupId, (shard) => shard.share.heartbeat(request, client, true))
    const initializing = first.initialization === null ? null : this.#initialize(first.initialization)
    if (first.answer !== null) return first.answer
    await Promise.race([initializing, this.#patience()])
    const second = await groups.write(groupId, (shard) => shard.share.heartbeat(request, client, false))
    if (second.initialization !== null) void this.#initialize(second.initialization)
    return second.answer!
  }

  /** Never rejects: what could not be initialized is tried again with a later heartbeat. */
  async #initialize(initialization: Initialization): Promise<void> {
    const { groups, persister, logger } = this.#options
    const { groupId, stateEpoch, partitions } = initialization
    try {
      const [failure] = await this.#ask(partitions, (topicId, partition) =>
        persister.initialize({ groupId, topicId, partition }, { stateEpoch, startOffset: unknownOffset }),
      )
      if (failure !== undefined) throw failure.error
      await groups.write(groupId, (shard) => shard.share.states.initialized(initialization))
    } catch (error) {
      logger.warn(`cannot initialize the share state of group ${groupId}`, { error })
      await groups
        .write(groupId, (shard) => shard.share.states.notInitialized(initialization))
        .catch((second: unknown) => {
          logger.warn(`share group ${groupId} waits for the next try to initialize its state`, { error: second })
        })
    }
  }

  /** Rejects with a KafkaError when nothing can be told. */
  async describeOffsets({ groupId, topics }: DescribeGroup): Promise<DescribedGroup> {
    const { groups, metadata } = this.#options
    const { image } = metadata
    if (topics === null) {
      const initialized = await groups.read(groupId, (shard) => shard.share.states.initializedOf(groupId))
      const known = [...initialized].filter(([topicId]) => image.topicNameById(topicId) !== undefined)
      const described = known.map(([topicId, partitions]) =>
        this.#describeTopic(groupId, topicId, image.topicNameById(topicId)!, [...partitions]),
      )
      return { groupId, topics: await Promise.all(described), errorCode: ErrorCode.NONE }
    }
    const described = topics.map(async ({ topicName, partitions }): Promise<DescribedTopic> => {
      const topic = image.topics.get(topicName)
      if (topic !== undefined) return this.#describeTopic(groupId, topic.id, topicName, partitions)
      return { topicName, topicId: ZERO_UUID, partitions: partitions.map((index) => undescribed(index)) }
    })
    return { groupId, topics: await Promise.all(described), errorCode: ErrorCode.NONE }
  }

  async #describeTopic(
    groupId: string,
    topicId: string,
    topicName: string,
    partitions: readonly number[],
  ): Promise<DescribedTopic> {
    const described = await askInTurns(partitions, this.#options.clock, async (partition) => {
      try {
        const summary = await this.#options.persister.readSummary({ groupId, topicId, partition })
        return this.#describePartition(topicName, partition, summary)
      } catch (error) {
        // Kafka takes it for an absence of data.
        if (error instanceof KafkaError) return undescribed(partition)
        throw error
      }
    })
    return { topicName, topicId, partitions: described }
  }

  #describePartition(
    topic: string,
    partitionIndex: number,
    { startOffset, leaderEpoch, deliveryCompleteCount }: StateSummary,
  ): DescribedPartition {
    const described = { partitionIndex, startOffset, leaderEpoch, lag: unknownLag, errorCode: ErrorCode.NONE }
    if (startOffset === unknownOffset || deliveryCompleteCount < 0) return described
    try {
      const { highWatermark } = this.#options.partitions.find(topic, partitionIndex).leaderLog(-1)
      return { ...described, lag: highWatermark - startOffset - BigInt(deliveryCompleteCount) }
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      return { partitionIndex, startOffset: 0n, leaderEpoch: 0, lag: unknownLag, ...failed(error) }
    }
  }

  /** Rejects with a KafkaError when nothing is altered. */
  async alterOffsets(groupId: string, topics: AlterRequest['topics']): Promise<AlteredTopic[]> {
    const { groups, persister } = this.#options
    const alteration = await groups.write(groupId, (shard) => shard.share.states.alter(groupId, topics))
    const { stateEpoch, startOffsets } = alteration
    const failures = await this.#ask(partitionsOf(startOffsets), (topicId, partition) =>
      persister.initialize(
        { groupId, topicId, partition },
        { stateEpoch, startOffset: startOffsets.get(topicId)!.get(partition)! },
      ),
    )
    if (failures.length === 0 && startOffsets.size > 0) {
      const done = { groupId, partitions: partitionsOf(startOffsets) }
      await groups.write(groupId, (shard) => shard.share.states.initialized(done))
    }
    return alteration.topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map((result) => {
        const failure = failures.find(
          ({ topicId, partition }) => topicId === topic.topicId && partition === result.partitionIndex,
        )
        if (failure === undefined || result.errorCode !== ErrorCode.NONE) return result
        return { partitionIndex: result.partitionIndex, ...failed(failure.error) }
      }),
    }))
  }

  /** Rejects with a KafkaError when nothing is deleted. */
  async deleteOffsets(groupId: string, topics: DeleteRequest['topics']): Promise<DeletedTopic[]> {
    const { groups, metadata } = this.#options
    const { partitions, refused } = await groups.write(groupId, (shard) =>
      shard.share.states.beginDelete(groupId, topics),
    )
    const failures = await this.#deleteState(groupId, partitions)
    const answers: DeletedTopic[] = []
    const deleted: string[] = []
    for (const topicId of partitions.keys()) {
      const failure = failures.find((one) => one.topicId === topicId)
      const topicName = metadata.image.topicNameById(topicId) ?? ''
      if (failure !== undefined) refused.push({ topicName, topicId, ...failed(failure.error) })
      else {
        deleted.push(topicId)
        answers.push({ topicName, topicId, errorCode: ErrorCode.NONE })
      }
    }
    if (deleted.length > 0) await groups.write(groupId, (shard) => shard.share.states.endDelete(groupId, deleted))
    return [...answers, ...refused]
  }

  /** Deletes all state of a group before the group is deleted. For other groups there is nothing to do. Rejects with a KafkaError. */
  async deleteStateOf(groupId: string): Promise<void> {
    const partitions = await this.#options.groups.write(groupId, (shard) => shard.share.states.beginDeleteAll(groupId))
    if (partitions === null) return
    const [failure] = await this.#deleteState(groupId, partitions)
    if (failure !== undefined) throw failure.error
  }

  #deleteState(groupId: string, partitions: Partitions): Promise<Failure[]> {
    return this.#ask(partitions, (topicId, partition) =>
      this.#options.persister.delete({ groupId, topicId, partition }),
    )
  }

  /** All at the same time. Resolves with what failed. */
  async #ask(
    partitions: Partitions,
    question: (topicId: string, partition: number) => Promise<void>,
  ): Promise<Failure[]> {
    const failures: Failure[] = []
    const questions: Promise<void>[] = []
    for (const [topicId, ofTopic] of partitions)
      for (const partition of ofTopic)
        questions.push(
          question(topicId, partition).catch((error: unknown) => {
            if (!(error instanceof KafkaError)) throw error
            failures.push({ topicId, partition, error })
          }),
        )
    await Promise.all(questions)
    return failures
  }

  #patience(): Promise<void> {
    return this.#options.clock.sleep(initializationPatienceMs)
  }
}

interface Failure {
  readonly topicId: string
  readonly partition: number
  readonly error: KafkaError
}

function failed(error: KafkaError): { errorCode: number; errorMessage: string } {
  return { errorCode: error.code, errorMessage: error.message }
}

function undescribed(partitionIndex: number): DescribedPartition {
  return { partitionIndex, startOffset: unknownOffset, leaderEpoch: 0, lag: unknownLag, errorCode: ErrorCode.NONE }
}

function partitionsOf(offsets: StartOffsets): Partitions {
  return new Map(Array.from(offsets, ([topicId, ofTopic]) => [topicId, new Set(ofTopic.keys())]))
}
