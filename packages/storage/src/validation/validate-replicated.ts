/** Batches fetched from the leader: the leader has checked the records, here is only what protects this replica's log. */
import { ErrorCode, KafkaError, lastOffset, magicOf, wholeBatchSize, baseOffset } from '@millrace/protocol'
import { checkCrc, nameOf } from './analyze-batches.ts'
import { describeBatch } from './describe-batch.ts'
import type { ValidatedBatch, ValidatedBatches, ValidationRules } from './validated-batches.ts'

/** May be empty: nothing whole came, or all of it is of a later leader epoch. @throws KafkaError CORRUPT_MESSAGE; UNKNOWN_SERVER_ERROR for offsets out of order. */
export function validateReplicated(bytes: Uint8Array, rules: ValidationRules): ValidatedBatches {
  const batches: ValidatedBatch[] = []
  const latestEpoch = rules.leaderEpoch ?? Infinity
  let at = 0
  let previous = -1n
  let offsetsCount = 0
  let maxTimestamp = -1n
  let isTransactional = false
  for (let size = wholeBatchSize(bytes, at, bytes.length); size !== 0; size = wholeBatchSize(bytes, at, bytes.length)) {
    const batch = describeBatch(bytes, at)
    if (batch.partitionLeaderEpoch > latestEpoch) break
    const last = magicOf(bytes, at) === 2 ? lastOffset(bytes, at) : baseOffset(bytes, at)
    if (last <= previous)
      throw new KafkaError(
        ErrorCode.UNKNOWN_SERVER_ERROR,
        `${nameOf(rules)}: a replicated batch ends at offset ${last}, the one before it at ${previous}`,
      )
    checkCrc(bytes, at, rules)
    previous = last
    offsetsCount += batch.lastOffsetDelta + 1
    if (batch.maxTimestamp > maxTimestamp) maxTimestamp = batch.maxTimestamp
    isTransactional ||= batch.isTransactional
    batches.push(batch)
    at += size
  }
  return {
    bytes: at === bytes.length ? bytes : bytes.subarray(0, at),
    batches,
    offsetsCount,
    maxTimestamp,
    logAppendTimeMs: -1n,
    isTransactional,
  }
}
