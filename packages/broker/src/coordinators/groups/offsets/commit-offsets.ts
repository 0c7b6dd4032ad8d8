/** OffsetCommit and TxnOffsetCommit: who may commit, and what is written. */
import {
  ErrorCode,
  KafkaError,
  ZERO_UUID,
  type OffsetCommit,
  type Request,
  type TxnOffsetCommit,
} from '@millrace/protocol'
import { checkIdLength } from '../../client-bounds.ts'
import type { CoordinatorRecord, Decision } from '../../runtime/decision.ts'
import { ClassicGroup } from '../classic/classic-group.ts'
import type { ClassicSessions } from '../classic/classic-sessions.ts'
import type { OffsetCommitter, PartitionCommitCheck } from '../group.ts'
import type { GroupShardContext } from '../group-part.ts'
import { offsetCommit } from './committed-offset.ts'

/** Topics with their names and ids. */
export type CommitRequest = Omit<Request<typeof OffsetCommit>, 'topics'> & {
  readonly topics: readonly CommittedTopic[]
}
export type TxnCommitRequest = Request<typeof TxnOffsetCommit>

export interface CommittedTopic {
  readonly name: string
  /** ZERO_UUID: unknown. */
  readonly topicId: string
  readonly partitions: readonly CommittedPartition[]
}

interface CommittedPartition {
  readonly partitionIndex: number
  readonly committedOffset: bigint
  readonly committedLeaderEpoch: number
  readonly committedMetadata: string | null
  /** Milliseconds since 1970, of OffsetCommit 1 alone; −1n: now. */
  readonly commitTimestamp?: bigint
}

/** Of one partition each, in the order of the request. */
export interface CommittedTopicAnswer {
  readonly name: string
  readonly topicId: string
  readonly partitions: { readonly partitionIndex: number; readonly errorCode: number }[]
}

/** From this version on a group that does not exist is called that. */
const firstVersionWithGroupNotFound = 9

/** @throws KafkaError with the code of all partitions. */
export function commitOffsets(
  context: GroupShardContext,
  sessions: ClassicSessions,
  request: CommitRequest,
  apiVersion: number,
): Decision<CommittedTopicAnswer[]> {
  const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch, retentionTimeMs, topics } = request
  const committer = {
    memberId,
    groupInstanceId,
    generationOrEpoch: generationIdOrMemberEpoch,
    isTransactional: false,
    apiVersion,
  }
  const check = checkCommitter(context, groupId, committer)
  const group = context.groups.get(groupId)
  if (group instanceof ClassicGroup) keepSession(group, memberId, sessions)
  const nowMs = context.shard.clock.now()
  const expireTimestampMs = retentionTimeMs === -1n ? -1 : nowMs + Number(retentionTimeMs)
  return commit(context, { groupId, topics, check, expireTimestampMs })
}

/** @throws KafkaError with the code of all partitions. */
export function commitOffsetsInTransaction(
  context: GroupShardContext,
  request: TxnCommitRequest,
  apiVersion: number,
): Decision<CommittedTopicAnswer[]> {
  const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch, producerId, producerEpoch } = request
  const committer = {
    memberId,
    groupInstanceId,
    generationOrEpoch: generationIdOrMemberEpoch,
    isTransactional: true,
    apiVersion,
  }
  const { image } = context.shard
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    topicId: image.topics.get(name)?.id ?? ZERO_UUID,
    partitions,
  }))
  try {
    const check = checkCommitter(context, groupId, committer)
    if (check !== null && topics.some(({ topicId }) => topicId === ZERO_UUID))
      throw new KafkaError(ErrorCode.ILLEGAL_GENERATION)
    const decision = commit(context, { groupId, topics, check, expireTimestampMs: -1, forgetsTopicIds: true })
    return { ...decision, transaction: { producerId, producerEpoch } }
  } catch (error) {
    // Which the API does not have.
    if (error instanceof KafkaError && error.code === ErrorCode.STALE_MEMBER_EPOCH)
      throw new KafkaError(ErrorCode.ILLEGAL_GENERATION, error.message, { cause: error })
    throw error
  }
}

function checkCommitter(
  { groups }: GroupShardContext,
  groupId: string,
  committer: OffsetCommitter,
): PartitionCommitCheck | null {
  const group = groups.get(groupId)
  if (group !== undefined) return group.checkOffsetCommit(committer)
  checkIdLength(groupId, ErrorCode.INVALID_GROUP_ID)
  // An administrator, or a consumer that assigns partitions to itself: replay makes a simple group for it.
  if (committer.generationOrEpoch < 0) return null
  if (!committer.isTransactional && committer.apiVersion >= firstVersionWithGroupNotFound)
    throw new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${groupId} not found.`)
  throw new KafkaError(ErrorCode.ILLEGAL_GENERATION)
}

/** A commit is as good as a heartbeat. */
function keepSession(group: ClassicGroup, memberId: string, sessions: ClassicSessions): void {
  const member = group.members.get(memberId)
  if (member !== undefined && (group.state === 'Stable' || group.state === 'PreparingRebalance'))
    sessions.restart(group, member)
}

interface Commit {
  readonly groupId: string
  readonly topics: readonly CommittedTopic[]
  readonly check: PartitionCommitCheck | null
  readonly expireTimestampMs: number
  /** As Kafka does in transactions. */
  readonly forgetsTopicIds?: boolean
}

function commit(
  { shard, config }: GroupShardContext,
  { groupId, topics, check, expireTimestampMs, forgetsTopicIds = false }: Commit,
): Decision<CommittedTopicAnswer[]> {
  const maxMetadataLength = config.get('offset.metadata.max.bytes')
  const nowMs = shard.clock.now()
  const records: CoordinatorRecord[] = []
  const response = topics.map(({ name, topicId, partitions }) => ({
    name,
    topicId,
    partitions: partitions.map((committed) => {
      const { partitionIndex, committedOffset, committedLeaderEpoch, commitTimestamp = -1n } = committed
      const metadata = committed.committedMetadata ?? ''
      if (metadata.length > maxMetadataLength) return { partitionIndex, errorCode: ErrorCode.OFFSET_METADATA_TOO_LARGE }
      check?.(name, topicId, partitionIndex)
      records.push(
        offsetCommit(
          { group: groupId, topic: name, partition: partitionIndex },
          {
            offset: committedOffset,
            leaderEpoch: committedLeaderEpoch,
            metadata,
            commitTimestampMs: commitTimestamp === -1n ? nowMs : Number(commitTimestamp),
            expireTimestampMs,
            topicId: forgetsTopicIds ? ZERO_UUID : topicId,
          },
        ),
      )
      return { partitionIndex, errorCode: ErrorCode.NONE }
    }),
  }))
  return { records, response }
}
