/**
 * The header of a record batch, read and written in place. Big-endian, offsets from the start of the batch:
 *
 *   0 baseOffset int64 · 8 batchLength int32 (bytes after it) · 12 partitionLeaderEpoch int32 · 16 magic int8 ·
 *   17 crc uint32 (CRC-32C of 21…end) · 21 attributes int16 · 23 lastOffsetDelta int32 · 27 baseTimestamp int64 ·
 *   35 maxTimestamp int64 · 43 producerId int64 · 51 producerEpoch int16 · 53 baseSequence int32 · 57 recordsCount int32 ·
 *   61 records, as one compressed block when a codec is set
 *
 * Attributes: bits 0-2 codec, 3 LogAppendTime, 4 transactional, 5 control, 6 base timestamp is the delete horizon.
 * The base offset and the leader epoch lie before the checksummed part, so a broker assigns them without summing again.
 * All functions take the position of the batch within `bytes` and check nothing; see `batches.ts` for bounds.
 * Base offset, size and magic are at the same place in magic 0 and 1.
 */
import { crc32c } from './crc32c.ts'
import { readInt16, readInt32, readInt64, readUint32, writeInt16, writeInt32, writeInt64 } from './big-endian.ts'

/** Bytes of base offset and length, which `batchLength` does not count. */
export const LOG_OVERHEAD = 12
export const BATCH_HEADER_SIZE = 61

export const BASE_OFFSET_AT = 0
export const BATCH_LENGTH_AT = 8
export const PARTITION_LEADER_EPOCH_AT = 12
export const MAGIC_AT = 16
export const CRC_AT = 17
export const ATTRIBUTES_AT = 21
export const LAST_OFFSET_DELTA_AT = 23
export const BASE_TIMESTAMP_AT = 27
export const MAX_TIMESTAMP_AT = 35
export const PRODUCER_ID_AT = 43
export const PRODUCER_EPOCH_AT = 51
export const BASE_SEQUENCE_AT = 53
export const RECORDS_COUNT_AT = 57
export const RECORDS_AT = 61

export const COMPRESSION_MASK = 0x07
export const LOG_APPEND_TIME_FLAG = 0x08
export const TRANSACTIONAL_FLAG = 0x10
export const CONTROL_FLAG = 0x20
export const DELETE_HORIZON_FLAG = 0x40

export type TimestampType = 'CreateTime' | 'LogAppendTime'

export const baseOffset = (bytes: Uint8Array, at: number): bigint => readInt64(bytes, at)
export const setBaseOffset = (bytes: Uint8Array, at: number, offset: bigint): void => writeInt64(bytes, at, offset)

/** Of the whole batch, header included. */
export const batchSizeBytes = (bytes: Uint8Array, at: number): number =>
  readInt32(bytes, at + BATCH_LENGTH_AT) + LOG_OVERHEAD

export const setBatchSizeBytes = (bytes: Uint8Array, at: number, sizeBytes: number): void =>
  writeInt32(bytes, at + BATCH_LENGTH_AT, sizeBytes - LOG_OVERHEAD)

export const partitionLeaderEpoch = (bytes: Uint8Array, at: number): number =>
  readInt32(bytes, at + PARTITION_LEADER_EPOCH_AT)
export const setPartitionLeaderEpoch = (bytes: Uint8Array, at: number, epoch: number): void =>
  writeInt32(bytes, at + PARTITION_LEADER_EPOCH_AT, epoch)

export const magicOf = (bytes: Uint8Array, at: number): number => (bytes[at + MAGIC_AT]! << 24) >> 24
export const storedCrc = (bytes: Uint8Array, at: number): number => readUint32(bytes, at + CRC_AT)
export const attributes = (bytes: Uint8Array, at: number): number => readInt16(bytes, at + ATTRIBUTES_AT)
/** Codec number; 5-7 are not assigned. */
export const compressionOf = (bytes: Uint8Array, at: number): number =>
  bytes[at + ATTRIBUTES_AT + 1]! & COMPRESSION_MASK
export const timestampTypeOf = (bytes: Uint8Array, at: number): TimestampType =>
  (bytes[at + ATTRIBUTES_AT + 1]! & LOG_APPEND_TIME_FLAG) === 0 ? 'CreateTime' : 'LogAppendTime'
export const isTransactional = (bytes: Uint8Array, at: number): boolean =>
  (bytes[at + ATTRIBUTES_AT + 1]! & TRANSACTIONAL_FLAG) !== 0
export const isControl = (bytes: Uint8Array, at: number): boolean =>
  (bytes[at + ATTRIBUTES_AT + 1]! & CONTROL_FLAG) !== 0
/** Then `baseTimestamp` holds the time at which tombstones and markers of the batch may go, and deltas count from it. */
export const hasDeleteHorizon = (bytes: Uint8Array, at: number): boolean =>
  (bytes[at + ATTRIBUTES_AT + 1]! & DELETE_HORIZON_FLAG) !== 0

export const lastOffsetDelta = (bytes: Uint8Array, at: number): number => readInt32(bytes, at + LAST_OFFSET_DELTA_AT)
export const lastOffset = (bytes: Uint8Array, at: number): bigint =>
  readInt64(bytes, at) + BigInt(readInt32(bytes, at + LAST_OFFSET_DELTA_AT))
