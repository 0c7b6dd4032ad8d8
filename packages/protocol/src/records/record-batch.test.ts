import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ErrorCode, KafkaError } from '../errors.ts'
import {
  addToSequence,
  attributes,
  baseOffset,
  baseSequence,
  baseTimestamp,
  batchSizeBytes,
  compressionOf,
  computeCrc,
  hasDeleteHorizon,
  isControl,
  isTransactional,
  lastOffset,
  lastOffsetDelta,
  lastSequence,
  magicOf,
  maxTimestamp,
  partitionLeaderEpoch,
  producerEpoch,
  producerId,
  RECORDS_AT,
  recordsCount,
  setBaseOffset,
  setMaxTimestamp,
  setPartitionLeaderEpoch,
  storedCrc,
  timestampTypeOf,
} from './batch.ts'
import { batchPositions, forEachBatch, wholeBatchSize } from './batches.ts'
import { writeInt32 } from './big-endian.ts'
import { readRecords, recordsSection } from './read-records.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'
import { RecordCursor } from './record-cursor.ts'
import { RecordScan, scanRecords } from './record-scan.ts'
import type { NewRecord } from './record.ts'

const code = (expected: number) => (error: unknown) => error instanceof KafkaError && error.code === expected

const bytes = fc.uint8Array({ maxLength: 200 })
const nullable = fc.option(bytes)
const timestamp = fc.oneof(
  fc.constant(-1n),
  fc.bigInt({ min: 1_700_000_000_000n, max: 1_700_000_100_000n }),
  fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
)
const headers = fc.array(fc.record({ key: fc.string({ unit: 'binary' }), value: nullable }), { maxLength: 4 })
const records: fc.Arbitrary<Required<NewRecord>[]> = fc.array(
  fc.record({ timestamp, key: nullable, value: nullable, headers }),
  { minLength: 1, maxLength: 20 },
)

function build(
  from: readonly NewRecord[],
  options: ConstructorParameters<typeof RecordBatchBuilder>[0] = {},
): Uint8Array {
  const builder = new RecordBatchBuilder(options)
  for (const record of from) builder.append(record)
  return builder.build()
}

const hex = (value: Uint8Array | null) => value && Buffer.from(value).toString('hex')

test('records come back as they were appended, with any codec', () => {
  fc.assert(
    fc.property(
      records,
      fc.constantFrom(0, 1, 2, 3, 4),
      fc.bigInt({ min: 0n, max: 2n ** 62n }),
      (given, compression, first) => {
        const batch = build(given, { compression, baseOffset: first })
        assert.equal(computeCrc(batch, 0), storedCrc(batch, 0))
        assert.equal(wholeBatchSize(batch, 0, batch.length), batch.length)
        const read = [...readRecords(batch)]
        const comparable = (record: NewRecord, index: number) => [
          first + BigInt(index),
          record.timestamp,
          hex(record.key ?? null),
          hex(record.value),
          record.headers?.map(({ key, value }) => [Buffer.from(key).toString(), hex(value)]),
        ]
        assert.deepEqual(
          read.map((record) => [
            record.offset,
            record.timestamp,
            hex(record.key),
            hex(record.value),
            record.headers.map(({ key, value }) => [key, hex(value)]),
          ]),
          given.map(comparable),
        )
      },
    ),
    { numRuns: 150 },
  )
})

test('the scan sees what the records say', () => {
  fc.assert(
    fc.property(records, (given) => {
      const batch = build(given)
      const section = recordsSection(batch, 0)
      const scan = new RecordScan()
      assert.ok(scanRecords(section, 0, section.length, given.length, scan), scan.problem)
      assert.equal(scan.keylessRecords, given.filter(({ key }) => key === null).length)
      assert.ok(scan.hasConsecutiveOffsets)
      if (scan.hasWideTimestamps) return
      const timestamps = given.map((record) => record.timestamp).toSorted((a, b) => (a < b ? -1 : 1))
      assert.equal(baseTimestamp(batch, 0) + BigInt(scan.maxTimestampDelta), timestamps.at(-1))
      assert.equal(baseTimestamp(batch, 0) + BigInt(scan.minTimestampDelta), timestamps[0])
    }),
    { numRuns: 150 },
  )
})

