/** The idempotent and transactional producers a partition remembers (KIP-664). */
import { DescribeProducers, ErrorCode, KafkaError, type ResponseInput } from '@millrace/protocol'
import { topicNameProblem } from '../controller/topic-names.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'
import { askInTurns } from '../server/ask-in-turns.ts'
import { partitionsByTopic } from './partitions-by-topic.ts'

type PartitionAnswer = ResponseInput<typeof DescribeProducers>['topics'][number]['partitions'][number]

export const describeProducers = handler(DescribeProducers, async (request, context) => {
  const { clock } = context.broker
  // Each once: a partition may remember many producers, and the answer must not be larger than what the broker holds.
  const topics = await askInTurns(partitionsByTopic(request.topics), clock, async ([name, indexes]) => ({
    name,
    partitions: await askInTurns(indexes, clock, (index) => describe(name, index, context)),
  }))
  return { throttleTimeMs: 0, topics }
})

function describe(topic: string, partitionIndex: number, context: RequestContext): PartitionAnswer {
  const problem = topicNameProblem(topic)
  if (problem !== null)
    return { partitionIndex, errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, errorMessage: problem, activeProducers: [] }
  try {
    const log = context.broker.partitions.find(topic, partitionIndex).leaderLog(-1)
    return { partitionIndex, errorCode: ErrorCode.NONE, errorMessage: null, activeProducers: log.producers.describe() }
  } catch (error) {
    if (error instanceof KafkaError)
      return { partitionIndex, errorCode: error.code, errorMessage: error.message, activeProducers: [] }
    throw error
  }
}
