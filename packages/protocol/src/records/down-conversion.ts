/** Newer batches in an older format, for Fetch versions below 4 (magic 1) and below 2 (magic 0). */
import { ErrorCode, KafkaError } from '../errors.ts'
import { compressionOf, isControl, magicOf, maxTimestamp, timestampTypeOf } from './batch.ts'
import { forEachBatch } from './batches.ts'
import { Compression } from './compression.ts'
import { messageCompression, messageTimestamp, messageTimestampType, writeMessageSet } from './message-set.ts'
import { DEFAULT_MAX_DECOMPRESSED_BYTES, readRecords } from './read-records.ts'
import type { RecordView } from './record.ts'

export interface DownConversionOptions {
  /** Records below it are left out of uncompressed batches, as old consumers expect to begin where they asked. */
  readonly firstOffset?: bigint
  readonly maxDecompressedBytes?: number
}

/**
 * All whole batches of `bytes` as messages of at most `toMagic`; a cut batch at the end is left out. Control batches vanish, headers
 * and producer ids are lost, codecs and offsets stay; empty batches (after compaction) give nothing.
 * @throws KafkaError UNSUPPORTED_COMPRESSION_TYPE for zstd, which old formats do not have; CORRUPT_MESSAGE and the like for bad batches.
 */
export function downConvert(bytes: Uint8Array, toMagic: 0 | 1, options: DownConversionOptions = {}): Uint8Array {
  const { firstOffset = 0n, maxDecompressedBytes = DEFAULT_MAX_DECOMPRESSED_BYTES } = options
  const parts: Uint8Array[] = []
  let size = 0
  const add = (part: Uint8Array) => {
    parts.push(part)
    size += part.length
  }
  forEachBatch(bytes, (at, sizeBytes) => {
    const magic = magicOf(bytes, at)
    if (magic <= toMagic) return add(bytes.subarray(at, at + sizeBytes))
    const isNew = magic === 2
    if (isNew && isControl(bytes, at)) return
    const compression = isNew ? compressionOf(bytes, at) : messageCompression(bytes, at)
    if (compression === Compression.ZSTD)
      throw new KafkaError(
        ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
        `a batch compressed with zstd cannot be sent in the format of magic ${toMagic}`,
      )
    const records = readRecords(bytes, at, maxDecompressedBytes)
    const wanted = compression === Compression.NONE ? fromOffset(records, firstOffset) : records
    const timestampType = isNew ? timestampTypeOf(bytes, at) : messageTimestampType(bytes, at)
    const logAppendTime = isNew ? maxTimestamp(bytes, at) : messageTimestamp(bytes, at)
    add(writeMessageSet(wanted, { magic: toMagic, compression, timestampType, logAppendTime }))
  })
  const out = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

function* fromOffset(records: Iterable<RecordView>, first: bigint): Generator<RecordView, void> {
  for (const record of records) if (record.offset >= first) yield record
}
