/** Records of a batch as objects, unpacked when needed. Any magic. */
import { ErrorCode, KafkaError } from '../errors.ts'
import {
  baseOffset,
  baseTimestamp,
  batchSizeBytes,
  compressionOf,
  magicOf,
  maxTimestamp,
  RECORDS_AT,
  recordsCount,
  timestampTypeOf,
} from './batch.ts'
import { Compression, decompress } from './compression.ts'
import { readMessages } from './message-set.ts'
import { RecordCursor } from './record-cursor.ts'
import type { RecordHeader, RecordView } from './record.ts'

/** Most bytes a batch may unpack to when the caller names no bound: 100 MiB. */
export const DEFAULT_MAX_DECOMPRESSED_BYTES = 100 * 1024 * 1024

/**
 * The records section of the magic 2 batch at `at`: a view when it is not compressed, else what it unpacks to.
 * @throws KafkaError as `decompress`.
 */
export function recordsSection(bytes: Uint8Array, at: number, maxBytes = DEFAULT_MAX_DECOMPRESSED_BYTES): Uint8Array {
  const section = bytes.subarray(at + RECORDS_AT, at + batchSizeBytes(bytes, at))
  const codec = compressionOf(bytes, at)
  return codec === Compression.NONE ? section : decompress(codec, section, maxBytes)
}

/** A cursor over the records of the magic 2 batch at `at`. @throws KafkaError as `decompress`; INVALID_RECORD for a bad count. */
export function openRecords(
  bytes: Uint8Array,
  at: number,
  maxDecompressedBytes = DEFAULT_MAX_DECOMPRESSED_BYTES,
): RecordCursor {
  const count = recordsCount(bytes, at)
  if (count < 0) throw new KafkaError(ErrorCode.INVALID_RECORD, `the batch says it has ${count} records`)
  if (compressionOf(bytes, at) === Compression.NONE)
    return new RecordCursor(bytes, at + RECORDS_AT, at + batchSizeBytes(bytes, at), count)
  // An empty batch may keep its codec after compaction, with nothing behind the header.
  if (count === 0) return new RecordCursor(bytes, 0, 0, 0)
  const section = recordsSection(bytes, at, maxDecompressedBytes)
  return new RecordCursor(section, 0, section.length, count)
}

/**
 * The records of the one whole batch at `at`, lazily; keys and values are views. For magic 0 and 1, of the one entry there.
 * @throws KafkaError INVALID_RECORD for malformed records, and as `decompress`. The checksum is not verified.
 */
export function* readRecords(
  bytes: Uint8Array,
  at = 0,
  maxDecompressedBytes = DEFAULT_MAX_DECOMPRESSED_BYTES,
): Generator<RecordView, void> {
  if (magicOf(bytes, at) < 2) {
    yield* readMessages(bytes, at, maxDecompressedBytes)
    return
  }
  const cursor = openRecords(bytes, at, maxDecompressedBytes)
  const firstOffset = baseOffset(bytes, at)
  const firstTimestamp = baseTimestamp(bytes, at)
  const appendTime = timestampTypeOf(bytes, at) === 'LogAppendTime' ? maxTimestamp(bytes, at) : null
  while (cursor.next()) {
    yield {
      offset: firstOffset + BigInt(cursor.offsetDelta),
      timestamp: appendTime ?? BigInt.asIntN(64, firstTimestamp + cursor.timestampDelta()),
      key: cursor.key(),
      value: cursor.value(),
      headers: cursor.headersCount === 0 ? noHeaders : readHeaders(cursor),
    }
  }
}

const noHeaders: readonly RecordHeader[] = []

function readHeaders(cursor: RecordCursor): RecordHeader[] {
  const headers: RecordHeader[] = []
  const { bytes } = cursor
  let at = cursor.headersAt
  const varint = () => {
    let raw = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!
      raw |= (byte & 0x7f) << shift
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1)
    }
  }
  for (let index = 0; index < cursor.headersCount; index++) {
    const keyLength = varint()
    const key = Buffer.from(bytes.buffer, bytes.byteOffset + at, keyLength).toString()
    at += keyLength
    const valueLength = varint()
    headers.push({ key, value: valueLength < 0 ? null : bytes.subarray(at, at + valueLength) })
    if (valueLength > 0) at += valueLength
  }
  return headers
}
