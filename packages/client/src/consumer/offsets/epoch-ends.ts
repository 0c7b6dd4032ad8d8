/** Asks leaders where an epoch ends in their log (KIP-320): OffsetForLeaderEpoch. */
import { ErrorCode, errorName, KafkaError, OffsetForLeaderEpoch } from '@millrace/protocol'
import type { Cluster } from '../../cluster/cluster.ts'
import type { TopicPartition } from '../../record.ts'

export interface EpochQuestion extends TopicPartition {
  /** Of the leader, as far as known. */
  readonly currentLeaderEpoch: number
  /** The epoch whose end is looked for. */
  readonly leaderEpoch: number
}

export interface EpochEnd {
  /** The epoch asked for, or the largest below it in the log; -1: there is none. */
  readonly leaderEpoch: number
  /** -1n: not known. */
  readonly endOffset: bigint
}

/** From this version on the operation Describe on the topic is enough, which consumers have; before, one on the cluster is needed. */
const FIRST_USABLE_VERSION = 3

/** What the broker says to each question; those it does not answer are left out. Null from brokers before 2.3. @throws KafkaError as `Cluster.send`. */
export async function epochEnds<Q extends EpochQuestion>(
  questions: readonly Q[],
  { cluster, nodeId, signal }: { readonly cluster: Cluster; readonly nodeId: number; readonly signal: AbortSignal },
): Promise<Map<Q, EpochEnd | KafkaError> | null> {
  const connection = await cluster.connection(nodeId, 'requests', signal)
  const newest = connection.versions.rangeOf(OffsetForLeaderEpoch.key)?.[1] ?? -1
  if (newest < FIRST_USABLE_VERSION) return null
  const byTopic = Map.groupBy(questions, ({ topic }) => topic)
  const answer = await cluster.send(
    { node: nodeId },
    OffsetForLeaderEpoch,
    {
      replicaId: -1,
      topics: [...byTopic].map(([topic, ofTopic]) => ({
        topic,
        partitions: ofTopic.map(({ partition, currentLeaderEpoch, leaderEpoch }) => ({
          partition,
          currentLeaderEpoch,
          leaderEpoch,
        })),
      })),
    },
    { signal },
  )
  const ends = new Map<Q, EpochEnd | KafkaError>()
  for (const { topic, partitions } of answer.topics) {
    for (const { partition, errorCode, leaderEpoch, endOffset } of partitions) {
      const question = byTopic.get(topic)?.find((one) => one.partition === partition)
      if (question === undefined) continue
      if (errorCode === ErrorCode.NONE) ends.set(question, { leaderEpoch, endOffset })
      else ends.set(question, new KafkaError(errorCode, `epochs of ${topic}-${partition}: ${errorName(errorCode)}`))
    }
  }
  return ends
}
