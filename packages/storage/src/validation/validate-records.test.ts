import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ATTRIBUTES_AT,
  BASE_SEQUENCE_AT,
  CodecWorker,
  compress,
  Compression,
  computeCrc,
  endTransactionMarker,
  ErrorCode,
  errorName,
  KafkaError,
  LAST_OFFSET_DELTA_AT,
  MAX_TIMESTAMP_AT,
  readRecords,
  RecordBatchBuilder,
  RECORDS_COUNT_AT,
  setBaseOffset,
  storedCrc,
  timestampTypeOf,
  updateCrc,
  writeMessageSet,
  type NewRecord,
  type RecordBatchOptions,
} from '@millrace/protocol'
import fc from 'fast-check'
import { defaultLogConfig, type LogConfig } from '../log-config.ts'
import { RecordValidationError } from './record-validation-error.ts'
import { validateRecords } from './validate-records.ts'
import type { ValidatedBatches, ValidationRules } from './validated-batches.ts'

const now = 1_800_000_000_000
const hour = 3_600_000
const time = BigInt(now)
const codecs = [0, 1, 2, 3, 4]

const rules = (config: Partial<LogConfig> = {}, more: Partial<ValidationRules> = {}): ValidationRules => ({
  origin: 'client',
  config: { ...defaultLogConfig, ...config },
  nowMs: now,
  apiVersion: 9,
  partition: 'topic-0',
  ...more,
})

const compacted = { cleanupPolicies: { compact: true, delete: false } }

const three: NewRecord[] = ['a', 'b', 'c'].map((value, index) => ({
  timestamp: time + BigInt([0, 500, 200][index]!),
  key: Buffer.from(`key ${value}`),
  value: Buffer.from(value.repeat(100)),
}))

function batchOf(records: readonly NewRecord[] = three, options: RecordBatchOptions = {}): Uint8Array {
  const builder = new RecordBatchBuilder(options)
  for (const record of records) builder.append(record)
  return builder.build()
}

/** A batch whose header was changed, with a right checksum. */
function changed(change: (batch: DataView) => void, options: RecordBatchOptions = {}): Uint8Array {
  const batch = new Uint8Array(batchOf(three, options))
  change(new DataView(batch.buffer))
  updateCrc(batch, 0)
  return batch
}

function validate(bytes: Uint8Array, given: ValidationRules = rules()): ValidatedBatches {
  const validated = validateRecords(bytes, given)
  assert.ok(!(validated instanceof Promise))
  return validated
}

function refused(
  bytes: Uint8Array,
  code: number,
  given: ValidationRules = rules(),
  message = /topic-0/,
): RecordValidationError {
  try {
    validate(bytes, given)
  } catch (error) {
    assert.ok(error instanceof KafkaError, String((error as Error).stack))
    assert.equal(errorName(error.code), errorName(code), error.message)
    assert.match(error.message, message)
    return error as RecordValidationError
  }
  assert.fail(`accepted, expected ${errorName(code)}`)
}

const values = (bytes: Uint8Array) => [...readRecords(bytes)].map(({ value }) => value && Buffer.from(value).toString())

test('a good batch passes as it is, and its facts are told', () => {
  for (const compression of codecs) {
    const batch = batchOf(three, {
      compression,
      producerId: 9n,
      producerEpoch: 2,
      baseSequence: 40,
      isTransactional: true,
    })
    const before = Buffer.from(batch)
    const validated = validate(batch)
    assert.equal(validated.bytes, batch)
    assert.ok(before.equals(batch))
    assert.deepEqual(validated.batches, [
      {
        position: 0,
        sizeBytes: batch.length,
        magic: 2,
        baseOffset: 0n,
        lastOffsetDelta: 2,
        recordsCount: 3,
        partitionLeaderEpoch: -1,
        maxTimestamp: time + 500n,
        offsetDeltaOfMaxTimestamp: 2,
        producerId: 9n,
        producerEpoch: 2,
        baseSequence: 40,
        isTransactional: true,
        isControl: false,
        compression,
      },
    ])
    assert.equal(validated.offsetsCount, 3)
    assert.equal(validated.maxTimestamp, time + 500n)
    assert.equal(validated.logAppendTimeMs, -1n)
    assert.ok(validated.isTransactional)
  }
})

