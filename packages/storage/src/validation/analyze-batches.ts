/** The first look at records to be appended: sizes and checksums of each batch, from headers only (UnifiedLog.analyzeAndValidateRecords). */
import {
  batchSizeBytes,
  baseOffset,
  compressionName,
  compressionOf,
  computeCrc,
  ErrorCode,
  isMessageIntact,
  KafkaError,
  magicOf,
  messageCompression,
  storedCrc,
  wholeBatchSize,
} from '@millrace/protocol'
import type { ValidationRules } from './validated-batches.ts'

export interface Analysis {
  /** Bytes of whole batches; a cut one at the end does not count. */
  readonly wholeBytes: number
  readonly batchesCount: number
  /** Codec of the last compressed batch, 0 when none is. */
  readonly sourceCompression: number
}

/** What Produce demands from version 3 on: one batch of magic 2, and zstd not before version 7. */
export function checkForProduceVersion(bytes: Uint8Array, rules: ValidationRules): void {
  const { apiVersion } = rules
  if (rules.origin !== 'client' || apiVersion === undefined || apiVersion < 3) return
  const size = wholeBatchSize(bytes, 0, bytes.length)
  if (size === 0) throw invalid(rules, `${bytes.length} bytes hold no whole record batch`)
  const magic = magicOf(bytes, 0)
  if (magic !== 2) throw invalid(rules, `Produce version ${apiVersion} takes record batches of magic 2, not ${magic}`)
  if (apiVersion < 7 && compressionName(compressionOf(bytes, 0)) === 'zstd')
    throw new KafkaError(
      ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
      `${nameOf(rules)}: zstd needs Produce version 7, this is version ${apiVersion}`,
    )
  if (wholeBatchSize(bytes, size, bytes.length) !== 0)
    throw invalid(rules, `Produce version ${apiVersion} takes exactly one record batch per partition`)
}

/** @throws KafkaError INVALID_RECORD, MESSAGE_TOO_LARGE, CORRUPT_MESSAGE, in this order for each batch. */
export function analyzeBatches(bytes: Uint8Array, rules: ValidationRules): Analysis {
  let sourceCompression = 0
  let batchesCount = 0
  let at = 0
  for (;;) {
    const size = wholeBatchSize(bytes, at, bytes.length)
    if (size === 0) return { wholeBytes: at, batchesCount, sourceCompression }
    const isNew = magicOf(bytes, at) === 2
    if (isNew && rules.origin === 'client' && baseOffset(bytes, at) !== 0n)
      throw invalid(rules, `the base offset of a produced batch must be 0, not ${baseOffset(bytes, at)}`)
    checkBatchSize(size, rules)
    checkCrc(bytes, at, rules)
    const codec = isNew ? compressionOf(bytes, at) : messageCompression(bytes, at)
    if (codec !== 0) sourceCompression = codec
    batchesCount++
    at += size
  }
}

export function checkBatchSize(sizeBytes: number, rules: ValidationRules): void {
  const { maxMessageBytes } = rules.config
  if (sizeBytes > maxMessageBytes)
    throw new KafkaError(
      ErrorCode.MESSAGE_TOO_LARGE,
      `${nameOf(rules)}: a batch of ${sizeBytes} bytes is larger than max.message.bytes, ${maxMessageBytes}`,
    )
}

/** @throws KafkaError CORRUPT_MESSAGE */
export function checkCrc(bytes: Uint8Array, at: number, rules: ValidationRules): void {
  if (magicOf(bytes, at) < 2) {
    if (isMessageIntact(bytes, at)) return
    throw new KafkaError(ErrorCode.CORRUPT_MESSAGE, `${nameOf(rules)}: the message at ${at} has a wrong checksum`)
  }
  const computed = computeCrc(bytes, at)
  const stored = storedCrc(bytes, at)
  if (computed !== stored)
    throw new KafkaError(
      ErrorCode.CORRUPT_MESSAGE,
      `${nameOf(rules)}: the batch at ${at} of ${batchSizeBytes(bytes, at)} bytes has crc ${stored.toString(16)}, expected ${computed.toString(16)}`,
    )
}

export function invalid(rules: ValidationRules, problem: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_RECORD, `${nameOf(rules)}: ${problem}`)
}

export function nameOf(rules: ValidationRules): string {
  return rules.partition ?? 'records'
}
