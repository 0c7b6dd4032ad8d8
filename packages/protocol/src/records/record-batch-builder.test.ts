import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ErrorCode, KafkaError } from '../errors.ts'
import * as batch from './batch.ts'
import { Compression, decompress } from './compression.ts'
import { CodecWorker } from './codec-worker.ts'
import { readRecords, recordsSection } from './read-records.ts'
import { largestRecordSize, RecordBatchBuilder, type RecordBatchOptions } from './record-batch-builder.ts'
import type { NewRecordHeader, RecordField } from './record.ts'
import { splitBatch } from './split-batch.ts'

interface Given {
  readonly timestampMs: number
  readonly key: RecordField
  readonly value: RecordField
  readonly headers: readonly NewRecordHeader[]
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ maxLength: 200 }),
  // Halves of surrogate pairs, which UTF-8 does not have: written as U+FFFD.
  fc.constantFrom('\ud800', 'a\udc00b', '\ude00'.repeat(40)),
)
const field: fc.Arbitrary<RecordField> = fc.oneof(fc.constant(null), fc.uint8Array({ maxLength: 300 }), text)
const given: fc.Arbitrary<Given> = fc.record({
  timestampMs: fc.oneof(
    fc.constant(-1),
    fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
    fc.maxSafeNat(),
  ),
  key: field,
  value: field,
  headers: fc.array(fc.record({ key: text, value: field }), { maxLength: 3 }),
})
const someRecords = fc.array(given, { minLength: 1, maxLength: 30 })
const codec = fc.constantFrom(0, 1, 2, 3, 4)

const stored = (value: RecordField) => (value === null ? null : Buffer.from(value as string))
const expected = (records: readonly Given[]) =>
  records.map(({ timestampMs, key, value, headers }, index) => ({
    offset: BigInt(index),
    timestamp: BigInt(timestampMs),
    key: stored(key),
    value: stored(value),
    headers: headers.map((header) => ({ key: Buffer.from(header.key).toString(), value: stored(header.value) })),
  }))

const own = (value: Uint8Array | null) => (value === null ? null : Buffer.from(value))
const read = (bytes: Uint8Array) =>
  [...readRecords(bytes)].map(({ offset, timestamp, key, value, headers }) => ({
    offset,
    timestamp,
    key: own(key),
    value: own(value),
    headers: headers.map((header) => ({ key: header.key, value: own(header.value) })),
  }))

function builderOf(records: readonly Given[], options: RecordBatchOptions = {}): RecordBatchBuilder {
  const builder = new RecordBatchBuilder(options)
  for (const { timestampMs, key, value, headers } of records) builder.add(timestampMs, key, value, headers)
  return builder
}

const producer = { producerId: 77n, producerEpoch: 3, baseSequence: 0x7fff_fff0, isTransactional: true }

test('records added as numbers and texts come back, whatever the buffer and the codec', () => {
  fc.assert(
    fc.property(someRecords, codec, fc.integer({ min: 61, max: 2000 }), (records, compression, capacity) => {
      const bytes = builderOf(records, { compression, buffer: Buffer.alloc(capacity, 0xee) }).build()
      assert.equal(batch.batchSizeBytes(bytes, 0), bytes.length)
      assert.equal(batch.storedCrc(bytes, 0), batch.computeCrc(bytes, 0))
      assert.deepEqual(read(bytes), expected(records))
      assert.equal(batch.maxTimestamp(bytes, 0), BigInt(Math.max(...records.map((record) => record.timestampMs))))
    }),
  )
})

test('adding gives the size of the record, which is never above the bound known before', () => {
  fc.assert(
    fc.property(someRecords, (records) => {
      const builder = new RecordBatchBuilder()
      for (const { timestampMs, key, value, headers } of records) {
        const before = builder.sizeBytes
        const size = builder.add(timestampMs, key, value, headers)
        assert.equal(builder.sizeBytes, before + size)
        assert.ok(size <= largestRecordSize(key, value, headers))
      }
      assert.equal(builder.build().length, builder.sizeBytes)
    }),
  )
})

test('a record that does not fit is left out, unless it is the first', () => {
  const builder = new RecordBatchBuilder({ buffer: Buffer.alloc(200) })
  assert.ok(builder.add(5, null, Buffer.alloc(300), undefined, 200) > 300)
  assert.equal(builder.add(9, null, 'more', undefined, 200), 0)
  assert.equal(builder.recordsCount, 1)
  assert.equal(builder.maxTimestampMs, 5)
  const size = builder.add(6, null, 'more', undefined, builder.sizeBytes + 11)
  assert.equal(size, 11)
  assert.equal(builder.add(7, null, 'more', undefined, builder.sizeBytes + 10), 0)
  assert.equal(builder.build().length, builder.sizeBytes)
})

