/** Coordinator records as batches for the log, and back. */
import {
  ErrorCode,
  KafkaError,
  openRecords,
  RecordBatchBuilder,
  recordTypeOf,
  type RecordBatchOptions,
  type RecordTypes,
  type RecordView,
} from '@millrace/protocol'
import type { CoordinatorRecord, ProducerIdentity } from './decision.ts'
import type { LoadedRecord } from './replayers.ts'

export interface EncodedRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

export function encodeRecord({ type, key, value, valueVersion }: CoordinatorRecord): EncodedRecord {
  const encodedKey = type.encodeKey(key as never)
  if (value === null) return { key: encodedKey, value: null }
  const version = valueVersion ?? type.writes
  if (version === null) throw new Error(`${type.name} is only read, or deleted`)
  return { key: encodedKey, value: type.encodeValue(value as never, version) }
}

/**
 * What cannot be one batch of `maxBytes` is not encoded to its end: a million records take seconds.
 * @throws KafkaError RECORD_LIST_TOO_LARGE.
 */
export function encodeRecords(records: readonly CoordinatorRecord[], maxBytes: number): EncodedRecord[] {
  const encoded: EncodedRecord[] = []
  let sizeBytes = 0
  for (const record of records) {
    const one = encodeRecord(record)
    sizeBytes += one.key.length + (one.value?.length ?? 0)
    if (sizeBytes > maxBytes)
      throw new KafkaError(
        ErrorCode.RECORD_LIST_TOO_LARGE,
        `${records.length} records for a coordinator's log take more than the ${maxBytes} bytes of a batch`,
      )
    encoded.push(one)
  }
  return encoded
}

/**
 * null for a type that is not known here: a newer broker wrote it, and this one goes on without.
 * @throws MalformedMessageError, KafkaError UNSUPPORTED_VERSION: the coordinator cannot know its state.
 */
export function decodeRecord(types: RecordTypes, key: Uint8Array, value: Uint8Array | null): LoadedRecord | null {
  const type = recordTypeOf(types, key)
  if (type === null) return null
  return { type, key: type.decodeKey(key), value: value === null ? null : type.decodeValue(value) }
}

export interface BatchOptions {
  readonly timestamp: bigint
  readonly compression: number
  readonly transaction: ProducerIdentity | undefined
}

/** What a record takes in a batch besides its key and value, at most. */
const mostOverheadBytes = 40

/**
 * One batch, or several of at most `maxBytes` before compression when the records may be parted.
 */
export function buildBatches(
  records: readonly EncodedRecord[],
  { timestamp, compression, transaction }: BatchOptions,
  maxBytes: number,
  isAtomic: boolean,
): Uint8Array[] {
  const options: RecordBatchOptions =
    transaction === undefined ? { compression } : { compression, ...transaction, isTransactional: true }
  const batches: Uint8Array[] = []
  let builder = new RecordBatchBuilder(options)
  for (const { key, value } of records) {
    const sizeBytes = key.length + (value?.length ?? 0) + mostOverheadBytes
    if (!isAtomic && builder.recordsCount > 0 && builder.sizeBytes + sizeBytes > maxBytes) {
      batches.push(builder.build())
      builder = new RecordBatchBuilder(options)
    }
    builder.append({ timestamp, key, value })
  }
  batches.push(builder.build())
  return batches
}

/** The keys and values in the uncompressed or compressed batch at `at`, with their offsets relative to its first. */
export function* recordsOf(
  bytes: Uint8Array,
  at: number,
): Generator<{ offsetDelta: number; key: RecordView['key']; value: RecordView['value'] }, void> {
  const cursor = openRecords(bytes, at)
  while (cursor.next()) yield { offsetDelta: cursor.offsetDelta, key: cursor.key(), value: cursor.value() }
}
