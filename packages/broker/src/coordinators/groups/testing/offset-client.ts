/** Commits and fetches offsets of a shard, as tests put it. */
import { ZERO_UUID } from '@millrace/protocol'
import type { Decision } from '../../runtime/decision.ts'
import type { CommittedTopicAnswer, TxnCommitRequest } from '../offsets/commit-offsets.ts'
import type { GroupShardUnderTest } from './group-shard-under-test.ts'

export interface TestCommit {
  readonly group?: string
  readonly topic?: string
  readonly topicId?: string
  readonly partition?: number
  readonly offset?: bigint
  readonly leaderEpoch?: number
  readonly metadata?: string | null
  readonly memberId?: string
  readonly instance?: string | null
  readonly generation?: number
  readonly retentionMs?: number
  readonly commitTimestamp?: bigint
  readonly version?: number
  /** In the transaction of this producer. */
  readonly producerId?: bigint
}

/** The error code of the one partition. Rejects as a commit does. */
export async function commit(under: GroupShardUnderTest, options: TestCommit = {}): Promise<number> {
  const { version = 10, producerId } = options
  const answer = await under.write(({ offsets }): Decision<CommittedTopicAnswer[]> => {
    const topics = [topicOf(options)]
    if (producerId !== undefined) return offsets.commitInTransaction(inTransaction(options, producerId), version)
    return offsets.commit(
      { ...committerOf(options), retentionTimeMs: BigInt(options.retentionMs ?? -1), topics },
      version,
    )
  })
  return answer[0]!.partitions[0]!.errorCode
}

function committerOf({ group = 'group', memberId = '', instance = null, generation = -1 }: TestCommit) {
  return { groupId: group, memberId, groupInstanceId: instance, generationIdOrMemberEpoch: generation }
}

function topicOf({
  topic = 'topic',
  topicId = ZERO_UUID,
  partition = 0,
  offset = 1n,
  leaderEpoch = -1,
  metadata = '',
  commitTimestamp = -1n,
}: TestCommit) {
  const committed = {
    partitionIndex: partition,
    committedOffset: offset,
    committedLeaderEpoch: leaderEpoch,
    commitTimestamp,
    committedMetadata: metadata,
  }
  return { name: topic, topicId, partitions: [committed] }
}

function inTransaction(options: TestCommit, producerId: bigint): TxnCommitRequest {
  return {
    ...committerOf(options),
    transactionalId: `transactional-${producerId}`,
    producerId,
    producerEpoch: 0,
    topics: [topicOf(options)],
  }
}

export interface Fetched {
  readonly offset: bigint
  readonly leaderEpoch: number | undefined
  readonly metadata: string | null
  readonly errorCode: number
}

/** What a group has committed, by `topic-partition`; of `wanted` partitions of one topic, or all. */
export function fetchCommitted(
  under: Pick<GroupShardUnderTest, 'shard'>,
  options: {
    readonly group?: string
    readonly wanted?: { readonly topic: string; readonly topicId?: string; readonly partitions: readonly number[] }
    readonly requireStable?: boolean
    readonly memberId?: string | null
    readonly memberEpoch?: number
  } = {},
): Map<string, Fetched> {
  const { group = 'group', wanted, requireStable = false, memberId = null, memberEpoch = -1 } = options
  const topics =
    wanted === undefined
      ? null
      : [{ name: wanted.topic, topicId: wanted.topicId ?? ZERO_UUID, partitionIndexes: wanted.partitions }]
  const answer = under.shard.offsets.fetch({
    group: { groupId: group, memberId, memberEpoch, topics },
    requireStable,
  })
  const fetched = new Map<string, Fetched>()
  for (const { name, partitions } of answer.topics)
    for (const { partitionIndex, committedOffset, committedLeaderEpoch, metadata, errorCode } of partitions)
      fetched.set(`${name}-${partitionIndex}`, {
        offset: committedOffset,
        leaderEpoch: committedLeaderEpoch,
        metadata,
        errorCode,
      })
  return fetched
}
