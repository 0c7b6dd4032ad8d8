/** Topics and their partitions in pages, sorted by name, with a cursor to where the next page begins (KIP-966). */
import { DescribeTopicPartitions, ErrorCode, ZERO_UUID, type Request, type ResponseInput } from '@millrace/protocol'
import { isInternalTopic, topicNameProblem } from '../controller/topic-names.ts'
import type { MetadataImage, TopicImage } from '../metadata/image.ts'
import { handler } from '../server/handler.ts'
import { TOPIC_OPERATIONS } from './authorized-operations.ts'
import { BrokersInView } from './brokers-in-view.ts'

type Question = Request<typeof DescribeTopicPartitions>
type Response = ResponseInput<typeof DescribeTopicPartitions>
type TopicAnswer = Response['topics'][number]
type PartitionAnswer = TopicAnswer['partitions'][number]

export const describeTopicPartitions = handler(DescribeTopicPartitions, (request, context) => {
  const { metadata, config } = context.broker
  const { topics, cursor } = request
  const isCursorMissing = topics.length > 0 && cursor !== null && !topics.some(({ name }) => name === cursor.topicName)
  if (isCursorMissing || (cursor !== null && cursor.partitionIndex < 0))
    return refused(request, ErrorCode.INVALID_REQUEST)

  const limit = Math.max(Math.min(config.get('max.request.partition.size.limit'), request.responsePartitionLimit), 1)
  const { image } = metadata
  const view = new BrokersInView(image, context)
  const answered: TopicAnswer[] = []
  let remaining = limit
  for (const name of pageOfNames(request, image, limit)) {
    if (remaining === 0) return page(answered, { topicName: name, partitionIndex: 0 })
    const topic = image.topics.get(name)
    if (topic === undefined) {
      answered.push(missingTopic(name))
      continue
    }
    const first = name === cursor?.topicName ? cursor.partitionIndex : 0
    const end = Math.min(topic.partitions.length, first + remaining)
    answered.push(describe(topic, first, end, view))
    if (end < topic.partitions.length) return page(answered, { topicName: name, partitionIndex: end })
    remaining -= Math.max(0, end - first)
  }
  return page(answered, null)
})

function page(topics: TopicAnswer[], nextCursor: NonNullable<Response['nextCursor']> | null): Response {
  return { throttleTimeMs: 0, topics, nextCursor }
}

/**
 * Names from the cursor on, sorted and each once: all those asked for, or of all topics as many as can matter to a page of `limit`
 * partitions. Not a sort of all names for every page: when twice as many as needed are gathered, the later half is dropped.
 */
function pageOfNames({ topics, cursor }: Question, image: MetadataImage, limit: number): string[] {
  const from = cursor?.topicName ?? ''
  if (topics.length > 0) return [...new Set(topics.map(({ name }) => name))].filter((name) => name >= from).sort()
  // The cursor's topic may have nothing left to show, and one more is needed to name in the next cursor.
  const needed = limit + 2
  let names: string[] = []
  let last: string | null = null
  for (const name of image.topics.keys()) {
    if (name < from || (last !== null && name > last)) continue
    names.push(name)
    if (names.length < 2 * needed) continue
    names = names.sort().slice(0, needed)
    last = names.at(-1) ?? null
  }
  return names.sort().slice(0, needed)
}

function describe(topic: TopicImage, first: number, end: number, view: BrokersInView): TopicAnswer {
  const partitions: PartitionAnswer[] = []
  for (let index = first; index < end; index++) {
    const partition = topic.partitions[index]
    if (partition === undefined) continue
    partitions.push({
      errorCode: ErrorCode.NONE,
      partitionIndex: index,
      leaderId: view.reachableLeader(partition),
      leaderEpoch: partition.leaderEpoch,
      replicaNodes: partition.replicas,
      isrNodes: partition.isr,
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
      offlineReplicas: view.offlineReplicas(partition),
    })
  }
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions,
    topicAuthorizedOperations: TOPIC_OPERATIONS,
  }
}

function missingTopic(name: string): TopicAnswer {
  const errorCode =
    topicNameProblem(name) === null ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.INVALID_TOPIC_EXCEPTION
  return {
    errorCode,
    name,
    topicId: ZERO_UUID,
    isInternal: isInternalTopic(name),
    partitions: [],
    topicAuthorizedOperations: TOPIC_OPERATIONS,
  }
}

function refused({ topics }: Question, errorCode: number): Response {
  return page(
    topics.map(({ name }) => ({ errorCode, name, topicId: ZERO_UUID, isInternal: false, partitions: [] })),
    null,
  )
}
