/** Deletes offsets of a group, of topics that it is not subscribed to. */
import { ErrorCode, OffsetDelete, ZERO_UUID } from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import { refusalCode } from './coordinator-refusal.ts'
import { TopicResults } from './topic-results.ts'

export const offsetDelete = handler(OffsetDelete, async (request, context) => {
  const { groupId } = request
  const { metadata, coordinators } = context.broker
  const results = new TopicResults('name')
  const topics: { name: string; partitions: readonly { partitionIndex: number }[] }[] = []
  for (const topic of request.topics) {
    const existing = results.existing(topic, metadata.image)
    if (existing !== null) topics.push(existing)
  }
  const refused = (errorCode: number) => ({ errorCode, throttleTimeMs: 0, topics: [] })
  if (groupId === '') return refused(ErrorCode.INVALID_GROUP_ID)
  try {
    const deleted = await coordinators.groups.write(groupId, (shard) => shard.offsets.delete({ groupId, topics }))
    for (const topic of deleted) results.add({ ...topic, topicId: ZERO_UUID })
    return { errorCode: ErrorCode.NONE, throttleTimeMs: 0, topics: results.all }
  } catch (error) {
    return refused(refusalCode(error, context))
  }
})
