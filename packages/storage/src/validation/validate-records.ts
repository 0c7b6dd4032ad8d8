/**
 * The door of the log: nothing is appended that has not passed here. Rules and their order are Kafka 4.3.1's (ProduceRequest,
 * UnifiedLog.analyzeAndValidateRecords, LogValidator), for a leader:
 *
 *   what the Produce version allows → base offset, size and checksum of each batch → exactly one batch of magic 2 → its header →
 *   its records → other codec, LogAppendTime → size again if repacked → `segment.bytes`
 *
 * Any bad record fails the whole. Producer state, offsets and leader epoch are the log's business.
 */
import {
  ATTRIBUTES_AT,
  baseTimestamp,
  BATCH_HEADER_SIZE,
  behindHeaderSpace,
  CODEC_WORKER_FROM_BYTES,
  compress,
  Compression,
  COMPRESSION_MASK,
  compressionName,
  compressionOf,
  declaredSize,
  decompress,
  DEFAULT_MAX_DECOMPRESSED_BYTES,
  ErrorCode,
  isControl,
  KafkaError,
  magicOf,
  RECORDS_AT,
  recordsCount,
  setBatchSizeBytes,
  setMaxTimestamp,
  timestampTypeOf,
  updateCrc,
} from '@millrace/protocol'
import { analyzeBatches, checkBatchSize, checkForProduceVersion, invalid, nameOf } from './analyze-batches.ts'
import { checkHeader } from './check-header.ts'
import { checkRecords } from './check-records.ts'
import { convertMessages } from './convert-messages.ts'
import { describeBatch } from './describe-batch.ts'
import { validateReplicated } from './validate-replicated.ts'
import type { ValidatedBatches, ValidationRules } from './validated-batches.ts'

/** Most that is unpacked in the calling thread when there is another one for it. */
const mostBytesHere = 1024 * 1024

/**
 * A promise only when there is compressed work over 64 KiB and `rules.codecWorker` to do it; then `bytes` must stay untouched until
 * it settles. The result may share `bytes`, whose timestamps may have been rewritten in place.
 * @throws KafkaError CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, INVALID_RECORD, INVALID_TIMESTAMP,
 * UNSUPPORTED_COMPRESSION_TYPE; RecordValidationError when single records are at fault. Rejections are the same.
 */
export function validateRecords(
  bytes: Uint8Array,
  rules: ValidationRules,
): ValidatedBatches | Promise<ValidatedBatches> {
  if (rules.origin === 'replica') {
    const validated = validateReplicated(bytes, rules)
    checkSegmentSize(validated.bytes, rules)
    return validated
  }
  checkForProduceVersion(bytes, rules)
  const { wholeBytes, batchesCount, sourceCompression } = analyzeBatches(bytes, rules)
  if (batchesCount === 0) throw invalid(rules, `${bytes.length} bytes hold no whole record batch`)
  const isNew = magicOf(bytes, 0) === 2
  if (batchesCount > 1 && (isNew || sourceCompression !== Compression.NONE))
    throw invalid(rules, `${batchesCount} batches came where a single one is allowed`)
  if (compressionName(sourceCompression) === undefined)
    throw invalid(rules, `compression codec ${sourceCompression} does not exist, expected 0 to 4`)

  const targetCompression = targetOf(rules, sourceCompression)
  if (!isNew) {
    const converted = convertMessages(bytes, rules, {
      wholeBytes,
      targetCompression,
      compressionLevel: levelOf(rules, targetCompression),
      maxDecompressedBytes: maxDecompressedBytes(rules),
    })
    return finishRepacked(converted, rules)
  }
  const batch = wholeBytes === bytes.length ? bytes : bytes.subarray(0, wholeBytes)
  checkHeader(batch, 0, rules)
  // Markers stay as they are, whatever the topic's codec.
  const isKept =
    targetCompression === sourceCompression || (sourceCompression === Compression.NONE && isControl(batch, 0))
  if (sourceCompression === Compression.NONE && isKept)
    return finishInPlace(batch, checkIn(batch, batch, RECORDS_AT, rules), rules)
  return unpackAndFinish(batch, isKept, targetCompression, rules)
}

function unpackAndFinish(
  batch: Uint8Array,
  isKept: boolean,
  target: number,
  rules: ValidationRules,
): ValidatedBatches | Promise<ValidatedBatches> {
  const source = compressionOf(batch, 0)
  const packed = batch.subarray(RECORDS_AT)
  const mostBytes = maxDecompressedBytes(rules)
  let records: Uint8Array
  if (rules.codecWorker === undefined) records = decompress(source, packed, mostBytes)
  else {
    const isLarge = Math.max(packed.length, declaredSize(source, packed)) > CODEC_WORKER_FROM_BYTES
    if (isLarge) return unpackAndFinishInThread(batch, isKept, target, rules)
    // Not all data says how much it unpacks to, and some lies: what turns out to be much goes to the thread after all.
    const mostHere = Math.min(mostBytes, mostBytesHere)
    try {
      records = decompress(source, packed, mostHere)
    } catch (error) {
      const isMore = error instanceof KafkaError && error.code === ErrorCode.MESSAGE_TOO_LARGE && mostHere < mostBytes
      if (!isMore) throw error
      return unpackAndFinishInThread(batch, isKept, target, rules)
    }
  }
  const newest = checkIn(batch, records, 0, rules)
  if (isKept) return finishInPlace(batch, newest, rules)
  return finishRecompressed(batch, compress(target, records, levelOf(rules, target)), target, newest, rules)
}

