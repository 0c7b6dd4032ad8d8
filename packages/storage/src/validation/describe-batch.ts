/** Reads out of a checked batch what the log needs to know. */
import {
  baseOffset,
  baseSequence,
  batchSizeBytes,
  compressionOf,
  isControl,
  isTransactional,
  lastOffsetDelta,
  magicOf,
  maxTimestamp,
  messageCompression,
  messageTimestamp,
  partitionLeaderEpoch,
  producerEpoch,
  producerId,
  recordsCount,
} from '@millrace/protocol'
import type { ValidatedBatch } from './validated-batches.ts'

export function describeBatch(bytes: Uint8Array, position: number): ValidatedBatch {
  if (magicOf(bytes, position) < 2) return describeMessage(bytes, position)
  const delta = lastOffsetDelta(bytes, position)
  return {
    position,
    sizeBytes: batchSizeBytes(bytes, position),
    magic: 2,
    baseOffset: baseOffset(bytes, position),
    lastOffsetDelta: delta,
    recordsCount: recordsCount(bytes, position),
    partitionLeaderEpoch: partitionLeaderEpoch(bytes, position),
    maxTimestamp: maxTimestamp(bytes, position),
    offsetDeltaOfMaxTimestamp: delta,
    producerId: producerId(bytes, position),
    producerEpoch: producerEpoch(bytes, position),
    baseSequence: baseSequence(bytes, position),
    isTransactional: isTransactional(bytes, position),
    isControl: isControl(bytes, position),
    compression: compressionOf(bytes, position),
  }
}

function describeMessage(bytes: Uint8Array, position: number): ValidatedBatch {
  const compression = messageCompression(bytes, position)
  return {
    position,
    sizeBytes: batchSizeBytes(bytes, position),
    magic: magicOf(bytes, position),
    baseOffset: baseOffset(bytes, position),
    lastOffsetDelta: 0,
    recordsCount: compression === 0 ? 1 : -1,
    partitionLeaderEpoch: -1,
    maxTimestamp: messageTimestamp(bytes, position),
    offsetDeltaOfMaxTimestamp: 0,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    isTransactional: false,
    isControl: false,
    compression,
  }
}
