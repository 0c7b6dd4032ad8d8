/** What can be done to partitions: more of them, fewer records, other leaders, other brokers. */
import {
  AlterPartitionReassignments,
  CreatePartitions,
  DeleteRecords,
  ElectLeaders,
  ErrorCode,
  ListPartitionReassignments,
} from '@millrace/protocol'
import { checkOffset } from '../checked-places.ts'
import { partitionName } from '../groups/partition-names.ts'
import type { TopicPartition } from '../record.ts'
import { byPartition, byTopic } from './by-topic.ts'
import { enumeration } from './enumeration.ts'
import { unsupported } from './kafka-versions.ts'
import { resultsOf, type EachOf, type Outcome, type ListOf } from './partial-failure.ts'
import { allFailed, check, matched, outcome, type AdminRequests, type Attempt, type CallOptions } from './requests.ts'
import { toController, toLeader } from './routing.ts'
import { aboutTopic, retriedWithin, type ValidatedChangeOptions } from './topics.ts'

export interface NewPartitions {
  readonly topic: string
  /** How many the topic shall have in all. */
  readonly totalCount: number
  /** The brokers of each new partition, its preferred leader first. Default: the cluster chooses. */
  readonly assignments?: readonly (readonly number[])[]
}

export interface RecordsToDelete extends TopicPartition {
  /** Records before it go; 'end': all there are. */
  readonly beforeOffset: bigint | 'end'
}

export interface DeletedRecords extends TopicPartition {
  /** The offset at which the partition begins now. */
  readonly lowWatermark: bigint
}

/** `PREFERRED`: the first replica. `UNCLEAN` (since Kafka 2.4): any that is alive, when none in sync is; records are lost. */
export type ElectionType = 'PREFERRED' | 'UNCLEAN'

export interface ElectedLeader extends TopicPartition {
  /** False: the right leader led already. */
  readonly elected: boolean
}

export interface NewReassignment extends TopicPartition {
  /** The brokers to have the partition, its preferred leader first; null: give up the reassignment under way. */
  readonly replicas: readonly number[] | null
}

export interface PartitionReassignment extends TopicPartition {
  /** Those it has now, those to come and those to go included. */
  readonly replicas: readonly number[]
  readonly addingReplicas: readonly number[]
  readonly removingReplicas: readonly number[]
}

export interface AlterReassignmentsOptions extends CallOptions {
  /** False (since Kafka 4.1): refuse what changes how many replicas there are. Default true. */
  readonly allowReplicationFactorChange?: boolean
}

export interface PartitionAdmin {
  createPartitions<Topics extends readonly unknown[]>(
    topics: ListOf<Topics, NewPartitions>,
    options?: ValidatedChangeOptions,
  ): Promise<EachOf<Topics, { readonly topic: string }>>
  deleteRecords<Partitions extends readonly unknown[]>(
    partitions: ListOf<Partitions, RecordsToDelete>,
    options?: CallOptions,
  ): Promise<EachOf<Partitions, DeletedRecords>>
  /** Of all partitions when none are named: then the answer has those only whose leader changed or could not. */
  electLeaders(
    type: ElectionType,
    partitions?: readonly TopicPartition[] | null,
    options?: CallOptions,
  ): Promise<readonly ElectedLeader[]>
  /** Begins to move partitions between brokers, or gives that up; `listPartitionReassignments` tells when it is done. */
  alterPartitionReassignments<Reassignments extends readonly unknown[]>(
    reassignments: ListOf<Reassignments, NewReassignment>,
    options?: AlterReassignmentsOptions,
  ): Promise<EachOf<Reassignments, TopicPartition>>
  /** Those under way: of all partitions when none are named. */
  listPartitionReassignments(
    partitions?: readonly TopicPartition[] | null,
    options?: CallOptions,
  ): Promise<readonly PartitionReassignment[]>
}

