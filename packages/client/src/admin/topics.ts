/** Creating, listing and deleting topics. */
import { CreateTopics, DeleteTopics, ErrorCode, Metadata, ZERO_UUID } from '@millrace/protocol'
import type { Response } from '@millrace/protocol'
import { idOrNull } from './absent.ts'
import { configValue, type ConfigValue } from './config-value.ts'
import { unsupported } from './kafka-versions.ts'
import { refuseUnknownNames } from './known-names.ts'
import type { EachOf, ListOf } from './partial-failure.ts'
import { check, matched, outcome, type AdminRequests, type CallOptions } from './requests.ts'
import { toController } from './routing.ts'

export interface NewTopic {
  readonly name: string
  /** Default: the broker's `num.partitions`. */
  readonly numPartitions?: number
  /** Default: the broker's `default.replication.factor`. */
  readonly replicationFactor?: number
  /** For each partition the brokers to have it, its preferred leader first; instead of the two above. */
  readonly replicaAssignments?: readonly (readonly number[])[]
  readonly configs?: Readonly<Record<string, ConfigValue>>
}

export interface CreatedTopic {
  readonly name: string
  /** Null when only validated, and from brokers before Kafka 2.8. */
  readonly topicId: string | null
  /** Null, as the next two, when this client may not see it, and from brokers before Kafka 2.4. */
  readonly numPartitions: number | null
  readonly replicationFactor: number | null
  readonly configs: Readonly<Record<string, string | null>> | null
}

export interface ChangeTopicsOptions extends CallOptions {
  /** Wait, and try again, when the broker says that a quota on such changes is exceeded. Default true. */
  readonly retryOnQuotaViolation?: boolean
}

export interface ValidatedChangeOptions extends ChangeTopicsOptions {
  /** Only check whether it could be done. Default false. */
  readonly validateOnly?: boolean
}

export interface TopicListing {
  readonly name: string
  /** Null from brokers before Kafka 2.8. */
  readonly topicId: string | null
  readonly isInternal: boolean
}

/** A topic by its id, where one by its name is asked for otherwise. */
export interface TopicId {
  readonly topicId: string
}

export interface TopicAdmin {
  createTopics<Topics extends readonly unknown[]>(
    topics: ListOf<Topics, NewTopic>,
    options?: ValidatedChangeOptions,
  ): Promise<EachOf<Topics, CreatedTopic>>
  /** By name, or by id (since Kafka 2.8). */
  deleteTopics<Topics extends readonly unknown[]>(
    topics: ListOf<Topics, string | TopicId>,
    options?: ChangeTopicsOptions,
  ): Promise<EachOf<Topics, { readonly name: string; readonly topicId: string | null }>>
  /** All that this client may see; the brokers' own only with `includeInternal`. */
  listTopics(options?: CallOptions & { readonly includeInternal?: boolean }): Promise<readonly TopicListing[]>
}

export function topicAdmin(requests: AdminRequests): TopicAdmin {
  return {
    createTopics: (topics, options = {}) =>
      requests.each(
        {
          operation: 'createTopics',
          routing: toController,
          retried: retriedWithin(options),
          ask: async ({ send, timeoutMs }, destination, asked: readonly NewTopic[]) => {
            const answer = await send(destination, CreateTopics, (version) => ({
              topics: asked.map((topic) => creation(topic, version)),
              timeoutMs,
              validateOnly: options.validateOnly ?? false,
            }))
            return matched(
              asked,
              answer.topics.map((topic) => [topic.name, topic] as const),
              {
                keyOf: ({ name }) => name,
                about: aboutTopic,
                outcome: (topic) => outcome(aboutTopic(topic), topic, () => createdTopic(topic)),
              },
            )
          },
        },
        topics,
        options,
      ),
    deleteTopics: (topics, options = {}) =>
      requests.each(
        {
          operation: 'deleteTopics',
          routing: toController,
          retried: retriedWithin(options),
          ask: async ({ send, timeoutMs }, destination, asked: readonly (string | TopicId)[]) => {
            const { responses } = await send(destination, DeleteTopics, (version) => ({
              ...deletion(asked, version),
              timeoutMs,
            }))
            const answers = new Map(
              responses.flatMap((topic) => [
                [topic.name ?? '', topic] as const,
                [`id ${topic.topicId}`, topic] as const,
              ]),
            )
            return matched(asked, answers, {
              keyOf: (topic) => (typeof topic === 'string' ? topic : `id ${topic.topicId}`),
              about: aboutTopicOrId,
              outcome: (answer, topic) =>
                outcome(aboutTopicOrId(topic), answer, () => ({
                  name: answer.name ?? '',
                  topicId: idOrNull(answer.topicId),
                })),
            })
          },
        },
        topics,
        options,
      ),
    listTopics: ({ includeInternal = false, ...options } = {}) =>
      requests.one('listTopics', options, async ({ send }) => {
        const answer = await send('any', Metadata, (version) => ({
          topics: version === 0 ? [] : null,
          allowAutoTopicCreation: true,
        }))
        check('listTopics', answer)
        return answer.topics.flatMap(({ name, topicId, isInternal }) =>
          name === null || (isInternal && !includeInternal) ? [] : [{ name, topicId: idOrNull(topicId), isInternal }],
        )
      }),
  }
}

