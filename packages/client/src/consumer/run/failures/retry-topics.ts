/** Sees to it that the topics exist that failed records go to. */
import { CreateTopics, ErrorCode, errorName, KafkaError } from '@millrace/protocol'
import type { TopicImage } from '../../../cluster/cluster-image.ts'
import type { Cluster } from '../../../cluster/cluster.ts'

/** Long enough for a topic that exists to be known, short enough for one that does not. */
const lookMs = 2_000
const alreadyExists = new Set<number>([ErrorCode.NONE, ErrorCode.TOPIC_ALREADY_EXISTS])
const notAllowed = new Set<number>([
  ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
  ErrorCode.TOPIC_AUTHORIZATION_FAILED,
  ErrorCode.POLICY_VIOLATION,
])

export interface TopicShape {
  /** -1: the brokers' default. */
  readonly partitions: number
  readonly replicationFactor: number
}

/** As many partitions as the widest of the topics has, and as many replicas. */
export function shapeLike(topics: readonly TopicImage[]): TopicShape {
  const widest = topics.toSorted((a, b) => b.partitions.length - a.partitions.length)[0]
  if (widest === undefined) return { partitions: -1, replicationFactor: -1 }
  const replicas = Math.max(...topics.flatMap(({ partitions }) => partitions.map((one) => one.replicas.length)))
  return { partitions: widest.partitions.length, replicationFactor: replicas > 0 ? replicas : -1 }
}

/**
 * Creates those of the topics that do not exist; where the client may not, brokers are let create them, if they do that on their own.
 * @throws KafkaError that says which topic is missing, and what to do.
 */
export async function ensureTopics(
  names: readonly string[],
  { cluster, shape, signal }: { cluster: Cluster; shape: () => Promise<TopicShape>; signal: AbortSignal },
): Promise<void> {
  const missing: string[] = []
  for (const name of names) if (!(await exists(name, { cluster, signal }))) missing.push(name)
  if (missing.length === 0) return
  const { partitions, replicationFactor } = await shape()
  const refused = await create(missing, { partitions, replicationFactor }, { cluster, signal })
  for (const name of missing) {
    const error = refused.get(name)
    try {
      await cluster.metadata.topic(name, {
        signal,
        allowCreation: true,
        ...(error === undefined ? {} : { timeoutMs: lookMs }),
      })
    } catch (cause) {
      if (signal.aborted) throw cause
      const why = error ?? (cause as KafkaError)
      throw new KafkaError(
        why.code ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        `topic ${name} is missing and could not be created: ${why.message}. Create it, or allow this client to (operation Create on the topic)`,
        { cause },
      )
    }
  }
}

async function exists(name: string, { cluster, signal }: { cluster: Cluster; signal: AbortSignal }): Promise<boolean> {
  using _interest = cluster.metadata.watch([name])
  const image = await cluster.withRetries(`topic ${name}`, () => cluster.metadata.refresh(signal), { signal })
  if (image.topics.has(name)) return true
  const code = image.topicErrors.get(name) ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  if (code === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) return false
  await cluster.metadata.topic(name, { signal })
  return true
}

async function create(
  names: readonly string[],
  { partitions, replicationFactor }: TopicShape,
  { cluster, signal }: { cluster: Cluster; signal: AbortSignal },
): Promise<ReadonlyMap<string, KafkaError>> {
  return cluster.withRetries(
    `creating ${names.join(', ')}`,
    async (attemptSignal) => {
      const { topics } = await cluster.send(
        'controller',
        CreateTopics,
        (version) => ({
          topics: names.map((name) => ({
            name,
            // Before version 4 brokers have no defaults to offer.
            numPartitions: version < 4 && partitions < 0 ? 1 : partitions,
            replicationFactor: version < 4 && replicationFactor < 0 ? 1 : replicationFactor,
            assignments: [],
            configs: [],
          })),
          timeoutMs: cluster.settings.requestTimeoutMs,
        }),
        { signal: attemptSignal },
      )
      const refused = new Map<string, KafkaError>()
      for (const { name, errorCode, errorMessage } of topics) {
        if (alreadyExists.has(errorCode)) continue
        const error = new KafkaError(errorCode, errorMessage ?? errorName(errorCode))
        if (error.code === ErrorCode.NOT_CONTROLLER) cluster.metadata.refreshSoon()
        if (error.retriable) throw error
        if (!notAllowed.has(errorCode))
          throw new KafkaError(errorCode, `topic ${name} could not be created: ${error.message}`)
        refused.set(name, error)
      }
      return refused
    },
    { signal },
  )
}