test('a cut batch after the first is cut off', () => {
  const batch = batchOf()
  for (const more of [1, 12, 40, batch.length - 1]) {
    const validated = validate(Buffer.concat([batch, batch.subarray(0, more)]))
    assert.equal(validated.bytes.length, batch.length)
  }
})

test('no records at all, too few bytes for a batch, and garbage have a code', () => {
  refused(new Uint8Array(0), ErrorCode.INVALID_RECORD)
  for (const length of [1, 11, 12, 16, 17, 60, 61, 100])
    refused(batchOf().subarray(0, length), ErrorCode.INVALID_RECORD)
  refused(new Uint8Array(0), ErrorCode.INVALID_RECORD, rules({}, { apiVersion: 2 }))
  refused(new Uint8Array(100), ErrorCode.CORRUPT_MESSAGE, rules(), /size|bytes/)
  refused(new Uint8Array(100).fill(0xff), ErrorCode.CORRUPT_MESSAGE, rules(), /bytes/)
  const negative = changed((view) => view.setInt32(8, -5))
  refused(negative, ErrorCode.CORRUPT_MESSAGE, rules(), /-5/)
  refused(
    changed((view) => view.setInt32(8, 20)),
    ErrorCode.CORRUPT_MESSAGE,
    rules(),
    /32 bytes/,
  )
  refused(
    changed((view) => view.setInt8(16, 3)),
    ErrorCode.CORRUPT_MESSAGE,
    rules(),
    /magic 3/,
  )
})

test('the rules are applied in order of severity of the look: version, base offset, size, checksum, header, records', () => {
  const size = batchOf().length
  const bad = changed((view) => {
    view.setBigInt64(0, 5n)
    view.setInt32(RECORDS_COUNT_AT, 7)
  })
  bad[bad.length - 1]! ^= 1
  refused(bad, ErrorCode.INVALID_RECORD, rules({ maxMessageBytes: size - 1 }), /base offset/)
  setBaseOffset(bad, 0, 0n)
  refused(bad, ErrorCode.MESSAGE_TOO_LARGE, rules({ maxMessageBytes: size - 1 }), /max\.message\.bytes/)
  refused(bad, ErrorCode.CORRUPT_MESSAGE, rules(), /crc/)
  updateCrc(bad, 0)
  refused(bad, ErrorCode.INVALID_RECORD, rules(), /7 records/)
})

test('the base offset of a produced batch must be 0', () => {
  refused(batchOf(three, { baseOffset: 1n }), ErrorCode.INVALID_RECORD)
  assert.equal(validate(batchOf(three, { baseOffset: 1n }), rules({}, { origin: 'coordinator' })).offsetsCount, 3)
})

test('a batch may have exactly max.message.bytes', () => {
  const batch = batchOf()
  validate(batch, rules({ maxMessageBytes: batch.length }))
  refused(batch, ErrorCode.MESSAGE_TOO_LARGE, rules({ maxMessageBytes: batch.length - 1 }))
  refused(batch, ErrorCode.MESSAGE_TOO_LARGE, rules({ maxMessageBytes: batch.length - 1 }, { origin: 'coordinator' }))
})

test('any flipped bit under the checksum is CORRUPT_MESSAGE', () => {
  for (const compression of [0, 4]) {
    const batch = batchOf(three, { compression })
    for (let at = 17; at < batch.length; at += 3) {
      const flipped = new Uint8Array(batch)
      flipped[at]! ^= 1 << (at & 7)
      refused(flipped, ErrorCode.CORRUPT_MESSAGE)
    }
  }
})

