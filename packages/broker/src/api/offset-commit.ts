/**
 * Stores what a group has consumed. Version 0, which kept it in ZooKeeper, is the commit of a consumer that is no member; the partitions of
 * version 1 have timestamps of their own. Kafka 4 has dropped both.
 */
import { ErrorCode, OffsetCommit, type Request } from '@millrace/protocol'
import type { CommitRequest, CommittedTopic } from '../coordinators/groups/offsets/commit-offsets.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { refusalCode } from './coordinator-refusal.ts'
import { TopicResults } from './topic-results.ts'

const firstVersionWithTopicIds = 10

export const offsetCommit = handler(OffsetCommit, async (request, context) => {
  const results = new TopicResults(context.version >= firstVersionWithTopicIds ? 'topicId' : 'name')
  const topics = existingTopics(request, results, context)
  if (topics.length > 0) await commit({ ...request, topics }, results, context)
  return { topics: results.all }
})

function existingTopics(
  { topics }: Request<typeof OffsetCommit>,
  results: TopicResults,
  { version, broker }: RequestContext,
): CommittedTopic[] {
  const { image } = broker.metadata
  const existing: CommittedTopic[] = []
  for (const topic of topics) {
    const name = version < firstVersionWithTopicIds ? topic.name : image.topicNameById(topic.topicId)
    if (name === undefined) {
      results.refuse(topic, ErrorCode.UNKNOWN_TOPIC_ID)
      continue
    }
    const found = results.existing({ name, partitions: topic.partitions }, image)
    if (found !== null) existing.push(found)
  }
  return existing
}

async function commit(request: CommitRequest, results: TopicResults, context: RequestContext): Promise<void> {
  const { groupId, topics } = request
  try {
    const { groups } = context.broker.coordinators
    const committed = groups.write(groupId, (shard) => shard.offsets.commit(request, context.version))
    // It is decided; the next commit of the client may be decided while this one is written.
    context.letNextStart()
    for (const topic of await committed) results.add(topic)
  } catch (error) {
    const errorCode = refusalCode(error, context)
    for (const topic of topics) results.refuse(topic, errorCode)
  }
}
