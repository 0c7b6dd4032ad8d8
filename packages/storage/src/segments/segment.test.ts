import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { ErrorCode } from '@millrace/protocol'
import { LogBench } from '../testing/log-bench.ts'

const names = (bench: LogBench) =>
  bench.host.disk
    .listSync(bench.directory)
    .map(({ name }) => name)
    .filter((name) => name !== 'leader-epoch-checkpoint')
    .sort()
const starts = (bench: LogBench) => bench.log.segmentStarts().map(Number)
const at = (bench: LogBench, delayMs: number, value = 'v') => [
  { timestamp: BigInt(bench.host.clock.now() + delayMs), value: new TextEncoder().encode(value) },
]

test('a segment is rolled when a record is segment.ms later than its first one', async () => {
  const bench = new LogBench({ segmentMs: 1000 })
  await bench.append(at(bench, 0))
  await bench.append(at(bench, 1000))
  assert.deepEqual(starts(bench), [0])
  await bench.append(at(bench, 1001))
  assert.deepEqual(starts(bench), [0, 2])
  await bench.append(at(bench, -5000))
  assert.deepEqual(starts(bench), [0, 2])
  await bench.reopen()
  await bench.append(at(bench, 2002))
  assert.deepEqual(starts(bench), [0, 2, 4])
})

test('records without a timestamp roll by the age of the segment', async () => {
  const bench = new LogBench({ segmentMs: 10_000 })
  const none = [{ timestamp: -1n, value: null }]
  await bench.append(none)
  await bench.settle(9000)
  await bench.append(none)
  assert.deepEqual(starts(bench), [0])
  await bench.settle(2000)
  await bench.append(none)
  assert.deepEqual(starts(bench), [0, 2])
})

test('jitter rolls earlier, never later, and differs from segment to segment', async () => {
  const bench = new LogBench({ segmentMs: 1000, segmentJitterMs: 500 })
  const startMs = bench.host.clock.now()
  for (let ms = 0; ms < 6000; ms += 10) await bench.append([{ timestamp: BigInt(startMs + ms), value: null }])
  const firsts = bench.log.segmentStarts().map((offset) => Number(bench.fetch(offset)[0]!.timestamp))
  const waits = firsts.slice(1).map((first, index) => first - firsts[index]!)
  for (const waited of waits) assert.ok(waited > 500 && waited <= 1010, `${waited}`)
  assert.ok(waits.length >= 5 && new Set(waits).size > 1, waits.join())
})

test('a full index rolls the segment', async () => {
  const bench = new LogBench({ segmentIndexBytes: 40, indexIntervalBytes: 1 })
  for (let index = 0; index < 10; index++) await bench.append(at(bench, index))
  // 40 bytes are 5 offset entries, but only 3 time entries, one of which is kept for the roll.
  assert.deepEqual(starts(bench), [0, 3, 6, 9])
})

test('records that do not fit into a segment at all are refused', async () => {
  const bench = new LogBench({ segmentBytes: 1000 })
  bench.config = { ...bench.config, segmentBytes: 2000 }
  assert.throws(() => bench.start(bench.batch(['x'.repeat(1500)])), { code: ErrorCode.RECORD_LIST_TOO_LARGE })
})

test('indexes of old segments are evicted under a budget and read again', async () => {
  const bench = new LogBench({ segmentBytes: 20_000, indexIntervalBytes: 100 })
  for (let index = 0; index < 2000; index++) await bench.append([`${index}`])
  assert.ok(bench.services.indexes.residentBytes <= 4096 + 4096)
  for (let offset = 0n; offset < 2000n; offset += 37n)
    assert.equal(bench.fetch(offset, { maxBytes: 1 })[0]?.offset, offset)
  assert.ok(bench.services.indexes.residentBytes <= 4096)
})

