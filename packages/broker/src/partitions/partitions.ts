/** The partitions this broker holds replicas of, kept in step with the cluster's metadata. */
import { ErrorCode, KafkaError, ZERO_UUID } from '@millrace/protocol'
import type { Logger } from '@millrace/runtime'
import type { LogManager, PartitionLog } from '@millrace/storage'
import type { MetadataImage, PartitionImage, TopicImage } from '../metadata/image.ts'
import { Partition } from './partition.ts'

export class Partitions {
  readonly #nodeId: number
  readonly #logs: LogManager
  readonly #logger: Logger
  /** By topic, then by partition index; holes where another broker has the replicas. */
  readonly #byTopic = new Map<string, (Partition | undefined)[]>()
  #image: MetadataImage

  constructor(options: { nodeId: number; logs: LogManager; logger: Logger; image: MetadataImage }) {
    this.#nodeId = options.nodeId
    this.#logs = options.logs
    this.#logger = options.logger
    this.#image = options.image
  }

  get(topic: string, index: number): Partition | undefined {
    return this.#byTopic.get(topic)?.[index]
  }

  *[Symbol.iterator](): Iterator<Partition> {
    for (const partitions of this.#byTopic.values())
      for (const partition of partitions) if (partition !== undefined) yield partition
  }

  /**
   * The partition a request means. `topicId` is checked unless it is the zero id.
   * @throws KafkaError UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER (another broker has it), INCONSISTENT_TOPIC_ID,
   * KAFKA_STORAGE_ERROR (its log directory has failed).
   */
  find(topic: string, index: number, topicId: string = ZERO_UUID): Partition {
    const partition = this.get(topic, index)
    if (partition === undefined) {
      if (this.#image.topics.get(topic)?.partitions[index] !== undefined)
        throw new KafkaError(
          ErrorCode.NOT_LEADER_OR_FOLLOWER,
          `broker ${this.#nodeId} has no replica of ${topic}-${index}`,
        )
      throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `there is no partition ${topic}-${index}`)
    }
    if (topicId !== ZERO_UUID && topicId !== partition.topicId)
      throw new KafkaError(
        ErrorCode.INCONSISTENT_TOPIC_ID,
        `${topic} has id ${partition.topicId} here, the request says ${topicId}`,
      )
    if (partition.isOffline)
      throw new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, `${partition.name} is in a log directory that has failed`)
    return partition
  }

  /** Follows the metadata: creates, updates and removes replicas of the topics named in `changed`. */
  apply(image: MetadataImage, changed: Iterable<string>): void {
    const previous = this.#image
    this.#image = image
    for (const topic of changed) {
      const wanted = image.topics.get(topic)
      const present = this.#byTopic.get(topic)
      if (present !== undefined && (wanted === undefined || present.some((one) => one && one.topicId !== wanted.id)))
        this.#remove(topic)
      if (wanted !== undefined) this.#update(wanted, previous.topics.get(topic))
    }
  }

  #update(topic: TopicImage, previous: TopicImage | undefined): void {
    let partitions = this.#byTopic.get(topic.name)
    if (partitions === undefined) this.#byTopic.set(topic.name, (partitions = []))
    for (const [index, image] of topic.partitions.entries()) {
      const present = partitions[index]
      const isReplica = image.replicas.includes(this.#nodeId)
      if (present !== undefined && !isReplica) this.#removeOne(partitions, index, ErrorCode.NOT_LEADER_OR_FOLLOWER)
      else if (present !== undefined) present.update(image)
      else if (isReplica) partitions[index] = this.#create(topic, index, image, isNew(topic, index, previous))
    }
  }

  #create(topic: TopicImage, index: number, image: PartitionImage, isNew: boolean): Partition {
    return new Partition({
      topic: topic.name,
      topicId: topic.id,
      index,
      nodeId: this.#nodeId,
      image,
      log: this.#openLog(topic, index, isNew),
    })
  }

  /** null when its directory has failed: the partition then answers KAFKA_STORAGE_ERROR, the others go on. */
  #openLog(topic: TopicImage, index: number, isNew: boolean): PartitionLog | null {
    try {
      return this.#logs.getOrCreate(topic.name, index, topic.id, { isNew })
    } catch (error) {
      if (!(error instanceof KafkaError && error.code === ErrorCode.KAFKA_STORAGE_ERROR)) throw error
      this.#logger.error(`${topic.name}-${index} has no log: ${error.message}`)
      return null
    }
  }

  #remove(topic: string): void {
    const partitions = this.#byTopic.get(topic) ?? []
    this.#byTopic.delete(topic)
    for (const index of partitions.keys()) this.#removeOne(partitions, index, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  }

  #removeOne(partitions: (Partition | undefined)[], index: number, errorCode: number): void {
    const partition = partitions[index]
    if (partition === undefined) return
    partitions[index] = undefined
    partition.retire(errorCode)
    if (!partition.isOffline) this.#logs.remove(partition.topic, partition.index)
  }

  /** Their log directory has failed: they are unavailable until a restart. */
  goOffline(lost: Iterable<{ readonly topic: string; readonly partition: number }>): void {
    for (const { topic, partition } of lost) this.get(topic, partition)?.goOffline()
  }

  /** A move between log directories has ended: the copy is the log now. */
  replaceLog(log: PartitionLog): void {
    this.get(log.topic, log.partition)?.replaceLog(log)
  }
}

/**
 * Whether the partition came into being with this change, so that no log of it can be anywhere yet. What the first image after a start
 * holds is not new.
 */
function isNew(topic: TopicImage, index: number, previous: TopicImage | undefined): boolean {
  return previous === undefined || previous.id !== topic.id || previous.partitions[index] === undefined
}
