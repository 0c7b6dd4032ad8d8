/** Questions of the application about offsets of whatever partitions, assigned or not. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Cluster } from '../../cluster/cluster.ts'
import type { TopicPartition } from '../../record.ts'
import { listOffsets, type FoundOffset } from './list-offsets.ts'

export interface OffsetQuery extends TopicPartition {
  readonly timestamp: bigint
}

export interface OffsetQueriesOptions {
  readonly cluster: Cluster
  readonly isolationLevel: 'read_uncommitted' | 'read_committed'
  readonly signal?: AbortSignal | undefined
}

interface Asked extends OffsetQuery {
  readonly query: OffsetQuery
  readonly leaderEpoch: number
}

/**
 * In the order of `queries`. Asks again what could not be answered for a passing reason.
 * @throws KafkaError REQUEST_TIMED_OUT after defaultApiTimeoutMs, TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION.
 */
export async function findOffsets(
  queries: readonly OffsetQuery[],
  { cluster, isolationLevel, signal: ended }: OffsetQueriesOptions,
): Promise<FoundOffset[]> {
  const found = new Map<OffsetQuery, FoundOffset>()

  const ask = async (nodeId: number, asked: readonly Asked[], signal: AbortSignal): Promise<void> => {
    const answers = await listOffsets(asked, { cluster, nodeId, isolationLevel, signal })
    let failure: KafkaError | null = null
    for (const one of asked) {
      const answer = answers.get(one) ?? noAnswer(one)
      if (!(answer instanceof KafkaError)) found.set(one.query, answer)
      else if (failure === null || failure.retriable) failure = answer
    }
    if (failure !== null) throw failure
  }

  const attempt = async (signal: AbortSignal): Promise<void> => {
    for (let left = oneOfEach(queries, found); left.length > 0; left = oneOfEach(queries, found)) {
      try {
        const byLeader = await groupByLeader(left, cluster, signal)
        await Promise.all([...byLeader].map(([nodeId, asked]) => ask(nodeId, asked, signal)))
      } catch (error) {
        cluster.metadata.refreshSoon()
        throw error
      }
    }
  }

  if (queries.length > 0) await cluster.withRetries('looking up offsets', attempt, { signal: ended })
  return queries.map((query) => found.get(query)!)
}

/** A request may name a partition only once. */
function oneOfEach(queries: readonly OffsetQuery[], found: ReadonlyMap<OffsetQuery, FoundOffset>): OffsetQuery[] {
  const left = new Map<string, OffsetQuery>()
  for (const query of queries) if (!found.has(query)) left.set(`${query.partition} ${query.topic}`, query)
  return [...left.values()]
}

async function groupByLeader(
  queries: readonly OffsetQuery[],
  cluster: Cluster,
  signal: AbortSignal,
): Promise<Map<number, Asked[]>> {
  const byLeader = new Map<number, Asked[]>()
  for (const query of queries) {
    const { topic, partition } = query
    const image = (await cluster.metadata.topic(topic, { signal })).partitions[partition]
    if (image === undefined || image.leaderId < 0)
      throw new KafkaError(
        ErrorCode.LEADER_NOT_AVAILABLE,
        image === undefined ? `there is no partition ${topic}-${partition}` : `${topic}-${partition} has no leader now`,
      )
    const asked = { ...query, query, leaderEpoch: image.leaderEpoch }
    const ofLeader = byLeader.get(image.leaderId)
    if (ofLeader === undefined) byLeader.set(image.leaderId, [asked])
    else ofLeader.push(asked)
  }
  return byLeader
}

function noAnswer({ topic, partition }: TopicPartition): KafkaError {
  return new KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, `the broker said nothing of ${topic}-${partition}`)
}
