import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ErrorCode, KafkaError } from '../errors.ts'
import { setBaseOffset } from './batch.ts'
import { forEachBatch } from './batches.ts'
import { compress } from './compression.ts'
import { controlBatch } from './control-records.ts'
import { downConvert } from './down-conversion.ts'
import { isMessageIntact, messageTimestampType, readMessages, writeMessageSet } from './message-set.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'
import type { RecordView } from './record.ts'

const code = (expected: number) => (error: unknown) => error instanceof KafkaError && error.code === expected
const isInvalid = code(ErrorCode.INVALID_RECORD)
const most = 1024 * 1024

const record = (offset: bigint, timestamp: bigint, value: string | null, key: string | null = null): RecordView => ({
  offset,
  timestamp,
  key: key === null ? null : Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
  headers: [],
})

function readSet(set: Uint8Array): RecordView[] {
  const messages: RecordView[] = []
  const end = forEachBatch(set, (at) => {
    assert.ok(isMessageIntact(set, at))
    messages.push(...readMessages(set, at, most))
  })
  assert.equal(end, set.length)
  return messages
}

const text = (value: Uint8Array | null) => value && Buffer.from(value).toString('hex')
const essence = ({ offset, timestamp, key, value }: RecordView) => [offset, timestamp, text(key), text(value)]

/** A wrapper around bytes that no writer would put into one. */
function wrap(inner: Uint8Array, codec: number, magic: 0 | 1 = 1, offset = 0n): Uint8Array {
  const set = writeMessageSet([{ ...record(offset, 5n, ''), value: compress(codec, inner, undefined, magic) }], {
    magic,
  })
  set[17] = codec
  return set
}

test('messages come back as they were, in both formats and all their codecs', () => {
  const records = fc.array(
    fc.record({
      key: fc.option(fc.uint8Array({ maxLength: 50 })),
      value: fc.option(fc.uint8Array({ maxLength: 300 })),
      gap: fc.bigInt({ min: 1n, max: 5n }),
    }),
    { minLength: 1, maxLength: 30 },
  )
  fc.assert(
    fc.property(records, fc.constantFrom(0, 1, 2, 3), fc.constantFrom<0 | 1>(0, 1), (given, compression, magic) => {
      let offset = 1000n
      const views = given.map(({ key, value, gap }) => ({
        offset: (offset += gap),
        timestamp: magic === 0 ? -1n : offset * 3n,
        key,
        value,
        headers: [],
      }))
      const read = readSet(writeMessageSet(views, { magic, compression }))
      assert.deepEqual(read.map(essence), views.map(essence))
    }),
    { numRuns: 100 },
  )
})

test('LogAppendTime of a wrapper goes for all its messages', () => {
  const views = [record(4n, 100n, 'a'), record(5n, 200n, 'b')]
  for (const compression of [0, 1]) {
    const set = writeMessageSet(views, { magic: 1, compression, timestampType: 'LogAppendTime', logAppendTime: 777n })
    assert.equal(messageTimestampType(set, 0), 'LogAppendTime')
    assert.deepEqual(
      readSet(set).map(({ timestamp }) => timestamp),
      [777n, 777n],
    )
  }
})

test('a wrapper of magic 1 with offset 0, as old librdkafka sends it, counts from 0', () => {
  const set = writeMessageSet([record(7n, 1n, 'a'), record(8n, 1n, 'b')], { magic: 1, compression: 1 })
  assert.deepEqual(
    readSet(set).map(({ offset }) => offset),
    [7n, 8n],
  )
  setBaseOffset(set, 0, 0n)
  assert.deepEqual(
    [...readMessages(set, 0, most)].map(({ offset }) => offset),
    [0n, 1n],
  )
})

