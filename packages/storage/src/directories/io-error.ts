import { ErrorCode, KafkaError } from '@millrace/protocol'

/**
 * Whether the disk failed (EIO, ENOSPC, EACCES, …, or a log that already says so), and not our program: the directory goes offline and the
 * process lives on. ENOSPC is no exception: Kafka takes a full directory offline too.
 */
export function isDiskFailure(error: unknown): error is Error {
  if (!(error instanceof Error)) return false
  if (error instanceof KafkaError) return error.code === ErrorCode.KAFKA_STORAGE_ERROR
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^E(?!RR_)[A-Z0-9]+$/.test(code)
}
