/** Offsets by their place in a partition, or by time. */
import { ListOffsets } from '@millrace/protocol'
import { partitionName } from '../groups/partition-names.ts'
import type { TopicPartition } from '../record.ts'
import { epochOrNull, offsetOrNull, timeOrNull } from './absent.ts'
import { byPartition, byTopic } from './by-topic.ts'
import { unsupported } from './kafka-versions.ts'
import type { EachOf, ListOf } from './partial-failure.ts'
import { passingTrouble } from './partitions.ts'
import { matched, outcome, type AdminRequests, type CallOptions } from './requests.ts'
import { toLeader } from './routing.ts'

/**
 * `earliest`: the first record. `latest`: behind the last. `max-timestamp` (since Kafka 3.0): the record with the newest timestamp.
 * `earliest-local` (3.5): the first on the broker's own disks. `latest-tiered` (3.9): behind the last in remote storage. `earliest-pending-upload` (4.2): the
 * first not yet in remote storage. A timestamp (ms since the epoch): the first record of that time or later.
 */
export type OffsetSpec =
  | 'earliest'
  | 'latest'
  | 'max-timestamp'
  | 'earliest-local'
  | 'latest-tiered'
  | 'earliest-pending-upload'
  | { readonly timestamp: number }

export interface OffsetQuery extends TopicPartition {
  readonly offset: OffsetSpec
}

export interface ListedOffset extends TopicPartition {
  /** Null when there is no such record. */
  readonly offset: bigint | null
  /** Of the record, where it was looked for by time. */
  readonly timestamp: number | null
  /** Null when the broker does not say. */
  readonly leaderEpoch: number | null
}

export interface ListOffsetsOptions extends CallOptions {
  /** With 'read_committed' the end is where the first open transaction begins. Default 'read_uncommitted'. */
  readonly isolationLevel?: 'read_uncommitted' | 'read_committed'
}

export interface ListOffsetsAdmin {
  listOffsets<Queries extends readonly unknown[]>(
    queries: ListOf<Queries, OffsetQuery>,
    options?: ListOffsetsOptions,
  ): Promise<EachOf<Queries, ListedOffset>>
}

/** What stands for a place in a request, and the version and release that brought it. */
const places: Readonly<Record<Extract<OffsetSpec, string>, { timestamp: bigint; version: number; release: string }>> = {
  earliest: { timestamp: -2n, version: 1, release: '0.10.1' },
  latest: { timestamp: -1n, version: 1, release: '0.10.1' },
  'max-timestamp': { timestamp: -3n, version: 7, release: '3.0' },
  'earliest-local': { timestamp: -4n, version: 8, release: '3.5' },
  'latest-tiered': { timestamp: -5n, version: 9, release: '3.9' },
  'earliest-pending-upload': { timestamp: -6n, version: 11, release: '4.2' },
}

const CONSUMER = -1

export function listOffsetsAdmin(requests: AdminRequests): ListOffsetsAdmin {
  return {
    listOffsets: (queries, options = {}) => {
      const { isolationLevel = 'read_uncommitted' } = options
      for (const { offset } of queries) placeOf(offset)
      const repetitions = repetitionsOf(queries)
      return requests.each(
        {
          operation: 'listOffsets',
          routing: toLeader,
          retried: passingTrouble,
          // What a broker is too old for must not keep it from telling the rest, and a request may name a partition once.
          apart: ({ offset }: OffsetQuery, index) => `${placeOf(offset).version} ${repetitions[index]}`,
          ask: async ({ send, timeoutMs }, destination, asked: readonly OffsetQuery[]) => {
            const { version: needed, release } = placeOf(asked[0]!.offset)
            const { topics } = await send(destination, ListOffsets, (version) => {
              if (version < needed) throw unsupported(`listOffsets of ${asked.map(described).join(', ')}`, release)
              return {
                replicaId: CONSUMER,
                isolationLevel: isolationLevel === 'read_committed' ? 1 : 0,
                topics: byTopic(asked).map(({ topic, things }) => ({
                  name: topic,
                  partitions: things.map(({ partition, offset }) => ({
                    partitionIndex: partition,
                    timestamp: placeOf(offset).timestamp,
                  })),
                })),
                timeoutMs,
              }
            })
            const answers = byPartition(topics)
            return matched(asked, answers, {
              keyOf: partitionName,
              about: partitionName,
              outcome: (result, { topic, partition }) =>
                outcome(partitionName({ topic, partition }), result, () => ({
                  topic,
                  partition,
                  offset: offsetOrNull(result.offset),
                  timestamp: timeOrNull(result.timestamp),
                  leaderEpoch: epochOrNull(result.leaderEpoch),
                })),
            })
          },
        },
        queries,
        options,
      )
    },
  }
}

function placeOf(spec: OffsetSpec): { timestamp: bigint; version: number; release: string } {
  if (typeof spec === 'object') {
    const { timestamp } = spec
    if (!Number.isInteger(timestamp) || timestamp < 0)
      throw new RangeError(`listOffsets: a timestamp is whole milliseconds since the epoch, but got ${timestamp}`)
    return { timestamp: BigInt(timestamp), version: 1, release: '0.10.1' }
  }
  if (!Object.hasOwn(places, spec))
    throw new TypeError(
      `listOffsets: there is no offset ${JSON.stringify(spec)}; expected a timestamp or one of ${Object.keys(places).join(', ')}`,
    )
  return places[spec]
}

function described({ offset, ...partition }: OffsetQuery): string {
  return `${typeof offset === 'string' ? offset : 'a timestamp'} in ${partitionName(partition)}`
}

/** How often the partition of each query was asked about before. */
function repetitionsOf(queries: readonly OffsetQuery[]): readonly number[] {
  const counts = new Map<string, number>()
  return queries.map((query) => {
    const name = partitionName(query)
    const count = counts.get(name) ?? 0
    counts.set(name, count + 1)
    return count
  })
}
