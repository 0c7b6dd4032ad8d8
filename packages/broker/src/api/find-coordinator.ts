/**
 * Where the coordinator of a group is, of a transactional id (from version 1), or of a share partition (6, KIP-932): at the leader of
 * the partition of an internal topic that the key falls on. Several keys at once from version 4 (KIP-699).
 *
 * The topic is created on first use. Kafka answers COORDINATOR_NOT_AVAILABLE meanwhile; here the answer waits for it a moment.
 */
import { defaultErrorMessage, ErrorCode, FindCoordinator } from '@millrace/protocol'
import { createAutomatically } from '../controller/automatic-topics.ts'
import { partitionForKey } from '../coordinators/runtime/partition-for-key.ts'
import { formatSharePartitionKey, parseSharePartitionKey } from '../coordinators/share-partition-key.ts'
import type { TopicImage } from '../metadata/image.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { OFFSETS_TOPIC, SHARE_STATE_TOPIC, TRANSACTION_STATE_TOPIC } from '../controller/topic-names.ts'

const BATCHED_SINCE = 4
const SHARE_SINCE = 6

interface CoordinatorType {
  readonly topic: string
  readonly since: number
  /** The text whose hash chooses the partition; null when the key is not one of this type. */
  canonicalKey(key: string): string | null
}

/** By key type. */
const types: readonly CoordinatorType[] = [
  { topic: OFFSETS_TOPIC, since: 0, canonicalKey: (key) => key },
  { topic: TRANSACTION_STATE_TOPIC, since: 1, canonicalKey: (key) => key },
  {
    topic: SHARE_STATE_TOPIC,
    since: SHARE_SINCE,
    canonicalKey: (key) => {
      const parsed = parseSharePartitionKey(key)
      return parsed === null ? null : formatSharePartitionKey(parsed)
    },
  },
]

interface Place {
  readonly errorCode: number
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

export const findCoordinator = handler(FindCoordinator, async (request, context) => {
  const isBatched = context.version >= BATCHED_SINCE
  const type = types[request.keyType]
  const find = await finder(type, isBatched ? request.coordinatorKeys : [request.key], context)
  if (!isBatched) {
    const place = find(request.key)
    return { throttleTimeMs: 0, ...place, errorMessage: messageOf(place) }
  }
  return {
    throttleTimeMs: 0,
    coordinators: request.coordinatorKeys.map((key) => {
      const place = find(key)
      // Of several keys Kafka explains only what is wrong with all of them.
      return { key, ...place, errorMessage: type === undefined ? messageOf(place) : '' }
    }),
  }
})

/** Kafka's text for "no error" is its name. */
function messageOf({ errorCode }: Place): string {
  return errorCode === ErrorCode.NONE ? 'NONE' : defaultErrorMessage(errorCode)
}

/** Makes sure that the topic is there if any of the keys is valid. Returns how to find each. */
async function finder(
  type: CoordinatorType | undefined,
  keys: readonly string[],
  context: RequestContext,
): Promise<(key: string) => Place> {
  if (type === undefined || context.version < type.since) return () => nowhere(ErrorCode.INVALID_REQUEST)
  const { metadata } = context.broker
  const isNeeded = !metadata.image.topics.has(type.topic) && keys.some((key) => type.canonicalKey(key) !== null)
  if (isNeeded) await createAutomatically([type.topic], context.broker)
  const topic = metadata.image.topics.get(type.topic)
  return (key) => {
    const canonical = type.canonicalKey(key)
    if (canonical === null) return nowhere(ErrorCode.INVALID_REQUEST)
    return topic === undefined ? nowhere(ErrorCode.COORDINATOR_NOT_AVAILABLE) : leaderFor(canonical, topic, context)
  }
}

function leaderFor(key: string, { partitions }: TopicImage, context: RequestContext): Place {
  const { image } = context.broker.metadata
  const broker = image.brokers.get(partitions[partitionForKey(key, partitions.length)]!.leader)
  const endpoint = broker === undefined || broker.fenced ? null : context.endpointOf(broker)
  if (broker === undefined || endpoint === null) return nowhere(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  return { errorCode: ErrorCode.NONE, nodeId: broker.id, host: endpoint.host, port: endpoint.port }
}

function nowhere(errorCode: number): Place {
  return { errorCode, nodeId: -1, host: '', port: -1 }
}
