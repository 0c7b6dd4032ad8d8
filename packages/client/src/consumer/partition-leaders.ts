/** Tells the partitions of a consumer what metadata say of them: who leads them, and whether their topic still is the same. */
import { ZERO_UUID } from '@millrace/protocol'
import type { ClusterImage } from '../cluster/cluster-image.ts'
import type { AssignedPartition } from './positions/assigned-partition.ts'

/** False when the topic is another one than that the position is for. */
export function applyMetadata(partition: AssignedPartition<unknown, unknown>, image: ClusterImage): boolean {
  const topic = image.topics.get(partition.topic)
  // A topic that is not known now may come back; its leader then is fetched from as before.
  if (topic === undefined) return true
  const { leaderId = -1, leaderEpoch = -1 } = topic.partitions[partition.partition] ?? {}
  partition.ledBy({ id: leaderId, epoch: leaderEpoch })
  if (topic.id === ZERO_UUID || topic.id === partition.topicId) return true
  const isFirst = partition.topicId === null
  partition.topicId = topic.id
  return isFirst
}
