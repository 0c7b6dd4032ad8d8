/** How offsets go: by OffsetDelete, with their group, or with their topic. */
import { ErrorCode, ZERO_UUID, type OffsetDelete, type Request, type ResponseInput } from '@millrace/protocol'
import type { CoordinatorRecord, Decision } from '../../runtime/decision.ts'
import type { Groups } from '../groups.ts'
import { offsetTombstone } from './committed-offset.ts'
import type { GroupOffsets } from './group-offsets.ts'

export type DeletedOffsetsAnswer = ResponseInput<typeof OffsetDelete>['topics']

/** Only of topics that nobody in the group is subscribed to. @throws KafkaError with the code of the answer. */
export function deleteOffsets(
  groups: Groups,
  offsets: GroupOffsets,
  { groupId, topics }: Pick<Request<typeof OffsetDelete>, 'groupId' | 'topics'>,
): Decision<DeletedOffsetsAnswer> {
  const group = groups.find(groupId)
  group.checkOffsetDelete()
  const records: CoordinatorRecord[] = []
  const response = topics.map(({ name, partitions }) => {
    const isSubscribed = group.isSubscribedTo(name)
    for (const { partitionIndex } of isSubscribed ? [] : partitions)
      if (offsets.hasAny(groupId, name, partitionIndex))
        records.push(offsetTombstone({ group: groupId, topic: name, partition: partitionIndex }))
    const errorCode = isSubscribed ? ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC : ErrorCode.NONE
    return { name, partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })) }
  })
  return { records, isAtomic: false, response }
}

/** Tombstones of everything a group has committed, also in open transactions. */
export function tombstonesOfGroup(offsets: GroupOffsets, group: string): CoordinatorRecord[] {
  const records: CoordinatorRecord[] = []
  for (const [topic, byPartition] of offsets.committed.ofGroup(group) ?? [])
    for (const partition of byPartition.keys()) records.push(offsetTombstone({ group, topic, partition }))
  for (const { topic, partition } of offsets.pending.partitionsOf(group))
    if (!offsets.committed.has(group, topic, partition)) records.push(offsetTombstone({ group, topic, partition }))
  return records
}

/** `deleted`: the ids of the topics that are gone, by name. A topic of the same name may exist by now. */
export function tombstonesOfTopics(offsets: GroupOffsets, deleted: ReadonlyMap<string, string>): CoordinatorRecord[] {
  const records: CoordinatorRecord[] = []
  for (const group of offsets.committed.groups())
    for (const [topic, id] of deleted)
      for (const [partition, { topicId }] of offsets.committed.ofGroup(group)?.get(topic) ?? [])
        if (topicId === ZERO_UUID || topicId === id) records.push(offsetTombstone({ group, topic, partition }))
  for (const { group, topic, partition, value } of offsets.pending) {
    const id = deleted.get(topic)
    if (id !== undefined && (value.topicId === ZERO_UUID || value.topicId === id))
      records.push(offsetTombstone({ group, topic, partition }))
  }
  return records
}