async function unpackAndFinishInThread(
  batch: Uint8Array,
  isKept: boolean,
  target: number,
  rules: ValidationRules,
): Promise<ValidatedBatches> {
  const worker = rules.codecWorker!
  const source = compressionOf(batch, 0)
  const packed = batch.subarray(RECORDS_AT)
  const records =
    source === Compression.NONE ? packed : await worker.decompress(source, packed, maxDecompressedBytes(rules))
  const newest = checkIn(batch, records, 0, rules)
  if (isKept) return finishInPlace(batch, newest, rules)
  const repacked =
    target === Compression.NONE ? records : await worker.compress(target, records, levelOf(rules, target))
  return finishRecompressed(batch, repacked, target, newest, rules)
}

/** Checks the records of `batch`, which lie uncompressed in `records` from `start` on. Returns the largest timestamp. */
function checkIn(batch: Uint8Array, records: Uint8Array, start: number, rules: ValidationRules): bigint {
  return checkRecords(
    {
      bytes: records,
      start,
      end: records.length,
      count: recordsCount(batch, 0),
      baseTimestamp: baseTimestamp(batch, 0),
      timestampType: timestampTypeOf(batch, 0),
    },
    rules,
  )
}

function finishRecompressed(
  batch: Uint8Array,
  packed: Uint8Array,
  codec: number,
  newest: bigint,
  rules: ValidationRules,
): ValidatedBatches {
  const repacked = behindHeaderSpace(packed)
  repacked.set(batch.subarray(0, BATCH_HEADER_SIZE))
  repacked[ATTRIBUTES_AT + 1] = (repacked[ATTRIBUTES_AT + 1]! & ~COMPRESSION_MASK) | codec
  setBatchSizeBytes(repacked, 0, repacked.length)
  updateCrc(repacked, 0)
  stampTime(repacked, newest, rules)
  return finishRepacked(repacked, rules)
}

function finishInPlace(batch: Uint8Array, newest: bigint, rules: ValidationRules): ValidatedBatches {
  stampTime(batch, newest, rules)
  return finish(batch, rules)
}

function finishRepacked(batch: Uint8Array, rules: ValidationRules): ValidatedBatches {
  checkBatchSize(batch.length, rules)
  return finish(batch, rules)
}

function stampTime(batch: Uint8Array, newest: bigint, { config, nowMs }: ValidationRules): void {
  const type = config.messageTimestampType
  setMaxTimestamp(batch, 0, type, type === 'LogAppendTime' ? BigInt(nowMs) : newest)
}

function finish(bytes: Uint8Array, rules: ValidationRules): ValidatedBatches {
  checkSegmentSize(bytes, rules)
  const batch = describeBatch(bytes, 0)
  return {
    bytes,
    batches: [batch],
    offsetsCount: batch.lastOffsetDelta + 1,
    maxTimestamp: batch.maxTimestamp,
    logAppendTimeMs: rules.config.messageTimestampType === 'LogAppendTime' ? BigInt(rules.nowMs) : -1n,
    isTransactional: batch.isTransactional,
  }
}

function checkSegmentSize(bytes: Uint8Array, rules: ValidationRules): void {
  const { segmentBytes } = rules.config
  if (bytes.length > segmentBytes)
    throw new KafkaError(
      ErrorCode.RECORD_LIST_TOO_LARGE,
      `${nameOf(rules)}: ${bytes.length} bytes of batches are more than segment.bytes, ${segmentBytes}`,
    )
}

function targetOf({ config }: ValidationRules, source: number): number {
  switch (config.compressionType) {
    case 'producer':
      return source
    case 'uncompressed':
      return Compression.NONE
    case 'gzip':
      return Compression.GZIP
    case 'snappy':
      return Compression.SNAPPY
    case 'lz4':
      return Compression.LZ4
    case 'zstd':
      return Compression.ZSTD
  }
}

function levelOf({ config }: ValidationRules, codec: number): number | undefined {
  if (codec === Compression.GZIP) return config.compressionLevels.gzip
  if (codec === Compression.LZ4) return config.compressionLevels.lz4
  return codec === Compression.ZSTD ? config.compressionLevels.zstd : undefined
}

function maxDecompressedBytes(rules: ValidationRules): number {
  return rules.maxDecompressedBytes ?? DEFAULT_MAX_DECOMPRESSED_BYTES
}