test('missing and corrupt indexes are rebuilt to what they were', async () => {
  const bench = new LogBench({ segmentBytes: 3000, indexIntervalBytes: 100 })
  for (let index = 0; index < 100; index++) await bench.append(at(bench, index * 3, `${index}`))
  await bench.run(bench.log.close())
  const { disk } = bench.host
  const indexes = names(bench).filter((name) => name.endsWith('index'))
  const before = new Map(indexes.map((name) => [name, disk.readFileSync(`${bench.directory}/${name}`)]))
  const all = bench.log.logEndOffset
  for (const damage of [
    () => null,
    (bytes: Uint8Array) => bytes.fill(255),
    (bytes: Uint8Array) => bytes.fill(0),
    (bytes: Uint8Array) => bytes.reverse(),
  ]) {
    for (const [name, content] of before) {
      const path = `${bench.directory}/${name}`
      const bytes = damage(content.slice())
      if (bytes === null) disk.removeSync(path)
      else disk.replaceFileSync(path, bytes)
    }
    await bench.open({ wasCleanShutdown: true, recoveryPoint: all })
    for (let offset = 0n; offset < all; offset += 7n)
      assert.equal(bench.fetch(offset, { maxBytes: 1 })[0]?.offset, offset)
    for (const start of bench.log.segmentStarts())
      assert.ok((await bench.run(bench.log.offsetForTimestamp(bench.fetch(start)[0]!.timestamp))) !== null)
    await bench.run(bench.log.close())
    for (const [name, content] of before)
      assert.deepEqual(disk.readFileSync(`${bench.directory}/${name}`), content, name)
  }
})

test('a damaged batch cuts the log there, after a power failure; segments behind it go', async () => {
  for (const damaged of [0, 1, 30, 99]) {
    const bench = new LogBench({ segmentBytes: 1000, indexIntervalBytes: 100 })
    for (let index = 0; index < 100; index++) await bench.append([`value ${index}`])
    const position = bench.log.positionOf(BigInt(damaged))!
    await bench.run(bench.log.close())
    const path = `${bench.directory}/${String(position.segmentBaseOffset).padStart(20, '0')}.log`
    const bytes = bench.host.disk.readFileSync(path)
    bytes[position.position + 66] = bytes[position.position + 66]! ^ 0x40
    bench.host.disk.replaceFileSync(path, bytes)
    await bench.open({})
    assert.equal(bench.log.logEndOffset, BigInt(damaged))
    assert.equal(bench.readAll().length, damaged)
    assert.equal((await bench.append(['next'])).firstOffset, BigInt(damaged))
  }
})

test('damage in a log that was stopped cleanly is noticed when it stands in the way', async () => {
  const bench = new LogBench({ segmentBytes: 1000, indexIntervalBytes: 100 })
  for (let index = 0; index < 30; index++) await bench.append([`value ${index}`])
  await bench.run(bench.log.close())
  const last = names(bench)
    .filter((name) => name.endsWith('.log'))
    .at(-1)!
  const path = `${bench.directory}/${last}`
  bench.host.disk.replaceFileSync(path, bench.host.disk.readFileSync(path).subarray(0, -5))
  for (const name of names(bench).filter((other) => other.endsWith('.snapshot')))
    bench.host.disk.removeSync(`${bench.directory}/${name}`)
  await bench.open({ wasCleanShutdown: true, recoveryPoint: 30n })
  assert.equal(bench.log.logEndOffset, 29n)
  assert.equal(bench.readAll().length, 29)
})

test('retention by size keeps at least retention.bytes; by time it rolls when everything is too old', async () => {
  const bench = new LogBench({ segmentBytes: 1000 })
  for (let index = 0; index < 50; index++) await bench.append([`value ${index}`])
  const rules = (config: Partial<typeof bench.config>, nowMs = bench.host.clock.now()) => {
    bench.log.config = { ...bench.config, ...config }
    return bench.log.applyRetention(nowMs).length
  }
  assert.equal(rules({ retentionBytes: 0 }), 0, 'nothing at or above the high watermark')
  bench.commit()
  const size = bench.log.sizeBytes
  assert.equal(rules({ retentionBytes: size - 500, retentionMs: -1 }), 0)
  assert.equal(rules({ retentionBytes: size - 1000, retentionMs: -1 }), 1)
  assert.equal(rules({ retentionBytes: 0, cleanupPolicies: { compact: true, delete: false } }), 0)
  assert.equal(rules({ retentionBytes: 0, cleanupPolicies: { compact: false, delete: false } }), 0)
  const slice = bench.log.locate(bench.log.logStartOffset, { maxBytes: 500, minOneBatch: true, upTo: 'high-watermark' })
  const before = new Uint8Array(slice.length)
  slice.readSync(before)
  const segments = bench.log.segmentCount
  assert.equal(rules({ retentionMs: 10_000 }), 0)
  await bench.settle(20_000)
  assert.equal(rules({ retentionMs: 10_000 }), segments)
  assert.deepEqual([bench.log.logStartOffset, bench.log.logEndOffset, bench.log.segmentCount], [50n, 50n, 1])
  const during = new Uint8Array(slice.length)
  slice.readSync(during)
  assert.deepEqual(during, before, 'a reader under way is not disturbed')
  assert.throws(() => bench.fetch(0n), { code: ErrorCode.OFFSET_OUT_OF_RANGE })
  await bench.settle(60_001)
  assert.throws(() => slice.readSync(during), { code: ErrorCode.OFFSET_OUT_OF_RANGE })
  assert.deepEqual(names(bench), ['00000000000000000050.log', '00000000000000000050.snapshot'])
  await bench.reopen()
  assert.deepEqual([bench.log.logStartOffset, bench.log.logEndOffset], [50n, 50n])
  await bench.kill()
  assert.deepEqual([bench.log.logStartOffset, bench.log.logEndOffset], [50n, 50n])
})

