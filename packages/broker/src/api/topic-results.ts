/**
 * Requests that name partitions of topics for a group: those that do not exist are refused here, the others are for the coordinator. All
 * results of a topic are told together.
 */
import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import type { MetadataImage } from '../metadata/image.ts'

interface PartitionResult {
  readonly partitionIndex: number
  readonly errorCode: number
}

interface NamedPartition {
  readonly partitionIndex: number
}

export interface TopicResult {
  readonly name: string
  /** ZERO_UUID for requests and topics without ids. */
  readonly topicId: string
  readonly partitions: readonly PartitionResult[]
}

interface NamedTopic<P extends NamedPartition> {
  readonly name: string
  readonly partitions: readonly P[]
}

export class TopicResults {
  readonly #byKey = new Map<string, { name: string; topicId: string; partitions: PartitionResult[] }>()
  readonly #keyedBy: 'name' | 'topicId'

  constructor(keyedBy: 'name' | 'topicId') {
    this.#keyedBy = keyedBy
  }

  get all(): readonly TopicResult[] {
    return [...this.#byKey.values()]
  }

  add({ name, topicId, partitions }: TopicResult): void {
    const key = this.#keyedBy === 'name' ? name : topicId
    const known = this.#byKey.get(key)
    if (known === undefined) this.#byKey.set(key, { name, topicId, partitions: [...partitions] })
    else for (const one of partitions) known.partitions.push(one)
  }

  /** The same code for all of these. */
  refuse(
    { name, topicId, partitions }: { name: string; topicId: string; partitions: readonly NamedPartition[] },
    errorCode: number,
  ): void {
    this.add({ name, topicId, partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })) })
  }

  /** The topic with those of its partitions that exist; null when there is none. Refuses the others. */
  existing<P extends NamedPartition>(
    { name, partitions }: NamedTopic<P>,
    image: MetadataImage,
  ): { name: string; topicId: string; partitions: readonly P[] } | null {
    const topic = image.topics.get(name)
    if (topic === undefined) {
      this.refuse({ name, topicId: ZERO_UUID, partitions }, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
      return null
    }
    const { id: topicId } = topic
    const [there, missing] = partition(
      partitions,
      ({ partitionIndex }) => topic.partitions[partitionIndex] !== undefined,
    )
    if (missing.length > 0) this.refuse({ name, topicId, partitions: missing }, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    return there.length === 0 ? null : { name, topicId, partitions: there }
  }
}

function partition<T>(all: readonly T[], isFirst: (one: T) => boolean): [readonly T[], readonly T[]] {
  if (all.every(isFirst)) return [all, []]
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))]
}
