/**
 * Control records: markers among the data that applications never see. One record in a batch of its own with the control bit.
 * Key: int16 version 0, int16 type. Value of ABORT and COMMIT: int16 version 0, int32 epoch of the transaction coordinator.
 * Types from 2 on are KRaft's and stand only in `__cluster_metadata`; their values are messages, left undecoded here.
 */
import { ErrorCode, KafkaError } from '../errors.ts'
import { readInt16, readInt32, writeInt16, writeInt32 } from './big-endian.ts'
import { openRecords } from './read-records.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'

export const ControlType = {
  ABORT: 0,
  COMMIT: 1,
  LEADER_CHANGE: 2,
  SNAPSHOT_HEADER: 3,
  SNAPSHOT_FOOTER: 4,
  KRAFT_VERSION: 5,
  KRAFT_VOTERS: 6,
} as const

export interface ControlRecord {
  /** See `ControlType`; newer ones may come and are to be passed over. */
  readonly type: number
  /** Of ABORT and COMMIT; -1 for other types. */
  readonly coordinatorEpoch: number
  readonly value: Uint8Array | null
}

export interface ControlBatchOptions {
  readonly type: number
  readonly value: Uint8Array
  readonly timestamp: bigint
  readonly baseOffset?: bigint
  readonly partitionLeaderEpoch?: number
  readonly producerId?: bigint
  readonly producerEpoch?: number
  readonly isTransactional?: boolean
}

/** A batch with the one control record. */
export function controlBatch(options: ControlBatchOptions): Uint8Array {
  const { type, value, timestamp, ...batch } = options
  const key = new Uint8Array(4)
  writeInt16(key, 2, type)
  const builder = new RecordBatchBuilder({ ...batch, isControl: true })
  builder.append({ timestamp, key, value })
  return builder.build()
}

export interface EndTransactionMarker {
  readonly type: 'COMMIT' | 'ABORT'
  readonly coordinatorEpoch: number
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly timestamp: bigint
}

/** The batch that ends a transaction on a partition. */
export function endTransactionMarker({ type, coordinatorEpoch, ...rest }: EndTransactionMarker): Uint8Array {
  const value = new Uint8Array(6)
  writeInt32(value, 2, coordinatorEpoch)
  return controlBatch({ ...rest, type: ControlType[type], value, isTransactional: true })
}

/**
 * The control record of the control batch at `at`; null when compaction has emptied the batch.
 * @throws KafkaError INVALID_RECORD for a malformed key or marker.
 */
export function readControlRecord(bytes: Uint8Array, at = 0): ControlRecord | null {
  const cursor = openRecords(bytes, at)
  if (!cursor.next()) return null
  const key = cursor.key()
  if (key === null || key.length < 4 || readInt16(key, 0) < 0)
    throw new KafkaError(ErrorCode.INVALID_RECORD, `control batch at ${at}: the key is not a version and a type`)
  const type = readInt16(key, 2)
  const value = cursor.value()
  if (type !== ControlType.ABORT && type !== ControlType.COMMIT) return { type, coordinatorEpoch: -1, value }
  if (value === null || value.length < 6 || readInt16(value, 0) < 0)
    throw new KafkaError(ErrorCode.INVALID_RECORD, `control batch at ${at}: the marker is not a version and an epoch`)
  return { type, coordinatorEpoch: readInt32(value, 2), value }
}