test('scan and cursor accept the same bytes, whatever is done to them', () => {
  let refused = 0
  fc.assert(
    fc.property(
      records,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }),
      fc.integer({ min: -2, max: 2 }),
      fc.integer({ min: -1, max: 1 }),
      (given, changes, moreBytes, moreRecords) => {
        const intact = recordsSection(build(given), 0)
        const section = new Uint8Array(Math.max(0, intact.length + moreBytes))
        section.set(intact.subarray(0, section.length))
        for (const [at, value] of changes) section[at % section.length] = value
        const count = given.length + moreRecords
        const scan = new RecordScan()
        const isAccepted = scanRecords(section, 0, section.length, count, scan)
        const cursor = new RecordCursor(section, 0, section.length, count)
        let isWalked = true
        try {
          while (cursor.next()) assert.ok(cursor.end <= section.length && cursor.timestampDelta() !== undefined)
        } catch (error) {
          assert.ok(code(ErrorCode.INVALID_RECORD)(error), String(error))
          isWalked = false
        }
        assert.equal(isAccepted, isWalked, scan.problem)
        if (!isAccepted) {
          refused++
          assert.notEqual(scan.problem, '')
        }
      },
    ),
    { numRuns: 2000 },
  )
  assert.ok(refused > 200)
})

test('record lengths must be filled exactly', () => {
  const section = recordsSection(build([{ timestamp: 5n, value: Buffer.from('abc') }]), 0)
  const scan = new RecordScan()
  const isFine = (given: Uint8Array, count = 1) => scanRecords(given, 0, given.length, count, scan)
  assert.ok(isFine(section))
  for (const [at, value, problem] of [
    [0, section[0]! - 2, /value|fields end/],
    [0, section[0]! + 2, /left/],
    [0, 0x81, /left/],
    [5, 2, /malformed|value|fields/],
    [section.length - 1, 2, /headers/],
    [section.length - 1, 1, /headers/],
  ] as const) {
    const changed = new Uint8Array(section)
    changed[at] = value
    assert.ok(!isFine(changed), `${at} = ${value}`)
    assert.match(scan.problem, problem)
  }
  assert.ok(!isFine(section, 2))
  assert.match(scan.problem, /2 records are announced, the bytes end after 1/)
  assert.equal(scan.problemIndex, 1)
  assert.ok(!isFine(Buffer.concat([section, section])))
  assert.match(scan.problem, /bytes follow the 1 records/)
})

test('header fields are where they belong', () => {
  const batch = build(
    [
      { timestamp: 10n, value: null },
      { timestamp: 30n, value: null },
      { timestamp: 20n, value: null },
    ],
    {
      baseOffset: 2n ** 40n + 5n,
      partitionLeaderEpoch: 77,
      producerId: 2n ** 45n + 1n,
      producerEpoch: 32_767,
      baseSequence: 2 ** 31 - 2,
      isTransactional: true,
      isControl: true,
    },
  )
  const padded = Buffer.concat([Buffer.alloc(3), batch])
  assert.equal(baseOffset(padded, 3), 2n ** 40n + 5n)
  assert.equal(lastOffset(padded, 3), 2n ** 40n + 7n)
  assert.equal(batchSizeBytes(padded, 3), batch.length)
  assert.equal(partitionLeaderEpoch(padded, 3), 77)
  assert.equal(magicOf(padded, 3), 2)
  assert.equal(attributes(padded, 3), 0x30)
  assert.equal(compressionOf(padded, 3), 0)
  assert.ok(isTransactional(padded, 3) && isControl(padded, 3) && !hasDeleteHorizon(padded, 3))
  assert.equal(lastOffsetDelta(padded, 3), 2)
  assert.equal(baseTimestamp(padded, 3), 10n)
  assert.equal(maxTimestamp(padded, 3), 30n)
  assert.equal(producerId(padded, 3), 2n ** 45n + 1n)
  assert.equal(producerEpoch(padded, 3), 32_767)
  assert.equal(baseSequence(padded, 3), 2 ** 31 - 2)
  assert.equal(lastSequence(padded, 3), 0)
  assert.equal(recordsCount(padded, 3), 3)
  assert.equal(addToSequence(2 ** 31 - 1, 1), 0)
})