test('a batch fits its buffer exactly, and grows into another one when it does not', () => {
  const records = [{ timestampMs: 1, key: 'ключ', value: 'a'.repeat(100), headers: [] }]
  const size = builderOf(records).sizeBytes
  const exact = Buffer.alloc(size)
  const fitting = builderOf(records, { buffer: exact })
  assert.equal(fitting.buffer, exact)
  assert.equal(fitting.build().buffer, exact.buffer)
  const growing = builderOf(records, { buffer: exact.subarray(0, size - 1) })
  assert.notEqual(growing.buffer.buffer, exact.buffer)
  assert.deepEqual(growing.build(), fitting.build())
})

test('a buffer can be used for batch after batch', () => {
  const buffer = Buffer.alloc(4096)
  fc.assert(
    fc.property(someRecords, (records) => {
      assert.deepEqual(read(builderOf(records, { buffer }).build()), expected(records))
    }),
  )
})

test('the producer may come late, and another one later: the records stay as they are', () => {
  fc.assert(
    fc.property(someRecords, codec, (records, compression) => {
      const known = builderOf(records, { compression, ...producer }).build()
      const late = builderOf(records, { compression }).build(producer)
      assert.deepEqual(late, known)
      const other = { producerId: 78n, producerEpoch: 0, baseSequence: 5, isTransactional: false }
      batch.setBatchProducer(late, 0, other)
      assert.equal(batch.storedCrc(late, 0), batch.computeCrc(late, 0))
      assert.deepEqual(late, builderOf(records, { compression, ...other }).build())
      batch.setBatchProducer(late, 0, producer)
      assert.deepEqual(late, known)
      batch.setBatchProducer(late, 0, {})
      assert.deepEqual(late, builderOf(records, { compression }).build())
    }),
  )
})

test('records can be compressed elsewhere', async () => {
  await using worker = new CodecWorker()
  const records = Array.from({ length: 2000 }, (_, index) => ({
    timestampMs: index,
    key: `key ${index}`,
    value: 'value '.repeat(index % 20),
    headers: [],
  }))
  const builder = builderOf(records, { compression: Compression.ZSTD })
  const raw = Buffer.from(builder.records)
  const bytes = builder.build(producer, await worker.compress(Compression.ZSTD, builder.records))
  assert.equal(batch.compressionOf(bytes, 0), Compression.ZSTD)
  assert.deepEqual(Buffer.from(decompress(Compression.ZSTD, bytes.subarray(batch.RECORDS_AT), raw.length)), raw)
  assert.deepEqual(Buffer.from(recordsSection(bytes, 0)), raw)
  assert.equal(batch.storedCrc(bytes, 0), batch.computeCrc(bytes, 0))
  assert.deepEqual(read(bytes), expected(records))
})

test('numbers that are no timestamps are INVALID_TIMESTAMP', () => {
  for (const timestamp of [-2, -Infinity, NaN])
    assert.throws(
      () => new RecordBatchBuilder().add(timestamp, null, null),
      (error) => error instanceof KafkaError && error.code === ErrorCode.INVALID_TIMESTAMP,
    )
})

test('the parts of a batch are within the limit, hold its records, and go on with its sequence', () => {
  fc.assert(
    fc.property(someRecords, codec, fc.integer({ min: 61, max: 4000 }), (records, compression, limit) => {
      const whole = builderOf(records, { compression }).build(producer)
      const parts = splitBatch(whole, 0, limit)
      let sequence = producer.baseSequence
      for (const part of parts) {
        assert.equal(batch.storedCrc(part, 0), batch.computeCrc(part, 0))
        assert.equal(batch.compressionOf(part, 0), compression)
        assert.equal(batch.producerId(part, 0), producer.producerId)
        assert.equal(batch.producerEpoch(part, 0), producer.producerEpoch)
        assert.equal(batch.isTransactional(part, 0), true)
        assert.equal(batch.baseSequence(part, 0), sequence)
        sequence = batch.addToSequence(sequence, batch.recordsCount(part, 0))
        const count = batch.recordsCount(part, 0)
        assert.ok(count === 1 || batch.RECORDS_AT + recordsSection(part, 0).length <= limit)
      }
      const joined = parts.flatMap(read).map((record, index) => ({ ...record, offset: BigInt(index) }))
      assert.deepEqual(joined, expected(records))
    }),
  )
})

test('a batch of one record, and one within the limit, cannot be split', () => {
  const one = builderOf([{ timestampMs: 1, key: null, value: 'x'.repeat(500), headers: [] }]).build()
  assert.deepEqual(splitBatch(one, 0, 100), [one])
  const some = builderOf(Array.from({ length: 9 }, () => ({ timestampMs: 1, key: null, value: 'x', headers: [] })))
  const bytes = some.build()
  assert.deepEqual(splitBatch(bytes, 0, 1000), [bytes])
})