const quotaExceeded: ReadonlySet<number> = new Set([ErrorCode.THROTTLING_QUOTA_EXCEEDED])
const none: ReadonlySet<number> = new Set()

/** What is tried again besides what every operation tries again. */
export function retriedWithin({ retryOnQuotaViolation = true }: ChangeTopicsOptions): ReadonlySet<number> {
  return retryOnQuotaViolation ? quotaExceeded : none
}

export function aboutTopic({ name }: { readonly name: string | null }): string {
  return `topic ${name}`
}

export function aboutTopicOrId(topic: string | TopicId): string {
  return typeof topic === 'string' ? `topic ${topic}` : `topic with id ${topic.topicId}`
}

const topicNames: Record<keyof NewTopic, true> = {
  name: true,
  numPartitions: true,
  replicationFactor: true,
  replicaAssignments: true,
  configs: true,
}

function creation(topic: NewTopic, version: number) {
  refuseUnknownNames('a new topic', topic, topicNames)
  const { name, numPartitions, replicationFactor, replicaAssignments, configs } = topic
  const isAssigned = replicaAssignments !== undefined
  if (isAssigned && (numPartitions !== undefined || replicationFactor !== undefined))
    throw new TypeError(`topic ${name}: give either replicaAssignments, or numPartitions and replicationFactor`)
  if (!isAssigned && (numPartitions === undefined || replicationFactor === undefined) && version < 4)
    throw unsupported(`topic ${name}: creating a topic without numPartitions or replicationFactor`, '2.4')
  return {
    name,
    numPartitions: numPartitions ?? -1,
    replicationFactor: replicationFactor ?? -1,
    assignments: (replicaAssignments ?? []).map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
    configs: Object.entries(configs ?? {}).map(([config, value]) => ({ name: config, value: configValue(value) })),
  }
}

function createdTopic(topic: Response<typeof CreateTopics>['topics'][number]): CreatedTopic {
  const { name, topicId, numPartitions, replicationFactor, configs, topicConfigErrorCode } = topic
  const isTold = topicConfigErrorCode === ErrorCode.NONE && numPartitions >= 0
  return {
    name,
    topicId: idOrNull(topicId),
    numPartitions: isTold ? numPartitions : null,
    replicationFactor: isTold ? replicationFactor : null,
    configs:
      isTold && configs !== null ? Object.fromEntries(configs.map((config) => [config.name, config.value])) : null,
  }
}

function deletion(topics: readonly (string | TopicId)[], version: number) {
  if (version >= 6)
    return {
      topics: topics.map((topic) =>
        typeof topic === 'string' ? { name: topic, topicId: ZERO_UUID } : { name: null, topicId: topic.topicId },
      ),
    }
  return {
    topicNames: topics.map((topic) => {
      if (typeof topic !== 'string') throw unsupported('deleting topics by their ids', '2.8')
      return topic
    }),
  }
}
