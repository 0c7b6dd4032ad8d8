/** The errors that records get when a leader has refused their batch. */
import { errorName, ErrorCode, KafkaError } from '@millrace/protocol'
import type { PartitionAnswer } from './produce-exchange.ts'
import type { ProducerBatch, RecordErrors } from '../batches/producer-batch.ts'

/** Of the batch. */
export function refusal(batch: ProducerBatch, { errorCode, errorMessage }: PartitionAnswer): KafkaError {
  const { topic, partition } = batch.queue
  const attempts = batch.attempts > 1 ? ` after ${batch.attempts} attempts` : ''
  const detail = errorMessage === null || errorMessage === '' ? '' : `: ${errorMessage}`
  return new KafkaError(
    errorCode,
    `${topic.name}-${partition} did not take ${batch.recordsCount} record(s)${attempts}: ${errorName(errorCode)}${detail}${adviceFor(errorCode)}`,
  )
}

/**
 * Of its records, when the leader told which of them it refuses (KIP-467); null when it did not. What is wrong with several of them one code
 * cannot say, so those have INVALID_RECORD, as the records have that were fine themselves: nothing of the batch was written.
 */
export function refusedRecords(
  batch: ProducerBatch,
  { errorCode, errorMessage, recordErrors }: PartitionAnswer,
  error: Error,
): RecordErrors | null {
  if (recordErrors.length === 0) return null
  const messages = new Map(
    recordErrors.map(({ batchIndex, batchIndexErrorMessage }) => [
      batchIndex,
      batchIndexErrorMessage ?? errorMessage ?? error.message,
    ]),
  )
  const { topic, partition } = batch.queue
  const innocent = new KafkaError(
    ErrorCode.INVALID_RECORD,
    `not written, as ${messages.size} other record(s) of its batch to ${topic.name}-${partition} were refused (${errorName(errorCode)}); it may be sent again`,
    { cause: error },
  )
  return {
    errorOf(index) {
      const message = messages.get(index)
      if (message === undefined) return innocent
      return new KafkaError(messages.size === 1 ? errorCode : ErrorCode.INVALID_RECORD, message, { cause: error })
    },
  }
}

function adviceFor(errorCode: number): string {
  switch (errorCode) {
    case ErrorCode.TOPIC_AUTHORIZATION_FAILED:
      return '; it needs the operation Write on the topic'
    case ErrorCode.MESSAGE_TOO_LARGE:
      return '; a record is larger than max.message.bytes of the topic'
    case ErrorCode.CLUSTER_AUTHORIZATION_FAILED:
      return '; an idempotent producer needs the operation IdempotentWrite on the cluster before Kafka 2.8'
    case ErrorCode.PRODUCER_FENCED:
    case ErrorCode.INVALID_PRODUCER_EPOCH:
      return '; a newer producer has the same transactional id, or the transaction was timed out'
  }
  return ''
}
