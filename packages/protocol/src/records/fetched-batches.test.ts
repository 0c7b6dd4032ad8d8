import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ErrorCode, KafkaError } from '../errors.ts'
import { setBaseOffset, updateCrc, LAST_OFFSET_DELTA_AT, RECORDS_AT } from './batch.ts'
import { writeInt32 } from './big-endian.ts'
import { CodecWorker } from './codec-worker.ts'
import { Compression } from './compression.ts'
import { endTransactionMarker } from './control-records.ts'
import { FetchedBatches, type AbortedTransaction, type FetchedBatchesOptions } from './fetched-batches.ts'
import type { FetchedBatch } from './fetched-batch.ts'
import { writeMessageSet } from './message-set.ts'
import { RecordBatchBuilder, type RecordBatchOptions } from './record-batch-builder.ts'
import type { RecordHeader, RecordView } from './record.ts'

const code = (expected: number) => (error: unknown) => error instanceof KafkaError && error.code === expected

interface Read {
  readonly offset: bigint
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly RecordHeader[]
}

function recordsOf(batch: FetchedBatch): Read[] {
  const read: Read[] = []
  for (let at = batch.first; at >= 0; at = batch.after(at)) {
    const key = batch.keyTextOf(at)
    const value = batch.valueTextOf(at)
    assert.equal(batch.keyOf(at)?.toString() ?? null, key)
    assert.equal(batch.valueOf(at)?.toString() ?? null, value)
    assert.equal(batch.baseOffset + BigInt(batch.offsetDeltaOf(at)), batch.offsetOf(at))
    const headers = batch.headersOf(at).map((header) => ({ ...header, value: own(header.value) }))
    read.push({ offset: batch.offsetOf(at), timestamp: batch.timestampOf(at), key, value, headers })
  }
  return read
}

const own = (value: Uint8Array | null) => (value === null ? null : Buffer.from(value))

function readAll(bytes: Uint8Array, options: Omit<FetchedBatchesOptions, 'bytes'> = {}): Read[] {
  const fetched = new FetchedBatches({ bytes, ...options })
  const read: Read[] = []
  for (let batch = fetched.next(); batch !== null; batch = fetched.next()) {
    batch.open()
    read.push(...recordsOf(batch))
  }
  return read
}

interface Given {
  /** Offsets left out before it, as compaction leaves them. */
  readonly gap: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly { readonly key: string; readonly value: string | null }[]
}

const text = fc.option(fc.string({ unit: 'grapheme', maxLength: 40 }))
const given: fc.Arbitrary<Given> = fc.record({
  gap: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(300)),
  timestamp: fc.oneof(fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }), fc.maxSafeNat(), fc.constant(-1)),
  key: text,
  value: text,
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 10 }), value: text }), { maxLength: 3 }),
})
const batchOf = fc.record({
  records: fc.array(given, { minLength: 1, maxLength: 12 }),
  magic: fc.constantFrom(2, 2, 0, 1),
  compression: fc.constantFrom(0, 1, 2, 3, 4),
})

interface Written {
  readonly bytes: Buffer
  readonly records: Read[]
  readonly end: bigint
}

const bytesOf = (value: string | null) => (value === null ? null : Buffer.from(value))

/** Batches in each format, one behind the other, and what is in them. */
function write(batches: readonly { records: readonly Given[]; magic: number; compression: number }[]): Written {
  const parts: Uint8Array[] = []
  const records: Read[] = []
  let offset = 100n
  for (const { records: own, magic, compression } of batches) {
    const views: RecordView[] = own.map(({ gap, timestamp, key, value, headers }) => {
      offset += BigInt(gap)
      return {
        offset: offset++,
        timestamp: BigInt(timestamp),
        key: bytesOf(key),
        value: bytesOf(value),
        headers: headers.map((header) => ({ key: header.key, value: bytesOf(header.value) })),
      }
    })
    if (magic === 2) {
      const builder = new RecordBatchBuilder({ baseOffset: views[0]!.offset, compression })
      for (const view of views) builder.appendWithOffset(view.offset, view)
      parts.push(builder.build())
    } else {
      const codec = compression === Compression.ZSTD ? Compression.GZIP : compression
      parts.push(writeMessageSet(views, { magic: magic as 0 | 1, compression: codec }))
    }
    for (const view of views)
      records.push({
        offset: view.offset,
        timestamp: magic === 0 ? -1 : Number(view.timestamp),
        key: view.key?.toString() ?? null,
        value: view.value?.toString() ?? null,
        headers: magic === 2 ? view.headers : [],
      })
  }
  return { bytes: Buffer.concat(parts), records, end: offset }
}

