/**
 * The rules for each record: well-formed, consecutive offsets, a key on compacted topics, a timestamp within the topic's bounds.
 * One pass over the bytes finds out whether all is well; only when it is not a second one finds the records at fault.
 *
 * Two rules are stricter than in Kafka 4.3.1, whose code lets these through by accident: offset deltas that do not count from 0
 * (it stores colliding offsets, or rewrites them when the batch is compressed), and the LogAppendTime bit on a topic with
 * CreateTime (it is taken off silently).
 */
import { ErrorCode, RecordCursor, RecordScan, scanRecords, type TimestampType } from '@millrace/protocol'
import { invalid } from './analyze-batches.ts'
import { RecordErrors } from './record-errors.ts'
import type { ValidationRules } from './validated-batches.ts'

export interface RecordsToCheck {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly count: number
  readonly baseTimestamp: bigint
  readonly timestampType: TimestampType
}

/** Timestamp deltas may be added to a base timestamp below this without losing digits. */
const exactBelow = 2 ** 52

/**
 * Returns the largest timestamp, -1n when no record has one.
 * @throws KafkaError INVALID_RECORD for malformed records; RecordValidationError INVALID_RECORD or INVALID_TIMESTAMP.
 */
export function checkRecords(records: RecordsToCheck, rules: ValidationRules): bigint {
  const { bytes, start, end, count } = records
  const scan = new RecordScan()
  if (!scanRecords(bytes, start, end, count, scan))
    throw invalid(rules, `record ${scan.problemIndex} of a batch of ${count} is malformed: ${scan.problem}`)
  const areFine = scan.hasConsecutiveOffsets && (scan.keylessRecords === 0 || !rules.config.cleanupPolicies.compact)
  if (areFine && records.timestampType === 'CreateTime') {
    const base = Number(records.baseTimestamp)
    const canAdd = !scan.hasWideTimestamps && base < exactBelow && base > -exactBelow
    const oldest = base + scan.minTimestampDelta
    const newest = base + scan.maxTimestampDelta
    if (canAdd && oldest === -1 && newest === -1) return -1n
    if (canAdd && (oldest >= 0 || rules.config.messageTimestampType === 'LogAppendTime') && newest < exactBelow) {
      const { oldestAllowed, newestAllowed } = timestampBounds(rules)
      if (oldest >= oldestAllowed && newest <= newestAllowed) return newest < 0 ? -1n : BigInt(newest)
    }
  }
  return checkEach(records, rules)
}

function checkEach(records: RecordsToCheck, rules: ValidationRules): bigint {
  const { bytes, start, end, count, baseTimestamp, timestampType } = records
  const errors = new RecordErrors(rules)
  const cursor = new RecordCursor(bytes, start, end, count)
  let newest = -1n
  while (cursor.next()) {
    const { index } = cursor
    const timestamp = BigInt.asIntN(64, baseTimestamp + cursor.timestampDelta())
    if (timestamp > newest) newest = timestamp
    if (cursor.offsetDelta !== index)
      errors.add(ErrorCode.INVALID_RECORD, index, `its offset delta is ${cursor.offsetDelta}, expected ${index}`)
    else checkRecord(errors, { index, timestamp, timestampType, hasKey: cursor.keyLength >= 0 }, rules)
  }
  errors.throwIfAny()
  return newest
}

export interface RecordToCheck {
  readonly index: number
  readonly timestamp: bigint
  /** Of its batch. */
  readonly timestampType: TimestampType
  readonly hasKey: boolean
}

/** Adds at most one error: for the key, else for the timestamp. */
export function checkRecord(errors: RecordErrors, record: RecordToCheck, rules: ValidationRules): void {
  const { index, timestamp, timestampType, hasKey } = record
  if (!hasKey && rules.config.cleanupPolicies.compact)
    return errors.add(ErrorCode.INVALID_RECORD, index, 'a compacted topic takes no record without a key')
  if (timestampType === 'LogAppendTime')
    return errors.add(ErrorCode.INVALID_TIMESTAMP, index, 'a producer may not set the timestamp type LogAppendTime')
  if (timestamp === -1n) return
  const { oldestAllowed, newestAllowed } = timestampBounds(rules)
  if (timestamp < oldestAllowed || timestamp > newestAllowed)
    errors.add(
      ErrorCode.INVALID_TIMESTAMP,
      index,
      `its timestamp ${timestamp} is not between ${oldestAllowed} and ${newestAllowed}`,
    )
}

/** Milliseconds; infinite where the topic sets no bound, or stamps records itself. */
function timestampBounds({ config, nowMs }: ValidationRules): { oldestAllowed: number; newestAllowed: number } {
  const isStamped = config.messageTimestampType === 'LogAppendTime'
  const { messageTimestampBeforeMaxMs: before, messageTimestampAfterMaxMs: after } = config
  return {
    oldestAllowed: isStamped || before >= Number.MAX_SAFE_INTEGER ? -Infinity : nowMs - before,
    newestAllowed: isStamped || after >= Number.MAX_SAFE_INTEGER ? Infinity : nowMs + after,
  }
}
