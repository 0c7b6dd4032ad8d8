import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  compressionOf,
  computeCrc,
  Compression,
  ErrorCode,
  KafkaError,
  readRecords,
  storedCrc,
  writeMessageSet,
  type RecordView,
} from '@millrace/protocol'
import { defaultLogConfig, type LogConfig } from '../log-config.ts'
import { RecordValidationError } from './record-validation-error.ts'
import { validateRecords } from './validate-records.ts'
import type { ValidatedBatches } from './validated-batches.ts'

const now = 1_800_000_000_000
const time = BigInt(now)

const records: RecordView[] = ['a', 'b', 'c'].map((value, index) => ({
  offset: BigInt(index),
  timestamp: time + BigInt([0, 500, 200][index]!),
  key: index === 1 ? null : Buffer.from(`key ${value}`),
  value: Buffer.from(value.repeat(50)),
  headers: [],
}))

function validate(bytes: Uint8Array, config: Partial<LogConfig> = {}): ValidatedBatches {
  const validated = validateRecords(bytes, {
    origin: 'client',
    config: { ...defaultLogConfig, ...config },
    nowMs: now,
    apiVersion: 2,
  })
  assert.ok(!(validated instanceof Promise))
  return validated
}

const code = (expected: number) => (error: unknown) => error instanceof KafkaError && error.code === expected
const essence = ({ offset, timestamp, key, value }: RecordView) => [
  offset,
  timestamp,
  key && String(Buffer.from(key)),
  value && String(Buffer.from(value)),
]

test('old messages become one batch of magic 2 with their codec, keys, values and timestamps', () => {
  for (const magic of [0, 1] as const) {
    for (const compression of [0, 1, 2, 3]) {
      const validated = validate(writeMessageSet(records, { magic, compression }))
      const { bytes } = validated
      assert.equal(computeCrc(bytes, 0), storedCrc(bytes, 0))
      assert.equal(compressionOf(bytes, 0), compression)
      assert.deepEqual(
        [...readRecords(bytes)].map(essence),
        records.map((record) => essence(magic === 0 ? { ...record, timestamp: -1n } : record)),
      )
      assert.equal(validated.offsetsCount, 3)
      assert.equal(validated.maxTimestamp, magic === 0 ? -1n : time + 500n)
      assert.deepEqual([validated.batches[0]!.producerId, validated.batches[0]!.baseSequence], [-1n, -1])
    }
  }
})

test('offsets in old messages may be anything: they are given anew', () => {
  const odd = records.map((record, index) => ({ ...record, offset: [50n, 7n, 7n][index]! }))
  const set = writeMessageSet(odd, { magic: 1 })
  assert.deepEqual(
    [...readRecords(validate(set).bytes)].map(({ offset }) => offset),
    [0n, 1n, 2n],
  )
})

test('the codec and the timestamps of the topic apply', () => {
  const set = writeMessageSet(records, { magic: 1, compression: Compression.GZIP })
  const validated = validate(set, { compressionType: 'zstd', messageTimestampType: 'LogAppendTime' })
  assert.equal(compressionOf(validated.bytes, 0), Compression.ZSTD)
  assert.equal(validated.logAppendTimeMs, time)
  assert.deepEqual(
    [...readRecords(validated.bytes)].map(({ timestamp }) => timestamp),
    [time, time, time],
  )
})

test('missing keys, timestamps out of bounds and LogAppendTime are told record by record', () => {
  for (const compression of [0, 1]) {
    const set = writeMessageSet(records, { magic: 1, compression })
    assert.throws(
      () => validate(set, { cleanupPolicies: { compact: true, delete: true } }),
      (error) =>
        error instanceof RecordValidationError &&
        error.code === ErrorCode.INVALID_RECORD &&
        error.recordErrors.length === 1,
    )
    const late = writeMessageSet(
      records.map((record) => ({ ...record, timestamp: time * 2n })),
      { magic: 1, compression },
    )
    assert.throws(() => validate(late), code(ErrorCode.INVALID_TIMESTAMP))
    const stamped = writeMessageSet(records, {
      magic: 1,
      compression,
      timestampType: 'LogAppendTime',
      logAppendTime: time,
    })
    assert.throws(() => validate(stamped), code(ErrorCode.INVALID_TIMESTAMP))
  }
})

test('checksums, mixed magics, and more than one compressed set are refused', () => {
  const set = Buffer.from(writeMessageSet(records, { magic: 1 }))
  const flipped = Buffer.from(set)
  flipped[flipped.length - 1]! ^= 1
  assert.throws(() => validate(flipped), code(ErrorCode.CORRUPT_MESSAGE))
  assert.throws(
    () => validate(Buffer.concat([set, writeMessageSet(records, { magic: 0 })])),
    code(ErrorCode.INVALID_RECORD),
  )
  const packed = writeMessageSet(records, { magic: 1, compression: 1 })
  assert.throws(() => validate(Buffer.concat([packed, packed])), code(ErrorCode.INVALID_RECORD))
  assert.throws(() => validate(Buffer.concat([set, packed])), code(ErrorCode.INVALID_RECORD))
})

test('the size limit holds for what came and for what it became', () => {
  const set = writeMessageSet(records, { magic: 1 })
  assert.throws(() => validate(set, { maxMessageBytes: 50 }), code(ErrorCode.MESSAGE_TOO_LARGE))
  const packed = writeMessageSet(
    records.map((record) => ({ ...record, value: Buffer.alloc(3000) })),
    { magic: 1, compression: 1 },
  )
  validate(packed, { maxMessageBytes: packed.length + 100 })
  assert.throws(
    () => validate(packed, { maxMessageBytes: packed.length + 100, compressionType: 'uncompressed' }),
    code(ErrorCode.MESSAGE_TOO_LARGE),
  )
})