test('records of every magic and codec come back from any offset on, and the next offset is behind them', () => {
  fc.assert(
    fc.property(fc.array(batchOf, { minLength: 1, maxLength: 5 }), fc.nat(80), fc.nat(200), (batches, skip, cut) => {
      const { bytes, records, end } = write(batches)
      const fetchOffset = 95n + BigInt(skip)
      const rest = records.filter(({ offset }) => offset >= fetchOffset)
      const fetched = new FetchedBatches({ bytes, fetchOffset })
      const read: Read[] = []
      for (let batch = fetched.next(); batch !== null; batch = fetched.next()) {
        batch.open()
        read.push(...recordsOf(batch))
        assert.ok(fetched.nextOffset > batch.lastOffset)
        assert.ok(batch.lastOffset >= (read.at(-1)?.offset ?? -1n))
      }
      assert.deepEqual(read, rest)
      assert.equal(fetched.nextOffset, end > fetchOffset ? end : fetchOffset)
      assert.equal(fetched.remainingBytes, 0)

      // An answer is cut where it reaches its limit.
      const cutBytes = bytes.subarray(0, bytes.length - Math.min(cut, bytes.length))
      try {
        const whole = readAll(cutBytes, { fetchOffset })
        assert.deepEqual(whole, rest.slice(0, whole.length))
      } catch (error) {
        assert.ok(code(ErrorCode.MESSAGE_TOO_LARGE)(error), String(error))
      }
    }),
  )
})

test('whatever is done to the bytes, there are records or a KafkaError', () => {
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255) })
  fc.assert(
    fc.property(
      fc.array(batchOf, { minLength: 1, maxLength: 3 }),
      fc.array(change, { minLength: 1, maxLength: 8 }),
      (batches, changes) => {
        const { bytes } = write(batches)
        for (const { at, byte } of changes) bytes[at % bytes.length] = byte
        for (const checkCrcs of [true, false]) {
          try {
            readAll(bytes, { checkCrcs, maxDecompressedBytes: 1 << 20 })
          } catch (error) {
            assert.ok(error instanceof KafkaError, String(error))
          }
        }
      },
    ),
    { numRuns: 1000 },
  )
})

interface Step {
  readonly producer: number
  readonly what: 'write' | 'write outside' | 'commit' | 'abort' | 'empty'
}

