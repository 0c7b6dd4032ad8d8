/**
 * Entries of magic 0 and 1 (Kafka before 0.11): what stays is rewritten as a batch of magic 2, as Kafka does. They have no delete horizon;
 * their tombstones stay until the segment is `delete.retention.ms` older than the last cleaned one, and get a horizon when they are rewritten.
 */
import {
  baseOffset,
  BATCH_HEADER_SIZE,
  isMessageIntact,
  messageCompression,
  messageTimestamp,
  messageTimestampType,
  readMessages,
  RecordBatchBuilder,
  writeBatchHeader,
  type MessageView,
} from '@millrace/protocol'
import { CorruptBatchError } from './corrupt-batch-error.ts'
import type { BatchPlace } from './batch-filter.ts'
import type { OffsetMap } from './offset-map.ts'

export interface LegacyFilterOptions {
  readonly map: OffsetMap
  /** For tombstones that stay. */
  readonly horizonMs: bigint
  readonly maxDecompressedBytes: number
}

export interface FilteredEntry {
  /** null when nothing stays. */
  readonly batch: Uint8Array | null
  readonly recordsRead: number
  readonly recordsKept: number
  readonly keylessRecords: number
}

/** @throws CorruptBatchError for a wrong checksum. */
export function filterLegacyEntry(place: BatchPlace, options: LegacyFilterOptions): FilteredEntry {
  const { bytes, at, isLast, keepsLegacyTombstones } = place
  const { map, horizonMs, maxDecompressedBytes } = options
  if (!isMessageIntact(bytes, at))
    throw new CorruptBatchError(`the message at offset ${baseOffset(bytes, at)} has a wrong checksum`)
  const stay: MessageView[] = []
  let recordsRead = 0
  let keylessRecords = 0
  // As views into `bytes`, they are good until the batch is built.
  for (const message of readMessages(bytes, at, maxDecompressedBytes)) {
    recordsRead++
    const offset = Number(message.offset - map.origin)
    if (offset > map.latest) stay.push(message)
    else if (message.key === null) keylessRecords++
    else if (offset >= map.get(message.key, 0, message.key.length) && (message.value !== null || keepsLegacyTombstones))
      stay.push(message)
  }
  const counts = { recordsRead, recordsKept: stay.length, keylessRecords }
  if (stay.length === 0)
    return { batch: isLast ? emptyBatch(baseOffset(bytes, at), messageTimestamp(bytes, at)) : null, ...counts }
  const hasTombstones = stay.some(({ value }) => value === null)
  const timestampType = messageTimestampType(bytes, at)
  const builder = new RecordBatchBuilder({
    baseOffset: stay[0]!.offset,
    compression: messageCompression(bytes, at),
    timestampType,
    ...(timestampType === 'LogAppendTime' ? { logAppendTime: messageTimestamp(bytes, at) } : undefined),
    ...(hasTombstones ? { deleteHorizonMs: horizonMs } : undefined),
  })
  for (const { offset, timestamp, key, value } of stay) builder.appendWithOffset(offset, { timestamp, key, value })
  return { batch: builder.build(), ...counts }
}

function emptyBatch(offset: bigint, timestamp: bigint): Uint8Array {
  const batch = new Uint8Array(BATCH_HEADER_SIZE)
  writeBatchHeader(batch, 0, {
    baseOffset: offset,
    sizeBytes: BATCH_HEADER_SIZE,
    partitionLeaderEpoch: -1,
    attributes: 0,
    lastOffsetDelta: 0,
    baseTimestamp: -1n,
    maxTimestamp: timestamp,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    recordsCount: 0,
  })
  return batch
}
