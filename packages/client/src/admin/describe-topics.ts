/** What a topic is made of: by DescribeTopicPartitions, page by page, or from brokers before Kafka 3.8 by Metadata. */
import { DescribeTopicPartitions, ErrorCode, KafkaError, Metadata } from '@millrace/protocol'
import type { RequestInput, Response } from '@millrace/protocol'
import type { Destination } from '../cluster/destination.ts'
import type { PartitionDescription } from '../producer/producer.ts'
import { allowedOperations, type AuthorizedOperations, type AuthorizedOperationsOption } from './acl-names.ts'
import { epochOrNull, idOrNull } from './absent.ts'
import { unsupported } from './kafka-versions.ts'
import type { EachOf, Outcome, ListOf } from './partial-failure.ts'
import { matched, outcome, type AdminRequests, type Attempt, type CallOptions } from './requests.ts'
import { toAny } from './routing.ts'
import { aboutTopic, aboutTopicOrId, type TopicId } from './topics.ts'

export interface TopicPartitionDescription extends PartitionDescription {
  /** Null when there is no leader, and from brokers before Kafka 2.1. */
  readonly leaderEpoch: number | null
  /** Replicas that have all records though they are not in sync (KIP-966). Null where the cluster does not keep them. */
  readonly eligibleLeaderReplicas: readonly number[] | null
  /** Those of the past that may lead when nobody else can. Null as above. */
  readonly lastKnownEligibleLeaderReplicas: readonly number[] | null
}

export interface TopicDescription extends AuthorizedOperations {
  readonly name: string
  /** Null from brokers before Kafka 2.8. */
  readonly topicId: string | null
  readonly isInternal: boolean
  readonly partitions: readonly TopicPartitionDescription[]
}

export interface DescribeTopicsOptions extends CallOptions, AuthorizedOperationsOption {
  /** Partitions in one answer of a broker. Default 2000. */
  readonly partitionSizeLimitPerResponse?: number
}

export interface DescribeTopicsAdmin {
  /** By name, or by id (since Kafka 3.1). */
  describeTopics<Topics extends readonly unknown[]>(
    topics: ListOf<Topics, string | TopicId>,
    options?: DescribeTopicsOptions,
  ): Promise<EachOf<Topics, TopicDescription>>
}

const DEFAULT_PAGE = 2000

type Page = Response<typeof DescribeTopicPartitions>['topics'][number]

export function describeTopicsAdmin(requests: AdminRequests): DescribeTopicsAdmin {
  return {
    describeTopics: (topics, options = {}) =>
      requests.each(
        {
          operation: 'describeTopics',
          routing: toAny,
          apart: (topic: string | TopicId) => typeof topic,
          ask: (attempt, destination, asked: readonly (string | TopicId)[]) =>
            typeof asked[0] === 'string'
              ? byName(attempt, { destination, names: asked as readonly string[], options })
              : byId(attempt, { destination, ids: asked as readonly TopicId[], options }),
        },
        topics,
        options,
      ),
  }
}

interface ByName {
  readonly destination: Destination
  readonly names: readonly string[]
  readonly options: DescribeTopicsOptions
}

async function byName(attempt: Attempt, wish: ByName): Promise<readonly Outcome<TopicDescription>[]> {
  let described: ReadonlyMap<string, Page>
  try {
    described = await pages(attempt, wish)
  } catch (error) {
    if (!(error instanceof KafkaError) || error.code !== ErrorCode.UNSUPPORTED_VERSION) throw error
    return byMetadata(attempt, wish)
  }
  return matched(wish.names, described, {
    keyOf: (name) => name,
    about: (name) => `topic ${name}`,
    outcome: (topic) => outcome(aboutTopic(topic), topic, () => fromPages(topic, wish.options)),
  })
}

