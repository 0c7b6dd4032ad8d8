/**
 * What share groups say and are told of the state of their partitions at the share coordinator: the decisions before and after the share
 * coordinator is asked. Source: Kafka's GroupMetadataManager.
 */
import {
  ErrorCode,
  KafkaError,
  ZERO_UUID,
  type AlterShareGroupOffsets,
  type DeleteShareGroupOffsets,
  type Request,
  type ResponseInput,
} from '@millrace/protocol'
import { answer, type Decision } from '../../runtime/decision.ts'
import type { ShareContext } from './share-context.ts'
import { ShareGroup } from './share-group.ts'
import type { Initialization } from './share-heartbeats.ts'
import { statePartitionsRecord } from './share-records.ts'
import {
  initialized,
  initializing,
  notInitialized,
  united,
  type Partitions,
  type StatePartitions,
  type TopicState,
} from './state-partitions.ts'

export type AlterRequest = Request<typeof AlterShareGroupOffsets>
export type AlteredTopic = ResponseInput<typeof AlterShareGroupOffsets>['responses'][number]
export type DeleteRequest = Request<typeof DeleteShareGroupOffsets>
export type DeletedTopic = ResponseInput<typeof DeleteShareGroupOffsets>['responses'][number]

/** Start offsets by topic id, then by partition. */
export type StartOffsets = ReadonlyMap<string, ReadonlyMap<number, bigint>>

export interface Alteration {
  readonly topics: AlteredTopic[]
  readonly stateEpoch: number
  readonly startOffsets: StartOffsets
}

export interface Deletion {
  /** Those whose state there is to delete. */
  readonly partitions: Partitions
  /** What is wrong with the others. */
  readonly refused: DeletedTopic[]
}

const noInformation = 'There is no offset information to delete.'

export class ShareStates {
  readonly #context: ShareContext

  constructor(context: ShareContext) {
    this.#context = context
  }

  /** Partitions that have state. Of a group that does not exist: none. */
  initializedOf(groupId: string): Partitions {
    const group = this.#existing(groupId)
    return new Map(
      Array.from(group?.statePartitions.initialized ?? [], ([topicId, { partitions }]) => [topicId, partitions]),
    )
  }

  /** The share coordinator has done what `initialization` asks. */
  initialized({ groupId, partitions }: Pick<Initialization, 'groupId' | 'partitions'>): Decision<void> {
    const group = this.#existing(groupId)
    if (group === undefined) return answer<void>(undefined)
    return this.#write(
      group,
      initialized(group.statePartitions, partitions, (topicId) => this.#nameOf(topicId)),
    )
  }

  /** It could not. */
  notInitialized({ groupId, partitions }: Initialization): Decision<void> {
    const group = this.#existing(groupId)
    if (group === undefined || group.statePartitions.initializing.size === 0) return answer<void>(undefined)
    return this.#write(group, notInitialized(group.statePartitions, partitions))
  }

  /** Makes the group if it does not exist. @throws KafkaError GROUP_ID_NOT_FOUND for another type, NON_EMPTY_GROUP. */
  alter(groupId: string, topics: AlterRequest['topics']): Decision<Alteration> {
    const { groups, image, shard } = this.#context
    const group = groups.has(groupId) ? groups.findOfType<ShareGroup>(groupId, 'share') : new ShareGroup(groupId)
    group.checkDelete()
    const startOffsets = new Map<string, Map<number, bigint>>()
    const added = new Map<string, TopicState>()
    const altered = topics.map(({ topicName, partitions }): AlteredTopic => {
      const topic = image.topics.get(topicName)
      const offsets = new Map<number, bigint>()
      const results = partitions.map(({ partitionIndex, startOffset }) => {
        const isKnown = topic?.partitions[partitionIndex] !== undefined
        if (isKnown) offsets.set(partitionIndex, startOffset)
        return isKnown
          ? { partitionIndex, errorCode: ErrorCode.NONE }
          : { partitionIndex, ...failure(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) }
      })
      if (topic !== undefined && offsets.size > 0) {
        startOffsets.set(topic.id, offsets)
        const sinceMs = shard.clock.monotonicMs()
        added.set(topic.id, { name: topicName, partitions: new Set(offsets.keys()), sinceMs })
      }
      return { topicName, topicId: topic?.id ?? ZERO_UUID, partitions: results }
    })
    const response = { topics: altered, stateEpoch: group.epoch, startOffsets }
    if (added.size === 0) return answer(response)
    return { records: [statePartitionsRecord(groupId, initializing(group.statePartitions, added))], response }
  }