test('batches together larger than a segment are RECORD_LIST_TOO_LARGE', () => {
  const batch = batchOf()
  validate(batch, rules({ segmentBytes: batch.length }))
  refused(batch, ErrorCode.RECORD_LIST_TOO_LARGE, rules({ segmentBytes: batch.length - 1 }))
})

test('one batch per partition and request', () => {
  const two = Buffer.concat([batchOf(), batchOf()])
  refused(two, ErrorCode.INVALID_RECORD, rules(), /exactly one/)
  refused(two, ErrorCode.INVALID_RECORD, rules({}, { origin: 'coordinator' }), /2 batches/)
})

test('zstd comes with Produce version 7, older versions of the record format go with version 2', () => {
  const zstd = batchOf(three, { compression: Compression.ZSTD })
  refused(zstd, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, rules({}, { apiVersion: 6 }))
  validate(zstd, rules({}, { apiVersion: 7 }))
  const old = writeMessageSet([{ offset: 0n, timestamp: time, key: null, value: null, headers: [] }], { magic: 1 })
  refused(old, ErrorCode.INVALID_RECORD, rules({}, { apiVersion: 3 }), /magic 2, not 1/)
  validate(old, rules({}, { apiVersion: 2 }))
})

test('codecs that do not exist are INVALID_RECORD', () => {
  for (const codec of [5, 6, 7])
    refused(
      changed((view) => view.setInt16(ATTRIBUTES_AT, codec)),
      ErrorCode.INVALID_RECORD,
    )
})

test('count and last offset delta must agree and be positive', () => {
  for (const [count, delta] of [
    [0, 2],
    [-1, 2],
    [2, 2],
    [4, 2],
    [3, 3],
    [3, 1],
    [3, -1],
    [0, -1],
    [3, 0x7fff_ffff],
    [1, -0x8000_0000],
  ] as const) {
    const batch = changed((view) => {
      view.setInt32(RECORDS_COUNT_AT, count)
      view.setInt32(LAST_OFFSET_DELTA_AT, delta)
    })
    refused(batch, ErrorCode.INVALID_RECORD)
  }
})

test('a count that agrees with the offsets but not with the records is INVALID_RECORD', () => {
  for (const compression of codecs) {
    for (const count of [1, 2, 4, 1000]) {
      const batch = changed(
        (view) => {
          view.setInt32(RECORDS_COUNT_AT, count)
          view.setInt32(LAST_OFFSET_DELTA_AT, count - 1)
        },
        { compression },
      )
      refused(batch, ErrorCode.INVALID_RECORD, rules(), /malformed/)
    }
  }
})

test('clients may not write control batches, coordinators may', () => {
  const marker = endTransactionMarker({
    type: 'COMMIT',
    coordinatorEpoch: 1,
    producerId: 5n,
    producerEpoch: 0,
    timestamp: time,
  })
  refused(marker, ErrorCode.INVALID_RECORD, rules(), /control/)
  const kept = validate(marker, rules({ compressionType: 'gzip' }, { origin: 'coordinator' }))
  assert.equal(kept.bytes, marker)
  assert.ok(kept.batches[0]!.isControl)
})

test('a producer id needs a sequence number', () => {
  refused(
    changed((view) => view.setInt32(BASE_SEQUENCE_AT, -1), { producerId: 5n, producerEpoch: 0, baseSequence: 0 }),
    ErrorCode.INVALID_RECORD,
  )
})

test('offset deltas that do not count from 0 are told record by record', () => {
  for (const compression of codecs) {
    const builder = new RecordBatchBuilder({ compression })
    for (const offset of [0n, 2n, 5n]) builder.appendWithOffset(offset, { timestamp: time, value: null })
    builder.lastOffset = 2n
    const error = refused(builder.build(), ErrorCode.INVALID_RECORD)
    assert.deepEqual(
      error.recordErrors.map(({ batchIndex }) => batchIndex),
      [1, 2],
    )
    assert.match(error.recordErrors[1]!.message, /5, expected 2/)
  }
})