test('a slice located before a truncation is not read after it', async () => {
  const bench = new LogBench()
  await bench.append(['a'])
  await bench.append(['b'])
  const slice = bench.log.locate(0n, { maxBytes: 1000, minOneBatch: true, upTo: 'log-end' })
  const into = new Uint8Array(slice.length)
  const reading = slice.read(into)
  reading.catch(() => {})
  bench.log.truncateTo(1n)
  await assert.rejects(bench.run(reading), { code: ErrorCode.NOT_LEADER_OR_FOLLOWER })
  assert.throws(() => slice.readSync(into), { code: ErrorCode.NOT_LEADER_OR_FOLLOWER })
})

test('a fetch gets at most maxBytes, but one whole batch when asked to', async () => {
  const bench = new LogBench()
  for (let index = 0; index < 5; index++) await bench.append(['x'.repeat(1000)])
  const locate = (maxBytes: number, minOneBatch: boolean) =>
    bench.log.locate(1n, { maxBytes, minOneBatch, upTo: 'log-end' })
  assert.equal(locate(2000, true).length, 2000)
  assert.ok(locate(10, true).length > 1000)
  assert.equal(locate(10, false).length, 10)
  assert.ok(locate(10, false).firstBatchIncomplete)
  assert.equal(bench.log.locate(5n, { maxBytes: 10, minOneBatch: true, upTo: 'log-end' }).length, 0)
  assert.equal(bench.log.locate(3n, { maxBytes: 10, minOneBatch: true, upTo: 'high-watermark' }).length, 0)
  assert.throws(() => bench.fetch(6n), { code: ErrorCode.OFFSET_OUT_OF_RANGE })
  bench.log.setHighWatermark(2n)
  assert.deepEqual(
    bench.fetch(0n, { upTo: 'high-watermark' }).map(({ offset }) => offset),
    [0n, 1n],
  )
})

test("the cleaner's files are finished or thrown away as far as it had come", async () => {
  const bench = new LogBench({ segmentBytes: 1000, indexIntervalBytes: 100 })
  for (let index = 0; index < 30; index++) await bench.append([`value ${index}`])
  await bench.run(bench.log.close())
  const { disk } = bench.host
  const put = (from: string, to: string) =>
    disk.replaceFileSync(`${bench.directory}/${to}`, disk.readFileSync(`${bench.directory}/${from}`))
  const first = names(bench).filter((name) => name.endsWith('.log'))[0]!
  const second = names(bench).filter((name) => name.endsWith('.log'))[1]!
  put(first, `${first}.swap`)
  put(second, `${second}.deleted`)
  await bench.open({ wasCleanShutdown: true, recoveryPoint: 30n })
  assert.equal(bench.readAll().length, 30)
  await bench.run(bench.log.close())
  put(first, `${first}.cleaned`)
  put(second, `${second}.swap`)
  await bench.open({ wasCleanShutdown: true, recoveryPoint: 30n })
  assert.equal(bench.readAll().length, 30)
  assert.deepEqual(
    names(bench).filter((name) => /(swap|cleaned|deleted)$/.test(name)),
    [],
  )
})
