/** Error codes of transactional requests, for clients of all ages. */
import { ErrorCode, KafkaError } from '@millrace/protocol'

/** Fencing has a code of its own since `firstVersion` of the API (KIP-588); older clients know it as an invalid epoch. */
export function fencedFor(errorCode: number, version: number, firstVersion: number): number {
  return errorCode === ErrorCode.PRODUCER_FENCED && version < firstVersion
    ? ErrorCode.INVALID_PRODUCER_EPOCH
    : errorCode
}

/** What `work` resolves with; when it rejects with a KafkaError, what `refused` makes of its code. */
export async function orRefused<T>(work: Promise<T>, refused: (errorCode: number) => T): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof KafkaError) return refused(error.code)
    throw error
  }
}