test('wrappers with nothing good inside are INVALID_RECORD', () => {
  const inner = writeMessageSet([record(0n, 1n, 'a'), record(9n, 1n, 'b')], { magic: 1 })
  const nested = writeMessageSet([record(0n, 1n, 'a')], { magic: 1, compression: 1 })
  const builder = new RecordBatchBuilder()
  builder.append({ timestamp: 1n, value: null })
  const read = (set: Uint8Array) => [...readMessages(set, 0, most)]
  assert.equal(read(wrap(inner, 1)).length, 2)
  assert.throws(() => read(wrap(new Uint8Array(0), 1)), isInvalid, 'empty')
  assert.throws(() => read(wrap(inner.subarray(0, -1), 1)), isInvalid, 'cut')
  assert.throws(() => read(wrap(nested, 1)), isInvalid, 'nested')
  assert.throws(() => read(wrap(builder.build(), 1)), isInvalid, 'magic 2 inside')
  assert.throws(() => read(wrap(inner, 4)), isInvalid, 'zstd')
  assert.throws(() => read(wrap(inner, 1, 1, 3n)), isInvalid, 'offset below that of the last message')
  const empty = writeMessageSet([record(0n, 1n, null)], { magic: 1 })
  empty[17] = 1
  assert.throws(() => read(empty), isInvalid, 'no value')
})

test('a wrong checksum inside a wrapper and bad compressed data are CORRUPT_MESSAGE, bombs MESSAGE_TOO_LARGE', () => {
  const inner = Buffer.from(writeMessageSet([record(0n, 1n, 'abc')], { magic: 1 }))
  inner[inner.length - 1]! ^= 1
  assert.throws(() => [...readMessages(wrap(inner, 1), 0, most)], code(ErrorCode.CORRUPT_MESSAGE))
  const noise = writeMessageSet([record(0n, 1n, 'no gzip at all')], { magic: 0 })
  noise[17] = 1
  assert.throws(() => [...readMessages(noise, 0, most)], code(ErrorCode.CORRUPT_MESSAGE))
  assert.throws(() => [...readMessages(wrap(new Uint8Array(most + 1), 1), 0, most)], code(ErrorCode.MESSAGE_TOO_LARGE))
})

test('lengths that do not fill a message are INVALID_RECORD, whatever they are', () => {
  const set = writeMessageSet([record(0n, 1n, 'value', 'key')], { magic: 1 })
  fc.assert(
    fc.property(fc.constantFrom(26, 33), fc.integer(), (at, value) => {
      const changed = Buffer.from(set)
      changed.writeInt32BE(value, at)
      if (Buffer.from(set).equals(changed)) return
      assert.throws(() => [...readMessages(changed, 0, most)], isInvalid, `${at} = ${value}`)
    }),
  )
})

test('down-conversion leaves out control batches, a cut batch, and records before the wanted one', () => {
  const builder = new RecordBatchBuilder({ baseOffset: 10n })
  for (const value of ['a', 'b', 'c'])
    builder.append({ timestamp: 5n, value: Buffer.from(value), headers: [{ key: 'h', value: null }] })
  const batch = builder.build()
  const marker = controlBatch({ type: 1, value: Buffer.alloc(6), timestamp: 1n, baseOffset: 13n })
  const log = Buffer.concat([batch, marker, batch.subarray(0, 70)])
  assert.deepEqual(
    readSet(downConvert(log, 1)).map(essence),
    [10n, 11n, 12n].map((offset, index) => [offset, 5n, null, text(Buffer.from('abc'[index]!))]),
  )
  assert.deepEqual(
    readSet(downConvert(log, 0, { firstOffset: 12n })).map(({ offset, timestamp }) => [offset, timestamp]),
    [[12n, -1n]],
  )
  assert.equal(downConvert(marker, 1).length, 0)
})

test('down-conversion of zstd is UNSUPPORTED_COMPRESSION_TYPE', () => {
  const builder = new RecordBatchBuilder({ compression: 4 })
  builder.append({ timestamp: 5n, value: null })
  assert.throws(() => downConvert(builder.build(), 1), code(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE))
})
