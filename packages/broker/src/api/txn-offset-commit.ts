/** Stores what a group has consumed, to count when the producer's transaction is committed (KIP-98). */
import { ErrorCode, KafkaError, TxnOffsetCommit, ZERO_UUID } from '@millrace/protocol'
import type { TxnCommitRequest } from '../coordinators/groups/offsets/commit-offsets.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { refusalCode } from './coordinator-refusal.ts'
import { TopicResults } from './topic-results.ts'

/** Producers before this version do not know that a coordinator may be loading (KAFKA-7296). */
const firstVersionWithLoading = 2

export const txnOffsetCommit = handler(TxnOffsetCommit, async (request, context) => {
  const { image } = context.broker.metadata
  const results = new TopicResults('name')
  const topics: TxnCommitRequest['topics'][number][] = []
  for (const topic of request.topics) {
    const existing = results.existing(topic, image)
    if (existing !== null) topics.push(existing)
  }
  if (topics.length > 0) await commit({ ...request, topics }, results, context)
  return { throttleTimeMs: 0, topics: results.all }
})

async function commit(request: TxnCommitRequest, results: TopicResults, context: RequestContext): Promise<void> {
  try {
    if (request.groupId === '') throw new KafkaError(ErrorCode.INVALID_GROUP_ID)
    const { groups } = context.broker.coordinators
    for (const topic of await groups.commitInTransaction(request, context.version)) results.add(topic)
  } catch (error) {
    const code = refusalCode(error, context)
    const isUnknown = code === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS && context.version < firstVersionWithLoading
    for (const topic of request.topics)
      results.refuse({ ...topic, topicId: ZERO_UUID }, isUnknown ? ErrorCode.COORDINATOR_NOT_AVAILABLE : code)
  }
}
