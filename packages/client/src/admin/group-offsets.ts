/** Offsets that groups have committed: of classic, consumer and streams groups. Share groups have theirs elsewhere. */
import { ErrorCode, OffsetCommit, OffsetDelete, OffsetFetch } from '@millrace/protocol'
import type { Response } from '@millrace/protocol'
import { checkPlace } from '../checked-places.ts'
import type { Destination } from '../cluster/destination.ts'
import { partitionName } from '../groups/partition-names.ts'
import type { TopicPartition, TopicPartitionOffset } from '../record.ts'
import { epochOrNull } from './absent.ts'
import { byPartition, byTopic } from './by-topic.ts'
import { aboutGroup } from './describe-groups.ts'
import { unsupported } from './kafka-versions.ts'
import type { EachOf, Outcome, ListOf } from './partial-failure.ts'
import { allFailed, failure, matched, outcome, type AdminRequests, type Attempt, type CallOptions } from './requests.ts'
import { toCoordinator, toGroupCoordinator } from './routing.ts'
import { sideBySide } from './side-by-side.ts'

const expectedOffsets = 'alterGroupOffsets expects a list of { topic, partition, offset } with a bigint offset'

export interface GroupOffsetsQuery {
  readonly groupId: string
  /** Default: all that have offsets. */
  readonly partitions?: readonly TopicPartition[]
}

export interface CommittedOffset extends TopicPartition {
  /** Null when there is none. */
  readonly offset: bigint | null
  readonly leaderEpoch: number | null
  readonly metadata: string
}

export interface GroupOffsets {
  readonly groupId: string
  readonly offsets: readonly CommittedOffset[]
}

export interface ListGroupOffsetsOptions extends CallOptions {
  /** Wait for transactions that are committing offsets (since Kafka 2.5; older brokers do not wait). Default false. */
  readonly requireStable?: boolean
}

export interface GroupOffsetsAdmin {
  /** Of several groups, or of some partitions of each. */
  listGroupOffsets<Groups extends readonly unknown[]>(
    groups: ListOf<Groups, string | GroupOffsetsQuery>,
    options?: ListGroupOffsetsOptions,
  ): Promise<EachOf<Groups, GroupOffsets>>
  /** Of a group without members, or partitions none of them reads. */
  alterGroupOffsets<Offsets extends readonly unknown[]>(
    groupId: string,
    offsets: ListOf<Offsets, TopicPartitionOffset>,
    options?: CallOptions,
  ): Promise<EachOf<Offsets, TopicPartition>>
  /** Forgets what a group has committed for partitions of topics none of its members is subscribed to. */
  deleteGroupOffsets<Partitions extends readonly unknown[]>(
    groupId: string,
    partitions: ListOf<Partitions, TopicPartition>,
    options?: CallOptions,
  ): Promise<EachOf<Partitions, TopicPartition>>
}

export function groupOffsetsAdmin(requests: AdminRequests): GroupOffsetsAdmin {
  return {
    listGroupOffsets: <Groups extends readonly unknown[]>(
      groups: ListOf<Groups, string | GroupOffsetsQuery>,
      options: ListGroupOffsetsOptions = {},
    ) =>
      requests.each(
        {
          operation: 'listGroupOffsets',
          routing: toGroupCoordinator,
          retried: new Set([ErrorCode.UNSTABLE_OFFSET_COMMIT]),
          ask: (attempt, destination, asked: readonly GroupOffsetsQuery[]) =>
            fetchOffsets(attempt, { destination, queries: asked, requireStable: options.requireStable ?? false }),
        },
        queriesOf(groups as readonly (string | GroupOffsetsQuery)[]),
        options,
      ) as Promise<EachOf<Groups, GroupOffsets>>,
    alterGroupOffsets: (groupId, offsets, options = {}) =>
      requests.each(
        {
          operation: 'alterGroupOffsets',
          routing: toCoordinator('group', () => groupId),
          retried: new Set([ErrorCode.REBALANCE_IN_PROGRESS]),
          ask: async ({ send }, destination, asked: readonly TopicPartitionOffset[]) => {
            for (const one of asked) checkPlace(one, expectedOffsets)
            const { topics } = await send(
              destination,
              OffsetCommit,
              {
                groupId,
                topics: byTopic(asked).map(({ topic, things }) => ({
                  name: topic,
                  partitions: things.map(({ partition, offset, leaderEpoch, metadata }) => ({
                    partitionIndex: partition,
                    committedOffset: offset,
                    committedLeaderEpoch: leaderEpoch ?? -1,
                    committedMetadata: metadata ?? '',
                  })),
                })),
              },
              { maxVersion: NEWEST_BY_NAME },
            )
            return ofPartitions(groupId, asked, topics)
          },
        },
        offsets,
        options,
      ),
    deleteGroupOffsets: (groupId, partitions, options = {}) =>
      requests.each(
        {
          operation: 'deleteGroupOffsets',
          routing: toCoordinator('group', () => groupId),
          ask: async ({ send }, destination, asked: readonly TopicPartition[]) => {
            const answer = await send(destination, OffsetDelete, {
              groupId,
              topics: byTopic(asked).map(({ topic, things }) => ({
                name: topic,
                partitions: things.map(({ partition }) => ({ partitionIndex: partition })),
              })),
            })
            if (answer.errorCode !== ErrorCode.NONE) return allFailed(asked, () => aboutGroup(groupId), answer)
            return ofPartitions(groupId, asked, answer.topics)
          },
        },
        partitions,
        options,
      ),
  }
}