  /** Begins to delete the state of topics. @throws KafkaError GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP. */
  beginDelete(groupId: string, topics: DeleteRequest['topics']): Decision<Deletion> {
    const group = this.#context.groups.findOfType<ShareGroup>(groupId, 'share')
    group.checkDelete()
    const partitions = new Map<string, ReadonlySet<number>>()
    const refused: DeletedTopic[] = []
    const kept = new Map(group.statePartitions.initialized)
    const deleting = new Map(group.statePartitions.deleting)
    for (const { topicName } of topics) {
      const topic = this.#context.image.topics.get(topicName)
      const state = topic === undefined ? undefined : group.statePartitions.initialized.get(topic.id)
      if (topic !== undefined && state !== undefined) {
        partitions.set(topic.id, state.partitions)
        kept.delete(topic.id)
        deleting.set(topic.id, topicName)
      } else if (topic !== undefined && deleting.has(topic.id)) {
        // Has been begun before, and not ended.
        partitions.set(topic.id, new Set(topic.partitions.keys()))
      } else {
        const { errorCode, errorMessage } = failure(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        refused.push({
          topicName,
          topicId: ZERO_UUID,
          errorCode,
          errorMessage: topic === undefined ? errorMessage : noInformation,
        })
      }
    }
    const response = { partitions, refused }
    if (partitions.size === 0) return answer(response)
    const record = statePartitionsRecord(groupId, { ...group.statePartitions, initialized: kept, deleting })
    return { records: [record], response }
  }

  /** The share coordinator has deleted it. */
  endDelete(groupId: string, topicIds: Iterable<string>): Decision<void> {
    const group = this.#existing(groupId)
    if (group === undefined) return answer<void>(undefined)
    const deleting = new Map(group.statePartitions.deleting)
    for (const topicId of topicIds) deleting.delete(topicId)
    return this.#write(group, { ...group.statePartitions, deleting })
  }

  /**
   * Begins to delete all state of a group that is to be deleted itself. null when there is no such group, or it has none.
   * @throws KafkaError NON_EMPTY_GROUP.
   */
  beginDeleteAll(groupId: string): Decision<Partitions | null> {
    const group = this.#existing(groupId)
    if (group === undefined) return answer(null)
    group.checkDelete()
    const { image } = this.#context
    let topics = united(group.statePartitions.initialized, group.statePartitions.initializing)
    const begunBefore = new Map<string, TopicState>()
    for (const topicId of group.statePartitions.deleting.keys()) {
      const topic = image.topicById(topicId)
      if (topic !== undefined)
        begunBefore.set(topicId, { name: topic.name, partitions: new Set(topic.partitions.keys()), sinceMs: 0 })
    }
    topics = united(topics, begunBefore)
    if (topics.size === 0) return answer(null)
    const deleting = new Map(Array.from(topics, ([topicId, { name }]) => [topicId, name]))
    return {
      records: [statePartitionsRecord(groupId, { initializing: new Map(), initialized: new Map(), deleting })],
      response: new Map(Array.from(topics, ([topicId, { partitions }]) => [topicId, partitions])),
    }
  }

  #existing(groupId: string): ShareGroup | undefined {
    const group = this.#context.groups.get(groupId)
    return group instanceof ShareGroup ? group : undefined
  }

  #write(group: ShareGroup, state: StatePartitions): Decision<void> {
    return { records: [statePartitionsRecord(group.id, state)], response: undefined }
  }

  #nameOf(topicId: string): string {
    return this.#context.image.topicNameById(topicId) ?? '<UNKNOWN>'
  }
}

function failure(errorCode: number): { errorCode: number; errorMessage: string } {
  return { errorCode, errorMessage: new KafkaError(errorCode).message }
}
