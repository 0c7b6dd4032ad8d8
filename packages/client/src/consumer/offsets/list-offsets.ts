/** Finds offsets by time, or the ends of partitions: ListOffsets, asked of the leader of each. */
import { ErrorCode, errorName, isRetriable, KafkaError, ListOffsets } from '@millrace/protocol'
import type { Cluster } from '../../cluster/cluster.ts'
import type { TopicPartition } from '../../record.ts'

export const LATEST = -1n
export const EARLIEST = -2n

export interface OffsetSearch extends TopicPartition {
  /** Milliseconds since the epoch, or `LATEST` or `EARLIEST`. */
  readonly timestamp: bigint
  /** As far as known; -1: not. */
  readonly leaderEpoch: number
}

export interface FoundOffset {
  /** -1n: there is no record at or after the time. */
  readonly offset: bigint
  /** Of the record found; -1n for the ends. */
  readonly timestamp: bigint
  /** -1: not known. */
  readonly leaderEpoch: number
}

export interface ListOffsetsOptions {
  readonly cluster: Cluster
  readonly nodeId: number
  readonly isolationLevel: 'read_uncommitted' | 'read_committed'
  readonly signal: AbortSignal
}

/**
 * What the broker says of each search; those it does not answer are left out.
 * @throws KafkaError as `Cluster.send`.
 */
export async function listOffsets<S extends OffsetSearch>(
  searches: readonly S[],
  { cluster, nodeId, isolationLevel, signal }: ListOffsetsOptions,
): Promise<Map<S, FoundOffset | KafkaError>> {
  const byTopic = Map.groupBy(searches, ({ topic }) => topic)
  const answer = await cluster.send(
    { node: nodeId },
    ListOffsets,
    {
      replicaId: -1,
      isolationLevel: isolationLevel === 'read_committed' ? 1 : 0,
      topics: [...byTopic].map(([name, ofTopic]) => ({
        name,
        partitions: ofTopic.map(({ partition, leaderEpoch, timestamp }) => ({
          partitionIndex: partition,
          currentLeaderEpoch: leaderEpoch,
          timestamp,
        })),
      })),
      timeoutMs: cluster.settings.requestTimeoutMs,
    },
    { signal },
  )
  const found = new Map<S, FoundOffset | KafkaError>()
  for (const { name, partitions } of answer.topics) {
    for (const { partitionIndex, errorCode, offset, oldStyleOffsets, timestamp, leaderEpoch } of partitions) {
      const search = byTopic.get(name)?.find(({ partition }) => partition === partitionIndex)
      if (search === undefined) continue
      if (errorCode === ErrorCode.NONE)
        found.set(search, { offset: offset < 0n ? (oldStyleOffsets[0] ?? -1n) : offset, timestamp, leaderEpoch })
      // Records without timestamps, from before 0.10, are at no time.
      else if (errorCode === ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT)
        found.set(search, { offset: -1n, timestamp: -1n, leaderEpoch: -1 })
      else found.set(search, failure(search, errorCode))
    }
  }
  return found
}

/** Whether to search again: all but what the application has to be told. */
export function isPassing({ code }: KafkaError): boolean {
  return isRetriable(code) || code !== ErrorCode.TOPIC_AUTHORIZATION_FAILED
}

function failure({ topic, partition }: TopicPartition, code: number): KafkaError {
  const reason =
    code === ErrorCode.TOPIC_AUTHORIZATION_FAILED
      ? 'this client may not read it; it needs the operations Read and Describe on the topic'
      : errorName(code)
  return new KafkaError(code, `offsets of ${topic}-${partition}: ${reason}`)
}