export function queriesOf(groups: readonly (string | GroupOffsetsQuery)[]): readonly GroupOffsetsQuery[] {
  return groups.map((group) => (typeof group === 'string' ? { groupId: group } : group))
}

/** Newer versions want ids of topics, which an admin need not know. */
const NEWEST_BY_NAME = 9

function ofPartitions(
  groupId: string,
  asked: readonly TopicPartition[],
  topics: readonly {
    readonly name: string
    readonly partitions: readonly { readonly partitionIndex: number; readonly errorCode: number }[]
  }[],
): readonly Outcome<TopicPartition>[] {
  const answers = byPartition(topics)
  const about = (partition: TopicPartition): string => `${partitionName(partition)} of group ${groupId}`
  return matched(asked, answers, {
    keyOf: partitionName,
    about,
    outcome: (result, { topic, partition }) =>
      outcome(about({ topic, partition }), result, () => ({ topic, partition })),
  })
}

interface Fetching {
  readonly destination: Destination
  readonly queries: readonly GroupOffsetsQuery[]
  readonly requireStable: boolean
}

/** Brokers before Kafka 3.0 take one group in a request. */
const MANY_GROUPS = 8
const REQUIRE_STABLE = 7
const ALL_PARTITIONS = 2

async function fetchOffsets(attempt: Attempt, fetching: Fetching): Promise<readonly Outcome<GroupOffsets>[]> {
  const { queries } = fetching
  const first = await fetchOnce(attempt, fetching, queries)
  if (first !== null) return first
  return sideBySide(queries, async (query) => (await fetchOnce(attempt, fetching, [query]))![0]!)
}

/** Null when the broker takes one group in a request only, and there are more. */
async function fetchOnce(
  { send }: Attempt,
  { destination, requireStable }: Fetching,
  queries: readonly GroupOffsetsQuery[],
): Promise<readonly Outcome<GroupOffsets>[] | null> {
  const tooMany = new Error('one group in a request')
  try {
    const answer = await send(
      destination,
      OffsetFetch,
      (version) => {
        if (version >= MANY_GROUPS)
          return {
            groups: queries.map((query) => ({ groupId: query.groupId, topics: topicsOf(query) })),
            requireStable,
          }
        if (queries.length > 1) throw tooMany
        const [query] = queries as [GroupOffsetsQuery]
        if (query.partitions === undefined && version < ALL_PARTITIONS)
          throw unsupported('listGroupOffsets without partitions', '0.10.2')
        return {
          groupId: query.groupId,
          topics: topicsOf(query),
          ...(version >= REQUIRE_STABLE ? { requireStable } : {}),
        }
      },
      { maxVersion: NEWEST_BY_NAME },
    )
    if (answer.groups.length === 0 && queries.length === 1)
      return [groupOffsets({ ...answer, groupId: queries[0]!.groupId })]
    return matched(
      queries,
      answer.groups.map((group) => [group.groupId, group] as const),
      { keyOf: ({ groupId }) => groupId, about: ({ groupId }) => aboutGroup(groupId), outcome: groupOffsets },
    )
  } catch (error) {
    if (error === tooMany) return null
    throw error
  }
}

function topicsOf({ partitions }: GroupOffsetsQuery) {
  if (partitions === undefined) return null
  return byTopic(partitions).map(({ topic, things }) => ({
    name: topic,
    partitionIndexes: things.map(({ partition }) => partition),
  }))
}

function groupOffsets(
  group: Pick<Response<typeof OffsetFetch>['groups'][number], 'groupId' | 'errorCode'> &
    Pick<Response<typeof OffsetFetch>, 'topics'>,
): Outcome<GroupOffsets> {
  const { groupId, topics } = group
  if (group.errorCode !== ErrorCode.NONE) return { error: failure(aboutGroup(groupId), group) }
  const offsets: CommittedOffset[] = []
  for (const { name, partitions } of topics) {
    for (const { partitionIndex, committedOffset, committedLeaderEpoch, metadata, errorCode } of partitions) {
      const partition = { topic: name, partition: partitionIndex }
      if (errorCode !== ErrorCode.NONE)
        return { error: failure(`${partitionName(partition)} of group ${groupId}`, { errorCode }) }
      offsets.push({
        ...partition,
        offset: committedOffset < 0n ? null : committedOffset,
        leaderEpoch: epochOrNull(committedLeaderEpoch),
        metadata: metadata ?? '',
      })
    }
  }
  return { value: { groupId, offsets } }
}
