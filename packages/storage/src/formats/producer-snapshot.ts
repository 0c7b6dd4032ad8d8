/**
 * `<offset>.snapshot`: what is known of each idempotent producer from the records below `offset`.
 *
 * File, big-endian: version int16 = 1, crc uint32 (CRC-32C of everything behind it), count int32, then per producer { producerId int64,
 * epoch int16, lastSequence int32, lastOffset int64, offsetDelta int32, timestamp int64, coordinatorEpoch int32, currentTxnFirstOffset
 * int64 (-1: no open transaction) }. Of its cached batches only the last is kept; lastOffset is -1 when there is none.
 * A damaged file is noticed by its checksum and removed; the state is then rebuilt from an older one and the log.
 * Source: Kafka's ProducerStateManager and ProducerSnapshot.json.
 */
import { crc32c } from '@millrace/protocol'

export interface ProducerSnapshotEntry {
  readonly producerId: bigint
  readonly epoch: number
  readonly lastSequence: number
  readonly lastOffset: bigint
  readonly offsetDelta: number
  readonly timestamp: bigint
  readonly coordinatorEpoch: number
  readonly currentTxnFirstOffset: bigint
}

export class CorruptSnapshotError extends Error {
  override readonly name = 'CorruptSnapshotError'
}

const headerBytes = 10
const entryBytes = 46
const crcEnd = 6

export function encodeProducerSnapshot(entries: readonly ProducerSnapshotEntry[]): Uint8Array {
  const bytes = new Uint8Array(headerBytes + entries.length * entryBytes)
  const view = new DataView(bytes.buffer)
  view.setInt16(0, 1)
  view.setInt32(crcEnd, entries.length)
  let at = headerBytes
  for (const entry of entries) {
    view.setBigInt64(at, entry.producerId)
    view.setInt16(at + 8, entry.epoch)
    view.setInt32(at + 10, entry.lastSequence)
    view.setBigInt64(at + 14, entry.lastOffset)
    view.setInt32(at + 22, entry.offsetDelta)
    view.setBigInt64(at + 26, entry.timestamp)
    view.setInt32(at + 34, entry.coordinatorEpoch)
    view.setBigInt64(at + 38, entry.currentTxnFirstOffset)
    at += entryBytes
  }
  view.setUint32(2, crc32c(bytes, crcEnd, bytes.length))
  return bytes
}

/** `path` is for messages only. @throws CorruptSnapshotError. */
export function decodeProducerSnapshot(bytes: Uint8Array, path: string): ProducerSnapshotEntry[] {
  if (bytes.length < headerBytes)
    throw new CorruptSnapshotError(`${path}: expected at least ${headerBytes} bytes, got ${bytes.length}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = view.getInt16(0)
  if (version !== 1) throw new CorruptSnapshotError(`${path}: expected version 1, got ${version}`)
  const stored = view.getUint32(2)
  const computed = crc32c(bytes, crcEnd, bytes.length)
  if (stored !== computed)
    throw new CorruptSnapshotError(`${path}: has crc ${stored.toString(16)}, expected ${computed.toString(16)}`)
  const count = view.getInt32(crcEnd)
  if (count < 0 || headerBytes + count * entryBytes > bytes.length)
    throw new CorruptSnapshotError(`${path}: ${count} producers do not fit into ${bytes.length} bytes`)
  const entries: ProducerSnapshotEntry[] = []
  for (let at = headerBytes; entries.length < count; at += entryBytes)
    entries.push({
      producerId: view.getBigInt64(at),
      epoch: view.getInt16(at + 8),
      lastSequence: view.getInt32(at + 10),
      lastOffset: view.getBigInt64(at + 14),
      offsetDelta: view.getInt32(at + 22),
      timestamp: view.getBigInt64(at + 26),
      coordinatorEpoch: view.getInt32(at + 34),
      currentTxnFirstOffset: view.getBigInt64(at + 38),
    })
  return entries
}