test('compacted topics need keys', () => {
  const records = [three[0]!, { ...three[1]!, key: null }, three[2]!, { ...three[1]!, key: new Uint8Array(0) }]
  for (const compression of codecs) {
    const batch = batchOf(records, { compression })
    validate(batch)
    const error = refused(batch, ErrorCode.INVALID_RECORD, rules(compacted))
    assert.ok(error instanceof RecordValidationError)
    assert.deepEqual(
      error.recordErrors.map(({ batchIndex }) => batchIndex),
      [1],
    )
    assert.match(error.recordErrors[0]!.message, /key/)
  }
})

test('a thousand bad records are named, the others counted', () => {
  const builder = new RecordBatchBuilder()
  for (let index = 0; index < 5000; index++) builder.append({ timestamp: time, value: null })
  const error = refused(
    builder.build(),
    ErrorCode.INVALID_RECORD,
    rules(compacted),
    /5000 of its records.* and 4997 more/,
  )
  assert.equal(error.recordErrors.length, 1000)
})

test('timestamps must lie within the bounds of the topic, to the millisecond', () => {
  const bounds = { messageTimestampBeforeMaxMs: 2 * hour, messageTimestampAfterMaxMs: hour }
  const at = (...timestamps: number[]) =>
    batchOf(timestamps.map((timestamp) => ({ timestamp: BigInt(timestamp), value: null })))
  validate(at(now - 2 * hour, now + hour), rules(bounds))
  for (const [index, timestamp] of [
    [0, now - 2 * hour - 1],
    [1, now + hour + 1],
    [2, 0],
    [1, -1 >>> 1],
  ] as const) {
    const timestamps = [now, now, now]
    timestamps[index] = timestamp
    const error = refused(at(...timestamps), ErrorCode.INVALID_TIMESTAMP, rules(bounds))
    assert.deepEqual(
      error.recordErrors.map(({ batchIndex }) => batchIndex),
      [index],
    )
  }
})

test('by default an hour ahead is the limit, and the past has none', () => {
  validate(
    batchOf([
      { timestamp: 0n, value: null },
      { timestamp: time + BigInt(hour), value: null },
    ]),
  )
  refused(batchOf([{ timestamp: time + BigInt(hour + 1), value: null }]), ErrorCode.INVALID_TIMESTAMP)
  refused(batchOf([{ timestamp: 2n ** 63n - 1n, value: null }]), ErrorCode.INVALID_TIMESTAMP)
})

test('without a limit ahead the largest timestamp there is passes', () => {
  const records = [
    { timestamp: 5n, value: null },
    { timestamp: 2n ** 63n - 1n, value: null },
  ]
  const validated = validate(batchOf(records), rules({ messageTimestampAfterMaxMs: Number.MAX_SAFE_INTEGER }))
  assert.equal(validated.maxTimestamp, 2n ** 63n - 1n)
})

test('records without a timestamp pass any bounds, alone and among others', () => {
  const bounds = { messageTimestampBeforeMaxMs: 0, messageTimestampAfterMaxMs: 0 }
  const none = validate(batchOf([{ timestamp: -1n, value: null }]), rules(bounds))
  assert.equal(none.maxTimestamp, -1n)
  const mixed = validate(
    batchOf([
      { timestamp: time, value: null },
      { timestamp: -1n, value: null },
    ]),
    rules(bounds),
  )
  assert.equal(mixed.maxTimestamp, time)
})

test('INVALID_TIMESTAMP of one record wins over missing keys of others', () => {
  const batch = batchOf([
    { timestamp: time, value: null },
    { timestamp: time * 2n, key: Buffer.from('k'), value: null },
  ])
  const error = refused(batch, ErrorCode.INVALID_TIMESTAMP, rules(compacted))
  assert.deepEqual(
    error.recordErrors.map(({ batchIndex }) => batchIndex),
    [0, 1],
  )
})