export const baseTimestamp = (bytes: Uint8Array, at: number): bigint => readInt64(bytes, at + BASE_TIMESTAMP_AT)
export const maxTimestamp = (bytes: Uint8Array, at: number): bigint => readInt64(bytes, at + MAX_TIMESTAMP_AT)
export const producerId = (bytes: Uint8Array, at: number): bigint => readInt64(bytes, at + PRODUCER_ID_AT)
export const producerEpoch = (bytes: Uint8Array, at: number): number => readInt16(bytes, at + PRODUCER_EPOCH_AT)
export const baseSequence = (bytes: Uint8Array, at: number): number => readInt32(bytes, at + BASE_SEQUENCE_AT)
export const recordsCount = (bytes: Uint8Array, at: number): number => readInt32(bytes, at + RECORDS_COUNT_AT)

/** Sequence numbers go from 2^31 - 1 on to 0. */
export function addToSequence(sequence: number, increment: number): number {
  return (sequence + increment) % 0x8000_0000
}

/** -1 when the batch has none. */
export function lastSequence(bytes: Uint8Array, at: number): number {
  const base = baseSequence(bytes, at)
  return base < 0 ? -1 : addToSequence(base, lastOffsetDelta(bytes, at))
}

/** CRC-32C over the part the stored checksum covers. */
export function computeCrc(bytes: Uint8Array, at: number): number {
  return crc32c(bytes, at + ATTRIBUTES_AT, at + batchSizeBytes(bytes, at))
}

/** After changing anything from the attributes on. */
export function updateCrc(bytes: Uint8Array, at: number): void {
  writeInt32(bytes, at + CRC_AT, computeCrc(bytes, at))
}

/** Sets both and sums again, unless nothing changes. */
export function setMaxTimestamp(bytes: Uint8Array, at: number, type: TimestampType, timestamp: bigint): void {
  if (timestampTypeOf(bytes, at) === type && maxTimestamp(bytes, at) === timestamp) return
  if (type === 'LogAppendTime') bytes[at + ATTRIBUTES_AT + 1]! |= LOG_APPEND_TIME_FLAG
  else bytes[at + ATTRIBUTES_AT + 1]! &= ~LOG_APPEND_TIME_FLAG
  writeInt64(bytes, at + MAX_TIMESTAMP_AT, timestamp)
  updateCrc(bytes, at)
}

/** Who writes a batch; left out: no producer id, no sequence. */
export interface BatchProducer {
  readonly producerId?: bigint
  readonly producerEpoch?: number
  /** Sequence number of the first record. */
  readonly baseSequence?: number
  readonly isTransactional?: boolean
}

/**
 * Gives a finished batch another writer or sequence, as when an idempotent producer begins a new epoch (KIP-360), and sums again. The records
 * stay as they are.
 */
export function setBatchProducer(bytes: Uint8Array, at: number, producer: BatchProducer): void {
  writeInt64(bytes, at + PRODUCER_ID_AT, producer.producerId ?? -1n)
  writeInt16(bytes, at + PRODUCER_EPOCH_AT, producer.producerEpoch ?? -1)
  writeInt32(bytes, at + BASE_SEQUENCE_AT, producer.baseSequence ?? -1)
  if (producer.isTransactional === true) bytes[at + ATTRIBUTES_AT + 1]! |= TRANSACTIONAL_FLAG
  else bytes[at + ATTRIBUTES_AT + 1]! &= ~TRANSACTIONAL_FLAG
  updateCrc(bytes, at)
}

export interface BatchHeader {
  readonly baseOffset: bigint
  readonly sizeBytes: number
  readonly partitionLeaderEpoch: number
  readonly attributes: number
  readonly lastOffsetDelta: number
  readonly baseTimestamp: bigint
  readonly maxTimestamp: bigint
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly recordsCount: number
}

/** Writes the 61 bytes of a magic 2 header in front of the records, which must be in place: the checksum covers them. */
export function writeBatchHeader(bytes: Uint8Array, at: number, header: BatchHeader): void {
  writeInt64(bytes, at, header.baseOffset)
  writeInt32(bytes, at + BATCH_LENGTH_AT, header.sizeBytes - LOG_OVERHEAD)
  writeInt32(bytes, at + PARTITION_LEADER_EPOCH_AT, header.partitionLeaderEpoch)
  bytes[at + MAGIC_AT] = 2
  writeInt16(bytes, at + ATTRIBUTES_AT, header.attributes)
  writeInt32(bytes, at + LAST_OFFSET_DELTA_AT, header.lastOffsetDelta)
  writeInt64(bytes, at + BASE_TIMESTAMP_AT, header.baseTimestamp)
  writeInt64(bytes, at + MAX_TIMESTAMP_AT, header.maxTimestamp)
  writeInt64(bytes, at + PRODUCER_ID_AT, header.producerId)
  writeInt16(bytes, at + PRODUCER_EPOCH_AT, header.producerEpoch)
  writeInt32(bytes, at + BASE_SEQUENCE_AT, header.baseSequence)
  writeInt32(bytes, at + RECORDS_COUNT_AT, header.recordsCount)
  updateCrc(bytes, at)
}
