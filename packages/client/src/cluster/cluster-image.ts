/** What a client knows of a cluster, as immutable values; a newer answer to Metadata makes a newer image. */
import { ErrorCode, ZERO_UUID, type Metadata, type Response } from '@millrace/protocol'

export interface Node {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

export interface PartitionImage {
  /** -1: none at the moment. */
  readonly leaderId: number
  /** -1: not told by the broker, or not to be believed (before 2.4). */
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly offlineReplicas: readonly number[]
  readonly errorCode: number
}

export interface TopicImage {
  readonly name: string
  /** 22 characters of base64url; `ZERO_UUID` from brokers that know no topic ids (before 2.8). */
  readonly id: string
  readonly isInternal: boolean
  /** By number. A hole in the numbers is a partition without leader. */
  readonly partitions: readonly PartitionImage[]
}

export interface ClusterImage {
  /** Null before the first answer, and from brokers before 0.10.1. */
  readonly clusterId: string | null
  /** -1: none known. */
  readonly controllerId: number
  readonly brokers: ReadonlyMap<number, Node>
  readonly topics: ReadonlyMap<string, TopicImage>
  /** Why a topic that was asked for is not in `topics`. */
  readonly topicErrors: ReadonlyMap<string, number>
  readonly topicNames: ReadonlyMap<string, string>
}

export const emptyImage: ClusterImage = {
  clusterId: null,
  controllerId: -1,
  brokers: new Map(),
  topics: new Map(),
  topicErrors: new Map(),
  topicNames: new Map(),
}

const leaderless: PartitionImage = {
  leaderId: -1,
  leaderEpoch: -1,
  replicas: [],
  isr: [],
  offlineReplicas: [],
  errorCode: ErrorCode.LEADER_NOT_AVAILABLE,
}

/** Numbers that may be missing among those of a topic's partitions. */
const MOST_HOLES = 1_000

/** The image after `answer`. Topics of the old one that `keeps` and that were not asked about stay as they are. */
export function imageAfter(
  old: ClusterImage,
  answer: Response<typeof Metadata>,
  keeps: (topic: string) => boolean,
): ClusterImage {
  const topics = new Map<string, TopicImage>()
  const topicErrors = new Map<string, number>()
  for (const [name, topic] of old.topics) if (keeps(name)) topics.set(name, topic)
  for (const { name, topicId, errorCode, isInternal, partitions } of answer.topics) {
    if (name === null) continue
    topics.delete(name)
    if (errorCode !== ErrorCode.NONE) {
      topicErrors.set(name, errorCode)
      continue
    }
    const known = old.topics.get(name)
    const isSameTopic = known !== undefined && known.id === topicId
    const images: PartitionImage[] = []
    for (const partition of partitions) {
      // Brokers number partitions without gaps; what is far off is damage, and must not cost memory.
      if (partition.partitionIndex < 0 || partition.partitionIndex >= partitions.length + MOST_HOLES) continue
      while (images.length <= partition.partitionIndex) images.push(leaderless)
      images[partition.partitionIndex] = newer(isSameTopic ? known.partitions[partition.partitionIndex] : undefined, {
        leaderId: partition.leaderId,
        leaderEpoch: partition.leaderEpoch,
        replicas: partition.replicaNodes,
        isr: partition.isrNodes,
        offlineReplicas: partition.offlineReplicas,
        errorCode: partition.errorCode,
      })
    }
    topics.set(name, { name, id: topicId, isInternal, partitions: images })
  }
  return {
    clusterId: answer.clusterId ?? old.clusterId,
    controllerId: answer.controllerId,
    brokers: new Map(answer.brokers.map(({ nodeId, host, port, rack }) => [nodeId, { id: nodeId, host, port, rack }])),
    topics,
    topicErrors,
    topicNames: namesById(topics),
  }
}

/** The image with a leader that a broker has told of in passing (KIP-951); the same image when that is no news. */
export function imageWithLeader(
  old: ClusterImage,
  {
    topic,
    partition,
    leaderId,
    leaderEpoch,
  }: { topic: string; partition: number; leaderId: number; leaderEpoch: number },
  endpoints: readonly Node[],
): ClusterImage {
  const known = old.topics.get(topic)
  const present = known?.partitions[partition]
  if (known === undefined || present === undefined || leaderId < 0 || leaderEpoch <= present.leaderEpoch) return old
  const brokers = new Map(old.brokers)
  for (const node of endpoints) brokers.set(node.id, node)
  if (!brokers.has(leaderId)) return old
  const partitions = known.partitions.with(partition, { ...present, leaderId, leaderEpoch, errorCode: ErrorCode.NONE })
  return { ...old, brokers, topics: new Map(old.topics).set(topic, { ...known, partitions }) }
}

/** A broker that lags behind the others may answer with a leader of the past: the epoch tells (KIP-320). */
function newer(known: PartitionImage | undefined, told: PartitionImage): PartitionImage {
  if (known === undefined || told.leaderEpoch < 0 || told.leaderEpoch >= known.leaderEpoch) return told
  return known
}

function namesById(topics: ReadonlyMap<string, TopicImage>): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const { id, name } of topics.values()) if (id !== ZERO_UUID) names.set(id, name)
  return names
}