test('a producer may not say LogAppendTime', () => {
  for (const messageTimestampType of ['CreateTime', 'LogAppendTime'] as const)
    refused(
      batchOf(three, { timestampType: 'LogAppendTime', logAppendTime: time }),
      ErrorCode.INVALID_TIMESTAMP,
      rules({ messageTimestampType }),
    )
})

test('a wrong maximum timestamp in the header is put right', () => {
  for (const compression of codecs) {
    const batch = changed((view) => view.setBigInt64(MAX_TIMESTAMP_AT, 77n), { compression })
    const validated = validate(batch)
    assert.equal(validated.maxTimestamp, time + 500n)
    assert.equal(computeCrc(validated.bytes, 0), storedCrc(validated.bytes, 0))
  }
})

test('with LogAppendTime the broker stamps its time, whatever the records say', () => {
  for (const compression of codecs) {
    for (const compressionType of ['producer', 'gzip'] as const) {
      const batch = batchOf([...three, { timestamp: 5n, value: null }, { timestamp: time * 3n, value: null }], {
        compression,
      })
      const validated = validate(batch, rules({ messageTimestampType: 'LogAppendTime', compressionType }))
      assert.equal(validated.logAppendTimeMs, time)
      assert.equal(validated.maxTimestamp, time)
      assert.equal(timestampTypeOf(validated.bytes, 0), 'LogAppendTime')
      assert.equal(computeCrc(validated.bytes, 0), storedCrc(validated.bytes, 0))
      assert.deepEqual(new Set([...readRecords(validated.bytes)].map(({ timestamp }) => timestamp)), new Set([time]))
    }
  }
})

test('the codec of the topic is applied, every other header field kept', () => {
  const types = ['uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'] as const
  for (const source of codecs) {
    for (const [target, compressionType] of types.entries()) {
      const batch = batchOf(three, { compression: source, producerId: 9n, producerEpoch: 2, baseSequence: 40 })
      const validated = validate(batch, rules({ compressionType }))
      assert.equal(validated.bytes === batch, source === target)
      assert.deepEqual(
        { ...validated.batches[0], sizeBytes: 0 },
        { ...validate(batch).batches[0], sizeBytes: 0, compression: target },
      )
      assert.equal(computeCrc(validated.bytes, 0), storedCrc(validated.bytes, 0))
      assert.deepEqual(values(validated.bytes), values(batch))
    }
  }
})

test('compression levels of the topic are used', () => {
  const records = Array.from({ length: 300 }, (_, index) => ({
    timestamp: time,
    value: Buffer.from(`value ${(index * 7919) % 1000} of ${index}`),
  }))
  const size = (gzip: number) =>
    validate(batchOf(records), rules({ compressionType: 'gzip', compressionLevels: { gzip, lz4: 9, zstd: 3 } })).bytes
      .length
  assert.ok(size(9) < size(1))
})

test('the size limit holds again after unpacking', () => {
  const batch = batchOf(three, { compression: Compression.GZIP })
  const config = { maxMessageBytes: batch.length + 10 }
  validate(batch, rules(config))
  refused(batch, ErrorCode.MESSAGE_TOO_LARGE, rules({ ...config, compressionType: 'uncompressed' }))
})

test('a batch that unpacks to more than allowed is MESSAGE_TOO_LARGE; bad compressed data is CORRUPT_MESSAGE', () => {
  for (const compression of [1, 2, 3, 4]) {
    const bomb = batchOf([{ timestamp: time, value: new Uint8Array(5_000_000) }], { compression })
    refused(bomb, ErrorCode.MESSAGE_TOO_LARGE, rules({}, { maxDecompressedBytes: 4_000_000 }), /4000000/)
    validate(bomb)
    const damaged = changed((view) => view.setInt32(61, 0x1234_5678), { compression })
    refused(damaged, ErrorCode.CORRUPT_MESSAGE, rules(), /unpacked/)
  }
})

