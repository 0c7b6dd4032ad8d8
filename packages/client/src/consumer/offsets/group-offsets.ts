/** The offsets that a group has committed: OffsetFetch and OffsetCommit, asked of its coordinator. Every call is one attempt. */
import { ErrorCode, errorName, KafkaError, OffsetCommit, OffsetFetch, ZERO_UUID } from '@millrace/protocol'
import type { Cluster } from '../../cluster/cluster.ts'
import type { GroupMetadata } from '../../producer/producer.ts'
import type { TopicPartition, TopicPartitionOffset } from '../../record.ts'

/** The first versions that name topics by their ids alone. */
const FETCH_BY_ID = 10
const COMMIT_BY_ID = 10
/** From here on OffsetFetch asks for several groups. */
const FETCH_OF_GROUPS = 8

interface NamedTopic {
  readonly name: string
  readonly id: string
}

export class GroupOffsets {
  readonly #cluster: Cluster
  readonly #groupId: string

  constructor(cluster: Cluster, groupId: string) {
    this.#cluster = cluster
    this.#groupId = groupId
  }

  /**
   * Offsets that a transaction may still change are waited for, not read.
   * @throws KafkaError, retriable for UNSTABLE_OFFSET_COMMIT and what passes; errors of authorization say what is needed.
   */
  async fetch(
    partitions: readonly TopicPartition[],
    signal: AbortSignal,
  ): Promise<Map<TopicPartition, TopicPartitionOffset | null>> {
    const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
    const named = this.#named(byTopic.keys())
    const answer = await this.#cluster.send(
      { coordinatorOf: this.#groupId, kind: 'group' },
      OffsetFetch,
      (version) => {
        const topics = named.map(({ name, id }) => ({
          ...(version >= FETCH_BY_ID ? { topicId: id } : { name }),
          partitionIndexes: byTopic.get(name)!.map(({ partition }) => partition),
        }))
        const requireStable = version >= 7
        return version >= FETCH_OF_GROUPS
          ? { groups: [{ groupId: this.#groupId, topics }], requireStable }
          : {
              groupId: this.#groupId,
              topics: topics as { name: string; partitionIndexes: number[] }[],
              ...(requireStable ? { requireStable } : {}),
            }
      },
      { signal, ...(hasAllIds(named) ? {} : { maxVersion: FETCH_BY_ID - 1 }) },
    )
    const { errorCode, topics } = answer.groups[0] ?? answer
    if (errorCode !== ErrorCode.NONE) throw this.#groupFailure(errorCode, 'its committed offsets cannot be read')
    const found = new Map<TopicPartition, TopicPartitionOffset | null>()
    for (const one of topics) {
      const topic = nameIn(named, one)
      for (const { partitionIndex, errorCode: code, ...committed } of one.partitions) {
        const asked = byTopic.get(topic)?.find(({ partition }) => partition === partitionIndex)
        if (asked === undefined) continue
        if (code !== ErrorCode.NONE) throw partitionFailure(asked, code, 'the committed offset cannot be read')
        const { committedOffset: offset, committedLeaderEpoch: leaderEpoch, metadata } = committed
        found.set(
          asked,
          offset < 0n
            ? null
            : {
                topic,
                partition: partitionIndex,
                offset,
                ...(leaderEpoch < 0 ? {} : { leaderEpoch }),
                ...(metadata === null || metadata === '' ? {} : { metadata }),
              },
        )
      }
    }
    return found
  }

  /**
   * @throws KafkaError: retriable for what passes; ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID and the like when the
   * member is not, or not now, the owner of the partitions.
   */
  async commit(offsets: readonly TopicPartitionOffset[], member: GroupMetadata, signal: AbortSignal): Promise<void> {
    const byTopic = Map.groupBy(offsets, ({ topic }) => topic)
    const named = this.#named(byTopic.keys())
    const answer = await this.#cluster.send(
      { coordinatorOf: this.#groupId, kind: 'group' },
      OffsetCommit,
      (version) => ({
        groupId: this.#groupId,
        generationIdOrMemberEpoch: member.generationId,
        memberId: member.memberId,
        ...(version >= 7 ? { groupInstanceId: member.groupInstanceId } : {}),
        topics: named.map(({ name, id }) => ({
          ...(version >= COMMIT_BY_ID ? { topicId: id } : { name }),
          partitions: byTopic.get(name)!.map(({ partition, offset, leaderEpoch, metadata }) => ({
            partitionIndex: partition,
            committedOffset: offset,
            committedLeaderEpoch: leaderEpoch ?? -1,
            committedMetadata: metadata ?? '',
          })),
        })),
      }),
      { signal, ...(hasAllIds(named) ? {} : { maxVersion: COMMIT_BY_ID - 1 }) },
    )
    let failure: KafkaError | null = null
    for (const one of answer.topics) {
      const topic = nameIn(named, one)
      for (const { partitionIndex, errorCode } of one.partitions) {
        if (errorCode === ErrorCode.NONE) continue
        const next = this.#commitFailure({ topic, partition: partitionIndex }, errorCode)
        // What cannot be cured decides.
        if (failure === null || (failure.retriable && !next.retriable)) failure = next
      }
    }
    if (failure !== null) throw failure
  }

  #named(topics: Iterable<string>): NamedTopic[] {
    const known = this.#cluster.metadata.image.topics
    return [...topics].map((name) => ({ name, id: known.get(name)?.id ?? ZERO_UUID }))
  }

  #commitFailure(partition: TopicPartition, code: number): KafkaError {
    switch (code) {
      case ErrorCode.NOT_COORDINATOR:
      case ErrorCode.COORDINATOR_NOT_AVAILABLE:
      case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
      case ErrorCode.GROUP_AUTHORIZATION_FAILED:
        return this.#groupFailure(code, 'its offsets cannot be committed')
      case ErrorCode.UNKNOWN_MEMBER_ID:
      case ErrorCode.ILLEGAL_GENERATION:
      case ErrorCode.FENCED_MEMBER_EPOCH:
        return new KafkaError(
          code,
          `group ${this.#groupId}: the offsets were not committed, as the group has rebalanced and may have given the partitions to another member. ` +
            'If that happens because records take too long to handle, raise maxPollIntervalMs or lower maxPollRecords',
        )
      case ErrorCode.REBALANCE_IN_PROGRESS:
        return new KafkaError(
          code,
          `group ${this.#groupId}: the offsets were not committed, as the group is rebalancing. Ask for the next record to let it finish, then commit again`,
        )
      case ErrorCode.FENCED_INSTANCE_ID:
        return new KafkaError(
          code,
          `group ${this.#groupId}: another consumer has joined with the same groupInstanceId; give each its own`,
        )
    }
    return partitionFailure(partition, code, 'the offset cannot be committed')
  }

  #groupFailure(code: number, what: string): KafkaError {
    if (code === ErrorCode.NOT_COORDINATOR || code === ErrorCode.COORDINATOR_NOT_AVAILABLE)
      this.#cluster.coordinatorLost('group', this.#groupId)
    const reason =
      code === ErrorCode.GROUP_AUTHORIZATION_FAILED
        ? 'this client may not use it; it needs the operation Read on the group'
        : `${what}: ${errorName(code)}`
    return new KafkaError(code, `group ${this.#groupId}: ${reason}`)
  }
}

function hasAllIds(topics: readonly NamedTopic[]): boolean {
  return topics.every(({ id }) => id !== ZERO_UUID)
}

function nameIn(
  topics: readonly NamedTopic[],
  { name = '', topicId = ZERO_UUID }: { name?: string; topicId?: string },
): string {
  if (topicId === ZERO_UUID) return name
  return topics.find(({ id }) => id === topicId)?.name ?? name
}

function partitionFailure({ topic, partition }: TopicPartition, code: number, what: string): KafkaError {
  const reason =
    code === ErrorCode.TOPIC_AUTHORIZATION_FAILED
      ? 'this client may not read the topic; it needs the operation Read on it'
      : errorName(code)
  return new KafkaError(code, `${topic}-${partition}: ${what}: ${reason}`)
}
