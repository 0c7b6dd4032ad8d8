/** Where a leader epoch ends in this log, for clients that check whether their history was cut (KIP-320, KIP-279). */
import { ErrorCode, KafkaError, OffsetForLeaderEpoch } from '@millrace/protocol'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'

export const offsetForLeaderEpoch = handler(OffsetForLeaderEpoch, (request, context) => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition, currentLeaderEpoch, leaderEpoch }) => ({
      partition,
      ...epochEnd(context, { topic, partition, currentLeaderEpoch, leaderEpoch }),
    })),
  })),
}))

interface Question {
  readonly topic: string
  readonly partition: number
  readonly currentLeaderEpoch: number
  readonly leaderEpoch: number
}

function epochEnd(
  context: RequestContext,
  question: Question,
): { errorCode: number; leaderEpoch: number; endOffset: bigint } {
  try {
    const log = context.broker.partitions
      .find(question.topic, question.partition)
      .leaderLog(question.currentLeaderEpoch)
    const end = log.leaderEpochs.endOffsetFor(question.leaderEpoch, log.logEndOffset)
    return { errorCode: ErrorCode.NONE, leaderEpoch: end.epoch, endOffset: end.endOffset }
  } catch (error) {
    if (error instanceof KafkaError) return { errorCode: error.code, leaderEpoch: -1, endOffset: -1n }
    throw error
  }
}