test('large compressed work goes to the worker, with the same outcome', async () => {
  await using codecWorker = new CodecWorker()
  const noise = Buffer.from(
    compress(
      Compression.ZSTD,
      Buffer.from(Array.from({ length: 150_000 }, (_, index) => (index * index) >> (index % 7))),
    ),
  )
  const records = [{ timestamp: time, value: Buffer.concat([noise, Buffer.alloc(200_000)]) }]
  for (const compression of [1, 2, 3, 4]) {
    const inThread = validateRecords(batchOf(records, { compression }), rules({}, { codecWorker }))
    assert.ok(inThread instanceof Promise)
    assert.deepEqual((await inThread).batches, validate(batchOf(records, { compression })).batches)
  }
  for (const [compression, compressionType] of [
    [0, 'zstd'],
    [1, 'lz4'],
    [4, 'uncompressed'],
  ] as const) {
    const given = rules({ compressionType })
    const inThread = await validateRecords(batchOf(records, { compression }), { ...given, codecWorker })
    assert.ok(Buffer.from(inThread.bytes).equals(validate(batchOf(records, { compression }), given).bytes))
  }
  const small = validateRecords(batchOf(three, { compression: 1 }), rules({}, { codecWorker }))
  assert.ok(!(small instanceof Promise))
  const large = batchOf(records, { compression: 1 })
  await assert.rejects(async () => validateRecords(large, rules({}, { codecWorker, maxDecompressedBytes: 1000 })), {
    code: ErrorCode.MESSAGE_TOO_LARGE,
  })
  await assert.rejects(async () => validateRecords(large, rules(compacted, { codecWorker })), {
    code: ErrorCode.INVALID_RECORD,
  })
})

test('data that hides how much it unpacks to goes to the worker when it turns out to be much', async () => {
  await using codecWorker = new CodecWorker()
  const batch = Buffer.from(
    batchOf([{ timestamp: time, value: new Uint8Array(3_000_000) }], { compression: Compression.GZIP }),
  )
  assert.ok(batch.length < 10_000)
  // Two gzip members: the trailer speaks of the second, empty one only.
  const hiding = Buffer.concat([batch, compress(Compression.GZIP, new Uint8Array(0))])
  hiding.writeInt32BE(hiding.length - 12, 8)
  updateCrc(hiding, 0)
  const validated = validateRecords(hiding, rules({}, { codecWorker }))
  assert.ok(validated instanceof Promise)
  assert.equal((await validated).offsetsCount, 1)
})

test('whatever is done to a batch, it passes or has a code, and what passes is whole', () => {
  const outcomes = new Map<number, number>()
  fc.assert(
    fc.property(
      fc.constantFrom(...codecs),
      fc.array(fc.tuple(fc.nat({ max: 500 }), fc.nat({ max: 255 })), { maxLength: 4 }),
      fc.integer({ min: -30, max: 3 }),
      fc.boolean(),
      (compression, changes, cut, isSummed) => {
        const batch = batchOf(three, { compression })
        const bytes = new Uint8Array(batch.length + cut)
        bytes.set(batch.subarray(0, bytes.length))
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        if (isSummed && bytes.length > 61) {
          try {
            updateCrc(bytes, 0)
          } catch {
            // A size beyond the end.
          }
        }
        let code = 0
        try {
          const { bytes: valid } = validate(bytes, rules(compacted))
          assert.equal(computeCrc(valid, 0), storedCrc(valid, 0))
          assert.equal(
            [...readRecords(valid)].length,
            new DataView(valid.buffer, valid.byteOffset).getInt32(RECORDS_COUNT_AT),
          )
        } catch (error) {
          assert.ok(error instanceof KafkaError, String((error as Error).stack))
          code = error.code
        }
        outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
      },
    ),
    { numRuns: 1500 },
  )
  for (const code of [0, ErrorCode.CORRUPT_MESSAGE, ErrorCode.INVALID_RECORD])
    assert.ok(outcomes.get(code), errorName(code))
})