test('read_committed leaves out what belongs to aborted transactions, and markers are never seen', () => {
  const step: fc.Arbitrary<Step> = fc.record({
    producer: fc.integer({ min: 1, max: 3 }),
    what: fc.constantFrom('write', 'write', 'write', 'write outside', 'commit', 'abort', 'empty'),
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), fc.nat(20), (steps, skip) => {
      const parts: Uint8Array[] = []
      const aborted: AbortedTransaction[] = []
      const open = new Map<number, bigint[]>()
      const lost = new Set<bigint>()
      const all: bigint[] = []
      let offset = 0n
      for (const { producer, what } of steps) {
        const producerId = BigInt(producer)
        const by = { producerId, producerEpoch: 0, baseOffset: offset }
        if (what === 'commit' || what === 'abort') {
          const offsets = open.get(producer)
          if (offsets === undefined) continue
          open.delete(producer)
          if (what === 'abort') {
            aborted.push({ producerId, firstOffset: offsets[0]! })
            for (const each of offsets) lost.add(each)
          }
          const type = what === 'commit' ? 'COMMIT' : 'ABORT'
          const marker = endTransactionMarker({ ...by, type, coordinatorEpoch: 1, timestamp: 5n })
          setBaseOffset(marker, 0, offset++)
          parts.push(marker)
          continue
        }
        const isTransactional = what !== 'write outside' || open.has(producer)
        const builder = new RecordBatchBuilder({ ...by, baseSequence: 0, isTransactional })
        if (what === 'empty') {
          // Compaction has taken the only record.
          builder.lastOffset = offset++
          parts.push(builder.build())
          continue
        }
        for (let index = 0; index < 2; index++) {
          builder.add(5, null, `${offset}`)
          all.push(offset)
          if (isTransactional) open.set(producer, [...(open.get(producer) ?? []), offset])
          offset++
        }
        parts.push(builder.build())
      }
      // The last stable offset: brokers send nothing from an open transaction on.
      const stable = [...open.values()].map((offsets) => offsets[0]!).toSorted((a, b) => Number(a - b))[0] ?? offset
      const bytes = Buffer.concat(parts)
      const fetchOffset = BigInt(skip)
      const seen = (isolationLevel: 'read_committed' | 'read_uncommitted') =>
        readAll(bytes, { fetchOffset, isolationLevel, abortedTransactions: aborted.toReversed() }).map(
          (record) => record.offset,
        )
      const from = all.filter((each) => each >= fetchOffset)
      assert.deepEqual(seen('read_uncommitted'), from)
      assert.deepEqual(
        seen('read_committed').filter((each) => each < stable),
        from.filter((each) => !lost.has(each) && each < stable),
      )
      const fetched = new FetchedBatches({
        bytes,
        fetchOffset,
        isolationLevel: 'read_committed',
        abortedTransactions: aborted,
      })
      while (fetched.next() !== null);
      assert.equal(fetched.nextOffset, offset > fetchOffset ? offset : fetchOffset)
    }),
  )
})

function batchAt(offset: bigint, values: readonly string[], options: RecordBatchOptions = {}): Uint8Array {
  const builder = new RecordBatchBuilder({ ...options, baseOffset: offset })
  for (const value of values) builder.add(7, null, value)
  return builder.build()
}

test('a wrong checksum is CORRUPT_MESSAGE, tells what is lost, and lets the next batch be read', () => {
  const bytes = Buffer.concat([batchAt(10n, ['a', 'b']), batchAt(12n, ['c'])])
  bytes[RECORDS_AT + 6]! ^= 1
  const fetched = new FetchedBatches({ bytes })
  const bad = fetched.next()!
  assert.throws(() => bad.open(), code(ErrorCode.CORRUPT_MESSAGE))
  assert.equal(bad.baseOffset, 10n)
  assert.equal(bad.lastOffset, 11n)
  assert.equal(bad.isOpen, false)
  const good = fetched.next()!
  good.open()
  assert.deepEqual(
    recordsOf(good).map(({ value }) => value),
    ['c'],
  )
  assert.equal(readAll(bytes, { checkCrcs: false }).length, 3)
})

test('a wrong checksum of an old message is CORRUPT_MESSAGE', () => {
  const view = { offset: 3n, timestamp: 5n, key: null, value: Buffer.from('old'), headers: [] }
  const bytes = writeMessageSet([view], { magic: 1 })
  bytes[bytes.length - 1]! ^= 1
  assert.throws(() => readAll(bytes), code(ErrorCode.CORRUPT_MESSAGE))
  assert.deepEqual(
    readAll(bytes, { checkCrcs: false }).map(({ value }) => value),
    ['ole'],
  )
})

test('records that are malformed under a right checksum are INVALID_RECORD', () => {
  const bytes = batchAt(0n, ['abc'])
  bytes[RECORDS_AT] = 40
  updateCrc(bytes, 0)
  assert.throws(() => readAll(bytes), code(ErrorCode.INVALID_RECORD))
})

test('a batch that ends before it begins is CORRUPT_MESSAGE', () => {
  const bytes = batchAt(0n, ['abc'])
  writeInt32(bytes, LAST_OFFSET_DELTA_AT, -1)
  updateCrc(bytes, 0)
  assert.throws(() => readAll(bytes), code(ErrorCode.CORRUPT_MESSAGE))
})

