/** Which records are too large to be sent at all. */
import {
  BATCH_HEADER_SIZE,
  ErrorCode,
  KafkaError,
  largestRecordSize,
  type NewRecordHeader,
  type RecordField,
} from '@millrace/protocol'

/** Longest UTF-8 form of a UTF-16 code unit. */
const MOST_BYTES_PER_UNIT = 3
/** More than what a batch of one record takes beside key, value and headers. */
const OVERHEAD_BYTES = 200

export interface SizeLimits {
  readonly maxRequestSize: number
  readonly bufferMemory: number
}

/** @throws KafkaError MESSAGE_TOO_LARGE for a record that could pass one of the limits. */
export function checkRecordSize(
  topic: string,
  key: RecordField,
  value: RecordField,
  headers: readonly NewRecordHeader[] | undefined,
  { maxRequestSize, bufferMemory }: SizeLimits,
): void {
  const limit = Math.min(maxRequestSize, bufferMemory)
  // Exact sizes of texts cost time, and nearly all records are far from the limit.
  if (headers === undefined && mostBytes(key) + mostBytes(value) + OVERHEAD_BYTES <= limit) return
  const size = largestRecordSize(key, value, headers) + BATCH_HEADER_SIZE
  if (size > limit)
    throw new KafkaError(
      ErrorCode.MESSAGE_TOO_LARGE,
      `a record to ${topic} takes up to ${size} bytes, more than ${maxRequestSize <= bufferMemory ? 'maxRequestSize' : 'bufferMemory'} (${limit}) allows`,
    )
}

function mostBytes(value: RecordField): number {
  if (value === null) return 0
  return typeof value === 'string' ? value.length * MOST_BYTES_PER_UNIT : value.length
}