/** All topics, their partitions gathered from as many answers as it takes. */
async function pages({ send }: Attempt, { destination, names, options }: ByName): Promise<ReadonlyMap<string, Page>> {
  const found = new Map<string, Page>()
  // The broker goes through the topics in this order, and its cursor says where it stopped.
  const sorted = [...new Set(names)].toSorted(byCodePoint)
  let cursor: RequestInput<typeof DescribeTopicPartitions>['cursor'] = null
  let left: readonly string[] = sorted
  do {
    const answer: Response<typeof DescribeTopicPartitions> = await send(destination, DescribeTopicPartitions, {
      topics: left.map((name) => ({ name })),
      responsePartitionLimit: options.partitionSizeLimitPerResponse ?? DEFAULT_PAGE,
      cursor,
    })
    for (const topic of answer.topics) {
      const before = found.get(topic.name!)
      found.set(
        topic.name!,
        before === undefined ? topic : { ...topic, partitions: [...before.partitions, ...topic.partitions] },
      )
    }
    const next = answer.nextCursor
    // A cursor that does not move would be followed for ever.
    const isStuck =
      next !== null && next.topicName === cursor?.topicName && next.partitionIndex === cursor.partitionIndex
    if (isStuck)
      throw new KafkaError(
        ErrorCode.UNKNOWN_SERVER_ERROR,
        `describeTopics: the broker stays at ${next.topicName}-${next.partitionIndex}`,
      )
    cursor = next
    if (next !== null) left = sorted.slice(Math.max(0, sorted.indexOf(next.topicName)))
  } while (cursor !== null)
  return found
}

/** As Java compares texts, and so the broker. */
function byCodePoint(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}

async function byMetadata(
  { send }: Attempt,
  { destination, names, options }: ByName,
): Promise<readonly Outcome<TopicDescription>[]> {
  const answer = await send(destination, Metadata, (version) => {
    if (options.includeAuthorizedOperations === true && version < 8)
      throw unsupported('describeTopics with includeAuthorizedOperations', '2.3')
    return {
      topics: [...new Set(names)].map((name) => ({ name })),
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: options.includeAuthorizedOperations ?? false,
    }
  })
  return matched(
    names,
    answer.topics.map((topic) => [topic.name ?? '', topic] as const),
    {
      keyOf: (name) => name,
      about: (name) => `topic ${name}`,
      outcome: (topic) => outcome(aboutTopic(topic), topic, () => fromMetadata(topic)),
    },
  )
}

async function byId(
  { send }: Attempt,
  {
    destination,
    ids,
    options,
  }: { readonly destination: Destination; readonly ids: readonly TopicId[]; readonly options: DescribeTopicsOptions },
): Promise<readonly Outcome<TopicDescription>[]> {
  const answer = await send(destination, Metadata, (version) => {
    if (version < 12) throw unsupported('describing topics by their ids', '3.1')
    return {
      topics: ids.map(({ topicId }) => ({ topicId, name: null })),
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: options.includeAuthorizedOperations ?? false,
    }
  })
  return matched(
    ids,
    answer.topics.map((topic) => [topic.topicId, topic] as const),
    {
      keyOf: ({ topicId }) => topicId,
      about: aboutTopicOrId,
      outcome: (topic, id) => outcome(aboutTopicOrId(id), topic, () => fromMetadata(topic)),
    },
  )
}

function fromPages(topic: Page, { includeAuthorizedOperations = false }: DescribeTopicsOptions): TopicDescription {
  return {
    name: topic.name!,
    topicId: idOrNull(topic.topicId),
    isInternal: topic.isInternal,
    partitions: topic.partitions.map((partition) => ({
      ...inCommon(topic.name!, partition),
      eligibleLeaderReplicas: partition.eligibleLeaderReplicas,
      lastKnownEligibleLeaderReplicas: partition.lastKnownElr,
    })),
    // This API tells them unasked.
    authorizedOperations: includeAuthorizedOperations ? allowedOperations(topic.topicAuthorizedOperations) : null,
  }
}

function fromMetadata(topic: Response<typeof Metadata>['topics'][number]): TopicDescription {
  return {
    name: topic.name!,
    topicId: idOrNull(topic.topicId),
    isInternal: topic.isInternal,
    partitions: topic.partitions
      .map((partition) => ({
        ...inCommon(topic.name!, partition),
        eligibleLeaderReplicas: null,
        lastKnownEligibleLeaderReplicas: null,
      }))
      .toSorted((one, other) => one.partition - other.partition),
    authorizedOperations: allowedOperations(topic.topicAuthorizedOperations),
  }
}

function inCommon(
  topic: string,
  partition: Page['partitions'][number] | Response<typeof Metadata>['topics'][number]['partitions'][number],
) {
  const { partitionIndex, leaderId, leaderEpoch, replicaNodes, isrNodes, offlineReplicas } = partition
  return {
    topic,
    partition: partitionIndex,
    leaderId: leaderId < 0 ? null : leaderId,
    leaderEpoch: epochOrNull(leaderEpoch),
    replicas: replicaNodes,
    inSyncReplicas: isrNodes,
    offlineReplicas,
  }
}