test('an answer with no whole batch is MESSAGE_TOO_LARGE, with none at all it is empty', () => {
  const bytes = batchAt(0n, ['x'.repeat(1000)])
  assert.throws(() => readAll(bytes.subarray(0, 500)), code(ErrorCode.MESSAGE_TOO_LARGE))
  assert.throws(() => readAll(bytes.subarray(0, 5)), code(ErrorCode.MESSAGE_TOO_LARGE))
  assert.deepEqual(readAll(new Uint8Array(0)), [])
})

test('what unpacks to more than it may is MESSAGE_TOO_LARGE', () => {
  const bytes = batchAt(0n, ['x'.repeat(100_000)], { compression: Compression.GZIP })
  assert.throws(() => readAll(bytes, { maxDecompressedBytes: 50_000 }), code(ErrorCode.MESSAGE_TOO_LARGE))
})

test('batches that compaction has emptied are passed over', () => {
  const empty = new RecordBatchBuilder({ baseOffset: 5n, compression: Compression.LZ4 })
  empty.lastOffset = 9n
  const fetched = new FetchedBatches({ bytes: empty.build(), fetchOffset: 7n })
  assert.equal(fetched.next(), null)
  assert.equal(fetched.nextOffset, 10n)
})

test('large packed batches are unpacked in the worker, with the same records', async () => {
  await using worker = new CodecWorker()
  const values = Array.from({ length: 3000 }, (_, index) => `value ${index} ${'-'.repeat(index % 50)}`)
  for (const compression of [0, 1, 2, 3, 4]) {
    const bytes = batchAt(50n, values, { compression })
    const batch = new FetchedBatches({ bytes, fetchOffset: 60n }).next()!
    assert.equal(batch.isLarge, compression !== 0)
    await batch.openWith(worker)
    assert.deepEqual(
      recordsOf(batch).map(({ value }) => value),
      values.slice(10),
    )
  }
  const small = new FetchedBatches({ bytes: batchAt(0n, ['a'], { compression: 1 }) }).next()!
  assert.equal(small.isLarge, false)
  const bad = batchAt(0n, values, { compression: 4 })
  bad[bad.length >> 1]! ^= 1
  await assert.rejects(
    async () => new FetchedBatches({ bytes: bad }).next()!.openWith(worker),
    code(ErrorCode.CORRUPT_MESSAGE),
  )
})

test('with LogAppendTime all records have the time of the broker', () => {
  const builder = new RecordBatchBuilder({
    timestampType: 'LogAppendTime',
    logAppendTime: 99n,
    partitionLeaderEpoch: 4,
  })
  builder.add(1, null, 'a')
  builder.add(2, null, 'b')
  const batch = new FetchedBatches({ bytes: builder.build() }).next()!
  batch.open()
  assert.equal(batch.timestampType, 'LogAppendTime')
  assert.equal(batch.leaderEpoch, 4)
  assert.deepEqual(
    recordsOf(batch).map(({ timestamp }) => timestamp),
    [99, 99],
  )
  const old = writeMessageSet([{ offset: 3n, timestamp: 5n, key: null, value: null, headers: [] }], {
    magic: 1,
    timestampType: 'LogAppendTime',
    logAppendTime: 77n,
  })
  const legacy = new FetchedBatches({ bytes: old }).next()!
  legacy.open()
  assert.equal(legacy.timestampType, 'LogAppendTime')
  assert.deepEqual(
    recordsOf(legacy).map(({ timestamp }) => timestamp),
    [77],
  )
})

test('a record that is kept is not disturbed by reading on', () => {
  const bytes = Buffer.concat([batchAt(0n, ['first', 'second']), batchAt(2n, ['third'])])
  const fetched = new FetchedBatches({ bytes })
  const batch = fetched.next()!
  batch.open()
  const kept = batch.first
  const key = batch.valueOf(kept)
  const next = fetched.next()!
  next.open()
  assert.equal(next.valueTextOf(next.first), 'third')
  assert.equal(batch.valueTextOf(batch.after(kept)), 'second')
  assert.equal(key?.toString(), 'first')
  assert.equal(batch.after(batch.after(kept)), -1)
  assert.equal(batch.sizeOf(kept) + batch.sizeOf(batch.after(kept)), batch.sizeBytes - RECORDS_AT)
})