export function partitionAdmin(requests: AdminRequests): PartitionAdmin {
  return {
    createPartitions: (topics, options = {}) =>
      requests.each(
        {
          operation: 'createPartitions',
          routing: toController,
          retried: retriedWithin(options),
          ask: async ({ send, timeoutMs }, destination, asked: readonly NewPartitions[]) => {
            const { results } = await send(destination, CreatePartitions, {
              topics: asked.map(({ topic, totalCount, assignments }) => ({
                name: topic,
                count: totalCount,
                assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null,
              })),
              timeoutMs,
              validateOnly: options.validateOnly ?? false,
            })
            return matched(
              asked,
              results.map((result) => [result.name, result] as const),
              {
                keyOf: ({ topic }) => topic,
                about: ({ topic }) => `topic ${topic}`,
                outcome: (result, { topic }) => outcome(aboutTopic(result), result, () => ({ topic })),
              },
            )
          },
        },
        topics,
        options,
      ),
    deleteRecords: (partitions, options = {}) =>
      requests.each(
        { operation: 'deleteRecords', routing: toLeader, retried: passingTrouble, ask: deleteRecords },
        partitions,
        options,
      ),
    electLeaders: async (type, partitions = null, options = {}) =>
      resultsOf(
        'electLeaders',
        await requests.one('electLeaders', options, (attempt) => electLeaders(attempt, type, partitions)),
      ),
    alterPartitionReassignments: (reassignments, options = {}) =>
      requests.each(
        {
          operation: 'alterPartitionReassignments',
          routing: toController,
          ask: async ({ send, timeoutMs }, destination, asked: readonly NewReassignment[]) => {
            const { allowReplicationFactorChange = true } = options
            const answer = await send(destination, AlterPartitionReassignments, (version) => {
              if (!allowReplicationFactorChange && version < 1)
                throw unsupported('alterPartitionReassignments with allowReplicationFactorChange: false', '4.1')
              return {
                timeoutMs,
                allowReplicationFactorChange,
                topics: byTopic(asked).map(({ topic, things }) => ({
                  name: topic,
                  partitions: things.map(({ partition, replicas }) => ({ partitionIndex: partition, replicas })),
                })),
              }
            })
            if (answer.errorCode !== ErrorCode.NONE) return allFailed(asked, partitionName, answer)
            const answers = byPartition(answer.responses)
            return matched(asked, answers, {
              keyOf: partitionName,
              about: partitionName,
              outcome: (result, { topic, partition }) =>
                outcome(partitionName({ topic, partition }), result, () => ({ topic, partition })),
            })
          },
        },
        reassignments,
        options,
      ),
    listPartitionReassignments: (partitions = null, options = {}) =>
      requests.one('listPartitionReassignments', options, async ({ send, timeoutMs }) => {
        const answer = await send('controller', ListPartitionReassignments, {
          timeoutMs,
          topics:
            partitions === null
              ? null
              : byTopic(partitions).map(({ topic, things }) => ({
                  name: topic,
                  partitionIndexes: things.map(({ partition }) => partition),
                })),
        })
        check('listPartitionReassignments', answer)
        return answer.topics.flatMap(({ name, partitions: reassigned }) =>
          reassigned.map(({ partitionIndex, replicas, addingReplicas, removingReplicas }) => ({
            topic: name,
            partition: partitionIndex,
            replicas,
            addingReplicas,
            removingReplicas,
          })),
        )
      }),
  }
}

/** What a leader may answer for a while: all that Kafka calls retriable, besides what says that the leader has moved. */
export const passingTrouble: ReadonlySet<number> = new Set([
  ErrorCode.CORRUPT_MESSAGE,
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  ErrorCode.OFFSET_NOT_AVAILABLE,
  ErrorCode.LISTENER_NOT_FOUND,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.THROTTLING_QUOTA_EXCEEDED,
])

const HIGH_WATERMARK = -1n

async function deleteRecords(
  { send, timeoutMs }: Attempt,
  destination: Parameters<Attempt['send']>[0],
  asked: readonly RecordsToDelete[],
): Promise<readonly Outcome<DeletedRecords>[]> {
  for (const { beforeOffset } of asked) if (beforeOffset !== 'end') checkOffset(beforeOffset, 'be deleted up to')
  const { topics } = await send(destination, DeleteRecords, {
    topics: byTopic(asked).map(({ topic, things }) => ({
      name: topic,
      partitions: things.map(({ partition, beforeOffset }) => ({
        partitionIndex: partition,
        offset: beforeOffset === 'end' ? HIGH_WATERMARK : beforeOffset,
      })),
    })),
    timeoutMs,
  })
  const answers = byPartition(topics)
  return matched(asked, answers, {
    keyOf: partitionName,
    about: partitionName,
    outcome: (result, { topic, partition }) =>
      outcome(partitionName({ topic, partition }), result, () => ({
        topic,
        partition,
        lowWatermark: result.lowWatermark,
      })),
  })
}

const electionTypes = enumeration<ElectionType>('election type', { PREFERRED: 0, UNCLEAN: 1 })

async function electLeaders(
  { send, timeoutMs }: Attempt,
  type: ElectionType,
  partitions: readonly TopicPartition[] | null,
): Promise<readonly Outcome<ElectedLeader>[]> {
  const electionType = electionTypes.codeOf(type)
  const answer = await send('controller', ElectLeaders, (version) => {
    if (type === 'UNCLEAN' && version === 0) throw unsupported('electLeaders of type UNCLEAN', '2.4')
    return {
      electionType,
      topicPartitions:
        partitions === null
          ? null
          : byTopic(partitions).map(({ topic, things }) => ({
              topic,
              partitions: things.map(({ partition }) => partition),
            })),
      timeoutMs,
    }
  })
  check('electLeaders', answer)
  const answers = answer.replicaElectionResults.flatMap(({ topic, partitionResult }) =>
    partitionResult.map((result) => ({ topic, partition: result.partitionId, result })),
  )
  const outcomeOf = ({ topic, partition, result }: (typeof answers)[number]): Outcome<ElectedLeader> =>
    result.errorCode === ErrorCode.ELECTION_NOT_NEEDED
      ? { value: { topic, partition, elected: false } }
      : outcome(partitionName({ topic, partition }), result, () => ({ topic, partition, elected: true }))
  if (partitions === null) return answers.map(outcomeOf)
  return matched(
    partitions,
    answers.map((one) => [partitionName(one), one] as const),
    {
      keyOf: partitionName,
      about: partitionName,
      outcome: outcomeOf,
    },
  )
}