test('offset and leader epoch change without touching the checksum; timestamps sum it again', () => {
  const batch = build([{ timestamp: 10n, value: Buffer.from('x') }])
  const crc = storedCrc(batch, 0)
  setBaseOffset(batch, 0, 123_456_789_012n)
  setPartitionLeaderEpoch(batch, 0, 9)
  assert.equal(computeCrc(batch, 0), crc)
  setMaxTimestamp(batch, 0, 'CreateTime', 10n)
  assert.equal(storedCrc(batch, 0), crc)
  setMaxTimestamp(batch, 0, 'LogAppendTime', 99n)
  assert.equal(timestampTypeOf(batch, 0), 'LogAppendTime')
  assert.notEqual(storedCrc(batch, 0), crc)
  assert.equal(computeCrc(batch, 0), storedCrc(batch, 0))
  assert.deepEqual(
    [...readRecords(batch)].map((record) => [record.offset, record.timestamp]),
    [[123_456_789_012n, 99n]],
  )
  setMaxTimestamp(batch, 0, 'CreateTime', 10n)
  assert.equal(timestampTypeOf(batch, 0), 'CreateTime')
})

test('a delete horizon takes the place of the base timestamp', () => {
  const batch = build([{ timestamp: 50n, value: null }], { deleteHorizonMs: 1000n })
  assert.ok(hasDeleteHorizon(batch, 0))
  assert.equal(baseTimestamp(batch, 0), 1000n)
  assert.equal([...readRecords(batch)][0]!.timestamp, 50n)
})

test('gaps between offsets are kept, steps back refused', () => {
  const builder = new RecordBatchBuilder({ baseOffset: 100n })
  builder.appendWithOffset(103n, { timestamp: 1n, value: null })
  assert.throws(() => builder.appendWithOffset(103n, { timestamp: 1n, value: null }), RangeError)
  builder.appendWithOffset(110n, { timestamp: 1n, value: null })
  builder.lastOffset = 120n
  const batch = builder.build()
  assert.deepEqual(
    [...readRecords(batch)].map(({ offset }) => offset),
    [103n, 110n],
  )
  assert.equal(lastOffset(batch, 0), 120n)
})

test('timestamps below -1 are INVALID_TIMESTAMP, transactions without a producer INVALID_RECORD', () => {
  assert.throws(() => build([{ timestamp: -2n, value: null }]), code(ErrorCode.INVALID_TIMESTAMP))
  assert.throws(
    () => build([{ timestamp: 1n, value: null }], { isTransactional: true }),
    code(ErrorCode.INVALID_RECORD),
  )
})

test('batches are visited until a cut one, and until told to stop', () => {
  const one = build([{ timestamp: 1n, value: Buffer.from('one') }])
  const two = build([{ timestamp: 1n, value: Buffer.from('second') }])
  const both = Buffer.concat([one, two, one.subarray(0, 40)])
  assert.deepEqual([...batchPositions(both)], [0, one.length])
  assert.equal(
    forEachBatch(both, () => {}),
    one.length + two.length,
  )
  assert.equal(
    forEachBatch(both, () => false),
    one.length,
  )
  for (let length = 0; length < one.length; length++) assert.equal(wholeBatchSize(one, 0, length), 0, `${length}`)
})

test('a size too small for its magic and an unknown magic are CORRUPT_MESSAGE', () => {
  const batch = build([{ timestamp: 1n, value: null }])
  for (const length of [-1, 0, 13, 48]) {
    writeInt32(batch, 8, length)
    assert.throws(() => wholeBatchSize(batch, 0, batch.length), code(ErrorCode.CORRUPT_MESSAGE), `${length}`)
  }
  writeInt32(batch, 8, batch.length - 12)
  for (const magic of [3, 127, 255]) {
    batch[16] = magic
    assert.throws(() => wholeBatchSize(batch, 0, batch.length), code(ErrorCode.CORRUPT_MESSAGE), `${magic}`)
  }
})

test('a negative count is INVALID_RECORD, an emptied batch has no records', () => {
  const batch = build([{ timestamp: 1n, value: null }], { compression: 1 })
  writeInt32(batch, 57, -1)
  assert.throws(() => [...readRecords(batch)], code(ErrorCode.INVALID_RECORD))
  const empty = batch.slice(0, RECORDS_AT)
  writeInt32(empty, 8, RECORDS_AT - 12)
  writeInt32(empty, 57, 0)
  assert.deepEqual([...readRecords(empty)], [])
})
