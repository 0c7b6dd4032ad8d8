/** Moves the log start offset forward: records below it are gone for readers at once, from disk when their segment is (KIP-107). */
import { DeleteRecords, ErrorCode, KafkaError, type ResponseInput } from '@millrace/protocol'
import { isInternalTopic } from '../controller/topic-names.ts'
import { handler } from '../server/handler.ts'
import type { RequestContext } from '../server/request-context.ts'

type PartitionAnswer = ResponseInput<typeof DeleteRecords>['topics'][number]['partitions'][number]

/** Asks for everything below the high watermark. */
const toHighWatermark = -1n

export const deleteRecords = handler(DeleteRecords, (request, context) => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, offset }) => deleteBefore(name, partitionIndex, offset, context)),
  })),
}))

function deleteBefore(topic: string, partitionIndex: number, offset: bigint, context: RequestContext): PartitionAnswer {
  const refused = (errorCode: number): PartitionAnswer => ({ partitionIndex, lowWatermark: -1n, errorCode })
  try {
    if (context.broker.metadata.image.topics.get(topic)?.partitions[partitionIndex] === undefined)
      return refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    if (isInternalTopic(topic)) return refused(ErrorCode.INVALID_TOPIC_EXCEPTION)
    const partition = context.broker.partitions.find(topic, partitionIndex)
    const log = partition.leaderLog(-1)
    const { compact, delete: deletes } = log.config.cleanupPolicies
    if (compact && !deletes) return refused(ErrorCode.POLICY_VIOLATION)
    const target = offset === toHighWatermark ? log.highWatermark : offset
    if (target < 0n || target > log.highWatermark) return refused(ErrorCode.OFFSET_OUT_OF_RANGE)
    log.deleteRecordsBefore(target)
    partition.logStartMoved()
    return { partitionIndex, lowWatermark: log.logStartOffset, errorCode: ErrorCode.NONE }
  } catch (error) {
    if (error instanceof KafkaError) return refused(error.code)
    context.broker.logger.error(`cannot delete records of ${topic}-${partitionIndex}`, { error, offset })
    return refused(ErrorCode.UNKNOWN_SERVER_ERROR)
  }
}
