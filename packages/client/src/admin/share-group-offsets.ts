/** Where share groups begin to read in each partition. Since Kafka 4.1. */
import {
  AlterShareGroupOffsets,
  DeleteShareGroupOffsets,
  DescribeShareGroupOffsets,
  ErrorCode,
} from '@millrace/protocol'
import type { Response } from '@millrace/protocol'
import { checkPlace } from '../checked-places.ts'
import { partitionName } from '../groups/partition-names.ts'
import type { TopicPartition } from '../record.ts'
import { epochOrNull, offsetOrNull } from './absent.ts'
import { byTopic } from './by-topic.ts'
import { aboutGroup } from './describe-groups.ts'
import { queriesOf, type GroupOffsetsQuery } from './group-offsets.ts'
import type { EachOf, Outcome, ListOf } from './partial-failure.ts'
import { allFailed, failure, matched, outcome, type AdminRequests, type CallOptions } from './requests.ts'
import { toCoordinator, toGroupCoordinator } from './routing.ts'

export interface SharePartitionOffset extends TopicPartition {
  /** Records before it are done with; null when the group has not begun there. */
  readonly startOffset: bigint | null
  readonly leaderEpoch: number | null
  /** Records not done with yet; null when unknown, and from brokers before Kafka 4.2. */
  readonly lag: bigint | null
}

export interface ShareGroupOffsets {
  readonly groupId: string
  readonly offsets: readonly SharePartitionOffset[]
}

export interface NewShareOffset extends TopicPartition {
  readonly startOffset: bigint
}

export interface ShareGroupOffsetsAdmin {
  listShareGroupOffsets<Groups extends readonly unknown[]>(
    groups: ListOf<Groups, string | GroupOffsetsQuery>,
    options?: CallOptions,
  ): Promise<EachOf<Groups, ShareGroupOffsets>>
  /** Of a group without members. */
  alterShareGroupOffsets<Offsets extends readonly unknown[]>(
    groupId: string,
    offsets: ListOf<Offsets, NewShareOffset>,
    options?: CallOptions,
  ): Promise<EachOf<Offsets, TopicPartition>>
  /** Of whole topics, of a group without members. */
  deleteShareGroupOffsets<Topics extends readonly unknown[]>(
    groupId: string,
    topics: ListOf<Topics, string>,
    options?: CallOptions,
  ): Promise<EachOf<Topics, { readonly topic: string }>>
}

const expectedOffsets =
  'alterShareGroupOffsets expects a list of { topic, partition, startOffset } with a bigint startOffset'

export function shareGroupOffsetsAdmin(requests: AdminRequests): ShareGroupOffsetsAdmin {
  return {
    listShareGroupOffsets: <Groups extends readonly unknown[]>(
      groups: ListOf<Groups, string | GroupOffsetsQuery>,
      options: CallOptions = {},
    ) =>
      requests.each(
        {
          operation: 'listShareGroupOffsets',
          routing: toGroupCoordinator,
          ask: async ({ send }, destination, asked: readonly GroupOffsetsQuery[]) => {
            const answer = await send(destination, DescribeShareGroupOffsets, {
              groups: asked.map(({ groupId, partitions }) => ({
                groupId,
                topics:
                  partitions === undefined
                    ? null
                    : byTopic(partitions).map(({ topic, things }) => ({
                        topicName: topic,
                        partitions: things.map(({ partition }) => partition),
                      })),
              })),
            })
            return matched(
              asked,
              answer.groups.map((group) => [group.groupId, group] as const),
              { keyOf: ({ groupId }) => groupId, about: ({ groupId }) => aboutGroup(groupId), outcome: shareOffsets },
            )
          },
        },
        queriesOf(groups as readonly (string | GroupOffsetsQuery)[]),
        options,
      ) as Promise<EachOf<Groups, ShareGroupOffsets>>,
    alterShareGroupOffsets: (groupId, offsets, options = {}) =>
      requests.each(
        {
          operation: 'alterShareGroupOffsets',
          routing: toCoordinator('group', () => groupId),
          retried: rebalancing,
          ask: async ({ send }, destination, asked: readonly NewShareOffset[]) => {
            for (const { topic, partition, startOffset } of asked)
              checkPlace({ topic, partition, offset: startOffset }, expectedOffsets)
            const about = (partition: TopicPartition): string => `${partitionName(partition)} of group ${groupId}`
            const answer = await send(destination, AlterShareGroupOffsets, {
              groupId,
              topics: byTopic(asked).map(({ topic, things }) => ({
                topicName: topic,
                partitions: things.map(({ partition, startOffset }) => ({ partitionIndex: partition, startOffset })),
              })),
            })
            if (answer.errorCode !== ErrorCode.NONE) return allFailed(asked, () => aboutGroup(groupId), answer)
            const answers = answer.responses.flatMap(({ topicName, partitions }) =>
              partitions.map(
                (result) => [partitionName({ topic: topicName, partition: result.partitionIndex }), result] as const,
              ),
            )
            return matched(asked, answers, {
              keyOf: partitionName,
              about,
              outcome: (result, { topic, partition }) =>
                outcome(about({ topic, partition }), result, () => ({ topic, partition })),
            })
          },
        },
        offsets,
        options,
      ),
    deleteShareGroupOffsets: (groupId, topics, options = {}) =>
      requests.each(
        {
          operation: 'deleteShareGroupOffsets',
          routing: toCoordinator('group', () => groupId),
          retried: rebalancing,
          ask: async ({ send }, destination, asked: readonly string[]) => {
            const about = (topic: string): string => `topic ${topic} of group ${groupId}`
            const answer = await send(destination, DeleteShareGroupOffsets, {
              groupId,
              topics: [...new Set(asked)].map((topicName) => ({ topicName })),
            })
            if (answer.errorCode !== ErrorCode.NONE) return allFailed(asked, () => aboutGroup(groupId), answer)
            return matched(
              asked,
              answer.responses.map((result) => [result.topicName, result] as const),
              {
                keyOf: (topic) => topic,
                about,
                outcome: (result, topic) => outcome(about(topic), result, () => ({ topic })),
              },
            )
          },
        },
        topics,
        options,
      ),
  }
}

const rebalancing: ReadonlySet<number> = new Set([ErrorCode.REBALANCE_IN_PROGRESS])

function shareOffsets(group: Response<typeof DescribeShareGroupOffsets>['groups'][number]): Outcome<ShareGroupOffsets> {
  const { groupId, topics } = group
  if (group.errorCode !== ErrorCode.NONE) return { error: failure(aboutGroup(groupId), group) }
  const offsets: SharePartitionOffset[] = []
  for (const { topicName, partitions } of topics) {
    for (const result of partitions) {
      const partition = { topic: topicName, partition: result.partitionIndex }
      if (result.errorCode !== ErrorCode.NONE)
        return { error: failure(`${partitionName(partition)} of group ${groupId}`, result) }
      // Where the group has not begun, the rest says nothing.
      const hasBegun = result.startOffset >= 0n
      offsets.push({
        ...partition,
        startOffset: offsetOrNull(result.startOffset),
        leaderEpoch: hasBegun ? epochOrNull(result.leaderEpoch) : null,
        lag: hasBegun ? offsetOrNull(result.lag) : null,
      })
    }
  }
  return { value: { groupId, offsets } }
}
