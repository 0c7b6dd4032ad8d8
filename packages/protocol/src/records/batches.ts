/** Walks over the batches (magic 2) and entries (magic 0 and 1) that lie one after another in a buffer. */
import { ErrorCode, KafkaError } from '../errors.ts'
import { readInt32 } from './big-endian.ts'
import { BATCH_HEADER_SIZE, BATCH_LENGTH_AT, LOG_OVERHEAD, MAGIC_AT, magicOf } from './batch.ts'

/** crc, magic, attributes, key length, value length: less than this no message of any magic can be. */
export const SMALLEST_MESSAGE_SIZE = 14

/**
 * Size of the batch at `at` when all of it lies before `end`; 0 when only a part of it does, or nothing.
 * @throws KafkaError CORRUPT_MESSAGE for a size below the smallest possible, or an unknown magic.
 */
export function wholeBatchSize(bytes: Uint8Array, at: number, end: number): number {
  const remaining = end - at
  if (remaining < LOG_OVERHEAD) return 0
  const length = readInt32(bytes, at + BATCH_LENGTH_AT)
  if (length < SMALLEST_MESSAGE_SIZE)
    throw new KafkaError(
      ErrorCode.CORRUPT_MESSAGE,
      `batch at ${at} says it has ${length} bytes after its length field, at least ${SMALLEST_MESSAGE_SIZE} are needed`,
    )
  if (remaining <= MAGIC_AT) return 0
  const magic = magicOf(bytes, at)
  if (magic < 0 || magic > 2)
    throw new KafkaError(ErrorCode.CORRUPT_MESSAGE, `batch at ${at} has magic ${magic}, expected 0, 1 or 2`)
  if (magic === 2 && length + LOG_OVERHEAD < BATCH_HEADER_SIZE)
    throw new KafkaError(
      ErrorCode.CORRUPT_MESSAGE,
      `batch at ${at} has ${length + LOG_OVERHEAD} bytes, a header of magic 2 alone has ${BATCH_HEADER_SIZE}`,
    )
  return remaining - LOG_OVERHEAD < length ? 0 : length + LOG_OVERHEAD
}

/**
 * Calls `visit(position, size)` for each whole batch in `bytes[start..end)`; stop early by returning false.
 * Returns the position after the last batch visited: less than `end` when a part of a batch follows, as in a fetch answer.
 * @throws KafkaError CORRUPT_MESSAGE as `wholeBatchSize`.
 */
export function forEachBatch(
  bytes: Uint8Array,
  visit: (at: number, sizeBytes: number) => boolean | void,
  start = 0,
  end: number = bytes.length,
): number {
  let at = start
  for (;;) {
    const size = wholeBatchSize(bytes, at, end)
    if (size === 0) return at
    const goesOn = visit(at, size)
    at += size
    if (goesOn === false) return at
  }
}

/** The same as positions, where speed does not matter. */
export function* batchPositions(bytes: Uint8Array, start = 0, end: number = bytes.length): Generator<number, void> {
  for (let at = start; ;) {
    const size = wholeBatchSize(bytes, at, end)
    if (size === 0) return
    yield at
    at += size
  }
}
