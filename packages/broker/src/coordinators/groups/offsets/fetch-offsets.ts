/** OffsetFetch: what a group has committed. */
import {
  ErrorCode,
  KafkaError,
  ZERO_UUID,
  type OffsetFetch,
  type Request,
  type ResponseInput,
} from '@millrace/protocol'
import type { Groups } from '../groups.ts'
import type { CommittedOffset } from './committed-offset.ts'
import type { GroupOffsets } from './group-offsets.ts'

export type FetchedGroup = Request<typeof OffsetFetch>['groups'][number]
export type FetchedGroupAnswer = NonNullable<ResponseInput<typeof OffsetFetch>['groups']>[number]
type PartitionAnswer = FetchedGroupAnswer['topics'][number]['partitions'][number]

export interface OffsetFetchOptions {
  /** Topics by name; null: all that the group has committed. */
  readonly group: FetchedGroup
  /** Partitions with offsets in open transactions are refused: they may be about to change. */
  readonly requireStable: boolean
}

/** @throws KafkaError with the code of the whole group. */
export function fetchOffsets(
  groups: Groups,
  offsets: GroupOffsets,
  { group, requireStable }: OffsetFetchOptions,
): FetchedGroupAnswer {
  const { groupId, topics } = group
  const isKnown = checkFetch(groups, group)
  const isUnstable = (topic: string, partition: number): boolean =>
    requireStable && offsets.pending.has(groupId, topic, partition)
  if (topics === null) return { groupId, topics: isKnown ? allTopics(offsets, groupId, isUnstable) : [] }
  const byTopic = isKnown ? offsets.committed.ofGroup(groupId) : undefined
  const told = new Map<string, Set<number>>()
  return {
    groupId,
    topics: topics.map(({ name, topicId, partitionIndexes }) => ({
      name,
      topicId,
      partitions: firstNamed(told, name, partitionIndexes).map((partition) => {
        if (isUnstable(name, partition)) return nothingCommitted(partition, ErrorCode.UNSTABLE_OFFSET_COMMIT)
        const committed = byTopic?.get(name)?.get(partition)
        return committed === undefined || isOfAnotherTopic(committed, topicId)
          ? nothingCommitted(partition)
          : answerOf(partition, committed)
      }),
    })),
  }
}

/**
 * Those that were not named before. A partition is told once: with its metadata, the answer to who names it again and again would be a thousand
 * times as large as the request.
 */
function firstNamed(told: Map<string, Set<number>>, topic: string, partitions: readonly number[]): number[] {
  let known = told.get(topic)
  if (known === undefined) told.set(topic, (known = new Set()))
  return partitions.filter((partition) => known.size < known.add(partition).size)
}

/** A group that does not exist has committed nothing. */
function checkFetch(groups: Groups, { groupId, memberId, memberEpoch }: FetchedGroup): boolean {
  const group = groups.get(groupId)
  if (group === undefined) return false
  try {
    group.checkOffsetFetch(memberId, memberEpoch)
    return true
  } catch (error) {
    if (error instanceof KafkaError && error.code === ErrorCode.GROUP_ID_NOT_FOUND) return false
    throw error
  }
}

function allTopics(
  offsets: GroupOffsets,
  groupId: string,
  isUnstable: (topic: string, partition: number) => boolean,
): FetchedGroupAnswer['topics'] {
  return Array.from(offsets.committed.ofGroup(groupId) ?? [], ([name, byPartition]) => ({
    name,
    topicId: ZERO_UUID,
    partitions: Array.from(byPartition, ([partition, committed]) =>
      isUnstable(name, partition)
        ? nothingCommitted(partition, ErrorCode.UNSTABLE_OFFSET_COMMIT)
        : answerOf(partition, committed),
    ),
  }))
}

/** The topic was deleted and made again: what was committed is no offset of this one. */
function isOfAnotherTopic({ topicId }: CommittedOffset, wanted: string): boolean {
  return topicId !== ZERO_UUID && wanted !== ZERO_UUID && topicId !== wanted
}

function answerOf(partitionIndex: number, { offset, leaderEpoch, metadata }: CommittedOffset): PartitionAnswer {
  return {
    partitionIndex,
    committedOffset: offset,
    committedLeaderEpoch: leaderEpoch,
    metadata,
    errorCode: ErrorCode.NONE,
  }
}

export function nothingCommitted(partitionIndex: number, errorCode: number = ErrorCode.NONE): PartitionAnswer {
  return { partitionIndex, committedOffset: -1n, committedLeaderEpoch: -1, metadata: '', errorCode }
}
