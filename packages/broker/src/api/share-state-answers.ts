/** What the APIs of the share coordinator have in common: one question for each share partition, each answered for itself. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { longestIdLength } from '../coordinators/client-bounds.ts'
import type { SharePartitionKey } from '../coordinators/share-partition-key.ts'
import type { RequestContext } from '../server/request-context.ts'
import { askInTurns } from '../server/ask-in-turns.ts'

interface StateRequest<P> {
  readonly groupId: string
  readonly topics: readonly { readonly topicId: string; readonly partitions: readonly P[] }[]
}

interface Outcome {
  readonly partition: number
  readonly errorCode: number
  readonly errorMessage: string | null
}

/** `unknown` stands in for what a failed question does not tell. A request that names nothing, or no group that could be, is answered with nothing. */
export async function answerEach<P extends { readonly partition: number }, A extends object>(
  request: StateRequest<P>,
  context: RequestContext,
  ask: (key: SharePartitionKey, question: P) => Promise<A>,
  unknown: A,
): Promise<{ topicId: string; partitions: (A & Outcome)[] }[]> {
  const { groupId, topics } = request
  if (
    groupId.trim() === '' ||
    groupId.length > longestIdLength ||
    topics.some(({ partitions }) => partitions.length === 0)
  )
    return []
  const { clock, logger } = context.broker
  return askInTurns(topics, clock, async ({ topicId, partitions }) => ({
    topicId,
    partitions: await askInTurns(partitions, clock, async (question) => {
      const { partition } = question
      try {
        const answer = await ask({ groupId, topicId, partition }, question)
        return { ...answer, partition, errorCode: ErrorCode.NONE, errorMessage: null }
      } catch (error) {
        if (error instanceof KafkaError)
          return { ...unknown, partition, errorCode: error.code, errorMessage: error.message }
        logger.error(`the share coordinator fails for ${groupId}:${topicId}:${partition}`, { error })
        return { ...unknown, partition, errorCode: ErrorCode.UNKNOWN_SERVER_ERROR, errorMessage: null }
      }
    }),
  }))
}
