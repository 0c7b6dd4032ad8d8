/** Where brokers keep their replicas. */
import { AlterReplicaLogDirs, DescribeLogDirs, ErrorCode, type KafkaError } from '@millrace/protocol'
import type { Response } from '@millrace/protocol'
import type { Destination } from '../cluster/destination.ts'
import { partitionName } from '../groups/partition-names.ts'
import type { TopicPartition } from '../record.ts'
import { byTopic } from './by-topic.ts'
import type { EachOf, Outcome, ListOf } from './partial-failure.ts'
import { failure, matched, outcome, type AdminRequests, type Attempt, type CallOptions } from './requests.ts'
import { toBroker } from './routing.ts'

export interface Replica extends TopicPartition {
  readonly brokerId: number
}

export interface ReplicaMove extends Replica {
  /** The log directory it shall move to. */
  readonly path: string
}

export interface LogDirReplica extends TopicPartition {
  readonly sizeBytes: bigint
  /** How far it is behind: a follower's replica behind the high watermark, a future one behind the present one. */
  readonly offsetLag: bigint
  /** Being copied to here from another directory of the broker. */
  readonly isFuture: boolean
}

export interface LogDirDescription {
  readonly path: string
  /** Set when the directory is offline; it has no replicas then. */
  readonly error: KafkaError | null
  readonly replicas: readonly LogDirReplica[]
  /** Of the volume; null from brokers before Kafka 3.3. */
  readonly totalBytes: bigint | null
  readonly usableBytes: bigint | null
  /** Gets no new replicas (since Kafka 4.3). */
  readonly isCordoned: boolean
}

export interface BrokerLogDirs {
  readonly brokerId: number
  readonly logDirs: readonly LogDirDescription[]
}

export interface ReplicaPlace {
  readonly path: string
  readonly offsetLag: bigint
}

export interface ReplicaLogDirs extends Replica {
  /** Null when the broker has no such replica. */
  readonly current: ReplicaPlace | null
  /** Where it is moving to; null when it does not. */
  readonly future: ReplicaPlace | null
}

export interface LogDirAdmin {
  describeLogDirs<Brokers extends readonly unknown[]>(
    brokerIds: ListOf<Brokers, number>,
    options?: CallOptions,
  ): Promise<EachOf<Brokers, BrokerLogDirs>>
  describeReplicaLogDirs<Replicas extends readonly unknown[]>(
    replicas: ListOf<Replicas, Replica>,
    options?: CallOptions,
  ): Promise<EachOf<Replicas, ReplicaLogDirs>>
  /** Begins to move replicas between directories of their broker. `REPLICA_NOT_AVAILABLE`: it will be put there once it comes. */
  alterReplicaLogDirs<Moves extends readonly unknown[]>(
    moves: ListOf<Moves, ReplicaMove>,
    options?: CallOptions,
  ): Promise<EachOf<Moves, Replica>>
}

const aboutReplica = (replica: Replica): string => `${partitionName(replica)} on broker ${replica.brokerId}`

export function logDirAdmin(requests: AdminRequests): LogDirAdmin {
  return {
    describeLogDirs: (brokerIds, options = {}) =>
      requests.each(
        {
          operation: 'describeLogDirs',
          routing: toBroker((brokerId: number) => brokerId),
          ask: async (attempt, destination, asked: readonly number[]) => {
            const described = await describe(attempt, destination, null)
            return asked.map((brokerId): Outcome<BrokerLogDirs> =>
              'error' in described ? described : { value: { brokerId, logDirs: described.value } },
            )
          },
        },
        brokerIds,
        options,
      ),
    describeReplicaLogDirs: (replicas, options = {}) =>
      requests.each(
        {
          operation: 'describeReplicaLogDirs',
          routing: toBroker(({ brokerId }: Replica) => brokerId),
          ask: async (attempt, destination, asked: readonly Replica[]) => {
            const described = await describe(attempt, destination, asked)
            return asked.map((replica): Outcome<ReplicaLogDirs> =>
              'error' in described ? described : { value: placesOf(replica, described.value) },
            )
          },
        },
        replicas,
        options,
      ),
    alterReplicaLogDirs: (moves, options = {}) =>
      requests.each(
        {
          operation: 'alterReplicaLogDirs',
          routing: toBroker(({ brokerId }: Replica) => brokerId),
          ask: async ({ send }, destination, asked: readonly ReplicaMove[]) => {
            const { results } = await send(destination, AlterReplicaLogDirs, {
              dirs: [...new Set(asked.map(({ path }) => path))].map((path) => ({
                path,
                topics: byTopic(asked.filter((move) => move.path === path)).map(({ topic, things }) => ({
                  name: topic,
                  partitions: things.map(({ partition }) => partition),
                })),
              })),
            })
            const answers = results.flatMap(({ topicName, partitions }) =>
              partitions.map(
                (result) => [partitionName({ topic: topicName, partition: result.partitionIndex }), result] as const,
              ),
            )
            return matched(asked, answers, {
              keyOf: partitionName,
              about: aboutReplica,
              outcome: (result, { topic, partition, brokerId }) =>
                outcome(aboutReplica({ topic, partition, brokerId }), result, () => ({ topic, partition, brokerId })),
            })
          },
        },
        moves,
        options,
      ),
  }
}

async function describe(
  { send }: Attempt,
  destination: Destination,
  partitions: readonly TopicPartition[] | null,
): Promise<Outcome<readonly LogDirDescription[]>> {
  const answer = await send(destination, DescribeLogDirs, {
    topics:
      partitions === null
        ? null
        : byTopic(partitions).map(({ topic, things }) => ({
            topic,
            partitions: things.map(({ partition }) => partition),
          })),
  })
  // Brokers before Kafka 3.2 say that they will not tell by telling nothing.
  const errorCode =
    answer.errorCode === ErrorCode.NONE && answer.results.length === 0
      ? ErrorCode.CLUSTER_AUTHORIZATION_FAILED
      : answer.errorCode
  return outcome('describing log directories', { errorCode }, () => answer.results.map(logDir))
}

function logDir(result: Response<typeof DescribeLogDirs>['results'][number]): LogDirDescription {
  const { errorCode, logDir: path, topics, totalBytes, usableBytes, isCordoned } = result
  return {
    path,
    error: errorCode === ErrorCode.NONE ? null : failure(path, { errorCode }),
    replicas: topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, partitionSize, offsetLag, isFutureKey }) => ({
        topic: name,
        partition: partitionIndex,
        sizeBytes: partitionSize,
        offsetLag,
        isFuture: isFutureKey,
      })),
    ),
    totalBytes: totalBytes < 0n ? null : totalBytes,
    usableBytes: usableBytes < 0n ? null : usableBytes,
    isCordoned,
  }
}

function placesOf({ topic, partition, brokerId }: Replica, logDirs: readonly LogDirDescription[]): ReplicaLogDirs {
  let current: ReplicaPlace | null = null
  let future: ReplicaPlace | null = null
  for (const { path, replicas } of logDirs) {
    for (const replica of replicas) {
      if (replica.topic !== topic || replica.partition !== partition) continue
      const place = { path, offsetLag: replica.offsetLag }
      if (replica.isFuture) future = place
      else current = place
    }
  }
  return { topic, partition, brokerId, current, future }
}
