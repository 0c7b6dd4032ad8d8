/**
 * The brokers, and the topics asked for with their partitions' leaders. Null (in version 0 an empty list) asks for all topics; ids from 12
 * (KIP-516). Topics that are missing are created when the request and `auto.create.topics.enable` say so, and are then in the answer.
 */
import { ErrorCode, Metadata, ZERO_UUID, type Request, type ResponseInput } from '@millrace/protocol'
import { createAutomatically } from '../controller/automatic-topics.ts'
import { isInternalTopic, topicNameProblem } from '../controller/topic-names.ts'
import type { MetadataImage, PartitionImage, TopicImage } from '../metadata/image.ts'
import { handler } from '../server/handler.ts'
import type { BrokerServices } from '../server/broker-services.ts'
import { CLUSTER_OPERATIONS, OPERATIONS_OMITTED, TOPIC_OPERATIONS } from './authorized-operations.ts'
import { BrokersInView } from './brokers-in-view.ts'

type TopicAnswer = ResponseInput<typeof Metadata>['topics'][number]
type PartitionAnswer = TopicAnswer['partitions'][number]

export const metadata = handler(Metadata, async (request, context) => {
  const { version, broker } = context
  if (version < 12 && request.topics?.some(({ name, topicId }) => name === null || topicId !== ZERO_UUID) === true)
    return refused(request, ErrorCode.INVALID_REQUEST)
  const wanted = wantedTopics(request, version)
  if (wanted.kind === 'names' && request.allowAutoTopicCreation && broker.config.get('auto.create.topics.enable'))
    await createMissing(wanted.names, broker)

  const { image } = broker.metadata
  const view = new BrokersInView(image, context)
  const topicOperations = request.includeTopicAuthorizedOperations ? TOPIC_OPERATIONS : OPERATIONS_OMITTED
  const answer = (topic: TopicImage): TopicAnswer => ({
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: topic.partitions.map((partition, index) => describe(partition, index, view, version)),
    topicAuthorizedOperations: topicOperations,
  })
  return {
    throttleTimeMs: 0,
    brokers: usableBrokers(view),
    clusterId: broker.clusterId,
    controllerId: view.isUsable(image.controllerId) ? image.controllerId : -1,
    topics: topicAnswers(wanted, image, answer),
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : OPERATIONS_OMITTED,
    errorCode: ErrorCode.NONE,
  }
})

type Wanted =
  | { readonly kind: 'all' }
  | { readonly kind: 'names'; readonly names: ReadonlySet<string> }
  | { readonly kind: 'ids'; readonly ids: ReadonlySet<string> }

/** With any id in the request only its ids count. */
function wantedTopics({ topics }: Request<typeof Metadata>, version: number): Wanted {
  if (topics === null || (version === 0 && topics.length === 0)) return { kind: 'all' }
  const ids = new Set<string>()
  const names = new Set<string>()
  for (const { name, topicId } of topics) {
    if (topicId !== ZERO_UUID) ids.add(topicId)
    else if (name !== null) names.add(name)
  }
  return ids.size > 0 ? { kind: 'ids', ids } : { kind: 'names', names }
}

function topicAnswers(wanted: Wanted, image: MetadataImage, answer: (topic: TopicImage) => TopicAnswer): TopicAnswer[] {
  switch (wanted.kind) {
    case 'all':
      return Array.from(image.topics.values(), answer)
    case 'names':
      return Array.from(wanted.names, (name) => {
        const topic = image.topics.get(name)
        return topic === undefined ? missingTopic(name) : answer(topic)
      })
    case 'ids':
      return Array.from(wanted.ids, (id) => {
        const topic = image.topicById(id)
        return topic === undefined ? unknownId(id) : answer(topic)
      })
  }
}

function missingTopic(name: string): TopicAnswer {
  const errorCode =
    topicNameProblem(name) === null ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.INVALID_TOPIC_EXCEPTION
  return { errorCode, name, topicId: ZERO_UUID, isInternal: isInternalTopic(name), partitions: [] }
}

function unknownId(topicId: string): TopicAnswer {
  return { errorCode: ErrorCode.UNKNOWN_TOPIC_ID, name: null, topicId, isInternal: false, partitions: [] }
}

/**
 * In version 0 replicas the client cannot reach are left out, with an error; later all are named. A leader that lacks the client's
 * listener is LISTENER_NOT_FOUND from version 6, before that just not available.
 */
function describe(
  partition: PartitionImage,
  partitionIndex: number,
  view: BrokersInView,
  version: number,
): PartitionAnswer {
  const leaderId = view.reachableLeader(partition)
  const isComplete = (ids: readonly number[]): boolean => ids.every((id) => view.isUsable(id))
  const reachable = (ids: readonly number[]): readonly number[] =>
    version > 0 || isComplete(ids) ? ids : ids.filter((id) => view.isUsable(id))
  let errorCode: number = ErrorCode.NONE
  if (leaderId === -1) {
    const lacksListener = version >= 6 && view.get(partition.leader) !== undefined
    errorCode = lacksListener ? ErrorCode.LISTENER_NOT_FOUND : ErrorCode.LEADER_NOT_AVAILABLE
  } else if (version === 0 && !(isComplete(partition.replicas) && isComplete(partition.isr))) {
    errorCode = ErrorCode.REPLICA_NOT_AVAILABLE
  }
  return {
    errorCode,
    partitionIndex,
    leaderId,
    leaderEpoch: partition.leaderEpoch,
    replicaNodes: reachable(partition.replicas),
    isrNodes: reachable(partition.isr),
    offlineReplicas: view.offlineReplicas(partition),
  }
}

function usableBrokers(view: BrokersInView): ResponseInput<typeof Metadata>['brokers'] {
  const brokers = []
  for (const { broker, endpoint } of view.values())
    if (endpoint !== null && !broker.fenced)
      brokers.push({ nodeId: broker.id, host: endpoint.host, port: endpoint.port, rack: broker.rack })
  return brokers
}

async function createMissing(names: ReadonlySet<string>, broker: BrokerServices): Promise<void> {
  const { image } = broker.metadata
  const missing = [...names].filter((name) => !image.topics.has(name) && topicNameProblem(name) === null)
  if (missing.length > 0) await createAutomatically(missing, broker)
}

function refused({ topics }: Request<typeof Metadata>, errorCode: number): ResponseInput<typeof Metadata> {
  return {
    throttleTimeMs: 0,
    brokers: [],
    topics: (topics ?? []).map(({ name, topicId }) => ({
      errorCode,
      // A response before version 12 has no way to leave the name out.
      name: name ?? '',
      topicId,
      isInternal: false,
      partitions: [],
    })),
    errorCode,
  }
}
