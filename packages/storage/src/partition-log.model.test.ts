/** The log against a list: random operations, clean stops, killed processes and power failures. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import fc from 'fast-check'
import { defaultLogConfig, type LogConfig } from './log-config.ts'
import { LogBench, type StoredRecord } from './testing/log-bench.ts'

interface Model {
  records: StoredRecord[]
  logStart: bigint
  /** All below survives a power failure. */
  durableEnd: bigint
  /** A power failure could undo a truncation. */
  truncatedSinceFlush: boolean
  values: number
  /** Base offsets of batches: a log is truncated where a batch of its leader begins. */
  readonly batchStarts: Set<bigint>
}

type LogCommand = fc.AsyncCommand<Model, LogBench>

/** Whatever happened, the log and the list agree. */
function check(model: Model, bench: LogBench): void {
  const { log } = bench
  assert.equal(bench.failure, null)
  assert.equal(log.logStartOffset, model.logStart)
  assert.ok(log.logStartOffset <= log.highWatermark && log.highWatermark <= log.writtenEndOffset)
  assert.equal(log.writtenEndOffset, log.logEndOffset)
  assert.deepEqual(
    bench.readAll(500).map(({ offset, value }) => [offset, value]),
    model.records.filter(({ offset }) => offset >= model.logStart).map(({ offset, value }) => [offset, value]),
  )
}

class Append implements LogCommand {
  readonly #batches: readonly (readonly number[])[]
  constructor(batches: readonly (readonly number[])[]) {
    this.#batches = batches
  }
  check = () => true
  async run(model: Model, bench: LogBench): Promise<void> {
    const end = bench.log.logEndOffset
    const writes = this.#batches.map((batch) => {
      const first = bench.log.logEndOffset
      model.batchStarts.add(first)
      const records = batch.map((delay, index) => {
        const timestamp = BigInt(bench.host.clock.now() + delay)
        const value = `value ${model.values++}`
        model.records.push({ offset: first + BigInt(index), timestamp, value })
        return { timestamp, value: new TextEncoder().encode(value) }
      })
      const { appended, written } = bench.start(bench.batch(records), { leaderEpoch: Number(first % 3n === 0n) })
      assert.equal(appended.firstOffset, first)
      assert.equal(appended.lastOffset, first + BigInt(batch.length - 1))
      return written
    })
    // Not visible before it is written.
    assert.equal(bench.log.writtenEndOffset, end)
    await bench.run(Promise.all(writes))
    bench.commit()
    if (bench.config.flushMessages === 1) model.durableEnd = bench.log.logEndOffset
    check(model, bench)
  }
  toString = () => `append(${JSON.stringify(this.#batches)})`
}

class Fetch implements LogCommand {
  readonly #where: number
  readonly #maxBytes: number
  constructor(where: number, maxBytes: number) {
    this.#where = where
    this.#maxBytes = maxBytes
  }
  check = (model: Readonly<Model>) => model.records.some(({ offset }) => offset >= model.logStart)
  async run(model: Model, bench: LogBench): Promise<void> {
    const visible = model.records.filter(({ offset }) => offset >= model.logStart)
    const index = Math.floor(this.#where * visible.length)
    const fetched = bench.fetch(visible[index]!.offset, { maxBytes: this.#maxBytes })
    assert.ok(fetched.length > 0)
    assert.deepEqual(fetched, visible.slice(index, index + fetched.length))
    const position = bench.log.positionOf(visible[index]!.offset)
    assert.ok(position !== null && position.offset === visible[index]!.offset)
  }
  toString = () => `fetch(${this.#where}, ${this.#maxBytes})`
}

class ByTimestamp implements LogCommand {
  readonly #where: number
  readonly #delta: number
  constructor(where: number, delta: number) {
    this.#where = where
    this.#delta = delta
  }
  check = (model: Readonly<Model>) => model.records.length > 0
  async run(model: Model, bench: LogBench): Promise<void> {
    const { timestamp } = model.records[Math.floor(this.#where * model.records.length)]!
    const target = timestamp + BigInt(this.#delta)
    const expected = model.records.find((record) => record.offset >= model.logStart && record.timestamp >= target)
    const found = await bench.run(bench.log.offsetForTimestamp(target))
    assert.deepEqual(found && [found.offset, found.timestamp], expected ? [expected.offset, expected.timestamp] : null)
    if (model.records[0]!.offset < model.logStart) return
    let latest = model.records[0]!
    for (const record of model.records) if (record.timestamp > latest.timestamp) latest = record
    assert.equal((await bench.run(bench.log.maxTimestampOffset()))?.offset, latest.offset)
  }
  toString = () => `byTimestamp(${this.#where}, ${this.#delta})`
}

class DeleteRecords implements LogCommand {
  readonly #where: number
  constructor(where: number) {
    this.#where = where
  }
  check = () => true
  async run(model: Model, bench: LogBench): Promise<void> {
    const span = Number(bench.log.highWatermark - model.logStart)
    model.logStart += BigInt(Math.floor(this.#where * (span + 1)))
    assert.equal(bench.log.deleteRecordsBefore(model.logStart), model.logStart)
    assert.throws(() => bench.log.deleteRecordsBefore(bench.log.highWatermark + 1n), { code: 1 })
    check(model, bench)
  }
  toString = () => `deleteRecords(${this.#where})`
}

class Truncate implements LogCommand {
  readonly #where: number
  constructor(where: number) {
    this.#where = where
  }
  check = (model: Readonly<Model>) => model.records.length > 0
  async run(model: Model, bench: LogBench): Promise<void> {
    const starts = model.records.filter(({ offset }) => model.batchStarts.has(offset))
    const at = starts[Math.floor(this.#where * starts.length)]!.offset
    const hadRecords = bench.log.logEndOffset > at
    assert.equal(bench.log.truncateTo(at), hadRecords)
    assert.equal(bench.log.logEndOffset, at)
    model.records = model.records.filter(({ offset }) => offset < at)
    if (model.logStart > at) model.logStart = at
    model.truncatedSinceFlush = true
    if (model.durableEnd > at) model.durableEnd = at
    check(model, bench)
  }
  toString = () => `truncate(${this.#where})`
}

class Retention implements LogCommand {
  readonly #config: Partial<LogConfig>
  constructor(config: Partial<LogConfig>) {
    this.#config = config
  }
  check = () => true
  async run(model: Model, bench: LogBench): Promise<void> {
    bench.log.config = { ...bench.config, ...this.#config }
    const sizeBefore = bench.log.sizeBytes
    const deleted = bench.log.applyRetention(bench.host.clock.now())
    bench.log.config = bench.config
    const gone = deleted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    assert.equal(bench.log.sizeBytes, sizeBefore - gone)
    const start = bench.log.logStartOffset
    assert.ok(start >= model.logStart)
    if (deleted.length === 0) assert.equal(start, model.logStart)
    if (this.#config.retentionBytes !== undefined && deleted.length > 0)
      assert.ok(bench.log.sizeBytes >= this.#config.retentionBytes)
    model.logStart = start
    const first = bench.log.segmentStarts()[0]!
    if (start === first) model.records = model.records.filter(({ offset }) => offset >= start)
    check(model, bench)
  }
  toString = () => `retention(${JSON.stringify(this.#config)})`
}

class Flush implements LogCommand {
  check = () => true
  async run(model: Model, bench: LogBench): Promise<void> {
    await bench.run(bench.log.flush())
    assert.equal(bench.log.recoveryPoint, bench.log.logEndOffset)
    model.durableEnd = bench.log.logEndOffset
    model.truncatedSinceFlush = false
  }
  toString = () => 'flush'
}

class Reopen implements LogCommand {
  check = () => true
  async run(model: Model, bench: LogBench): Promise<void> {
    const end = bench.log.logEndOffset
    await bench.reopen()
    assert.equal(bench.log.logEndOffset, end)
    model.durableEnd = bench.log.logEndOffset
    model.truncatedSinceFlush = false
    check(model, bench)
  }
  toString = () => 'reopen'
}

class Kill implements LogCommand {
  check = () => true
  async run(model: Model, bench: LogBench): Promise<void> {
    const end = bench.log.logEndOffset
    await bench.kill()
    assert.equal(bench.log.logEndOffset, end)
    check(model, bench)
  }
  toString = () => 'kill'
}

/** Killed while an append is being written: it may be there whole, or not at all, never in part. */
class KillDuringWrite implements LogCommand {
  readonly #bytes: number
  constructor(bytes: number) {
    this.#bytes = bytes
  }
  check = () => true
  async run(model: Model, bench: LogBench): Promise<void> {
    const end = bench.log.logEndOffset
    const value = 'x'.repeat(this.#bytes)
    const { config } = bench
    bench.log.config = bench.config = { ...config, segmentBytes: 10_000_000 }
    const { written } = bench.start(bench.batch([value]))
    bench.config = config
    model.batchStarts.add(end)
    // Large enough to be written asynchronously; the turn ends, the write begins.
    await bench.settle(0)
    void written
    await bench.kill()
    const after = bench.log.logEndOffset
    assert.ok(after === end || after === end + 1n, `the log ended at ${end}, now at ${after}`)
    if (after > end) model.records.push({ offset: end, timestamp: bench.fetch(end)[0]!.timestamp, value })
    bench.commit()
    check(model, bench)
  }
  toString = () => `killDuringWrite(${this.#bytes})`
}

class PowerFailure implements LogCommand {
  readonly #keep: 'random' | 'nothing'
  constructor(keep: 'random' | 'nothing') {
    this.#keep = keep
  }
  check = (model: Readonly<Model>) => !model.truncatedSinceFlush
  async run(model: Model, bench: LogBench): Promise<void> {
    const end = bench.log.logEndOffset
    await bench.crash(this.#keep)
    const after = bench.log.logEndOffset
    assert.ok(
      after >= model.durableEnd && after <= end,
      `durable to ${model.durableEnd}, ended at ${end}, now at ${after}`,
    )
    model.records = model.records.filter(({ offset }) => offset < after)
    if (model.logStart > after) model.logStart = after
    model.durableEnd = bench.log.recoveryPoint
    bench.commit()
    check(model, bench)
  }
  toString = () => `powerFailure(${this.#keep})`
}

class WaitForRemovals implements LogCommand {
  check = () => true
  async run(model: Model, bench: LogBench): Promise<void> {
    await bench.settle(defaultLogConfig.fileDeleteDelayMs + 1)
    const left = bench.host.disk.listSync(bench.directory).filter(({ name }) => name.endsWith('.deleted'))
    assert.deepEqual(left, [])
    check(model, bench)
  }
  toString = () => 'wait'
}

const unit = fc.double({ min: 0, max: 0.999, noNaN: true })
const commands: fc.Arbitrary<LogCommand>[] = [
  fc
    .array(fc.array(fc.integer({ min: -2000, max: 2000 }), { minLength: 1, maxLength: 5 }), {
      minLength: 1,
      maxLength: 4,
    })
    .map((batches) => new Append(batches)),
  fc
    .array(fc.array(fc.constant(0), { minLength: 1, maxLength: 3 }), { minLength: 3, maxLength: 12 })
    .map((batches) => new Append(batches)),
  fc.tuple(unit, fc.integer({ min: 1, max: 2000 })).map(([where, maxBytes]) => new Fetch(where, maxBytes)),
  fc.tuple(unit, fc.integer({ min: -3, max: 3 })).map(([where, delta]) => new ByTimestamp(where, delta)),
  unit.map((where) => new DeleteRecords(where)),
  unit.map((where) => new Truncate(where)),
  fc.integer({ min: 0, max: 3000 }).map((retentionBytes) => new Retention({ retentionBytes, retentionMs: -1 })),
  fc.integer({ min: 0, max: 100_000 }).map((retentionMs) => new Retention({ retentionMs })),
  fc.constant(new Flush()),
  fc.constant(new Reopen()),
  fc.constant(new Kill()),
  fc.integer({ min: 1_100_000, max: 1_100_100 }).map((bytes) => new KillDuringWrite(bytes)),
  fc.constantFrom('random' as const, 'nothing' as const).map((keep) => new PowerFailure(keep)),
  fc.constant(new WaitForRemovals()),
]

for (const flushMessages of [Number.MAX_SAFE_INTEGER, 1])
  test(`the log does what a list would do, flush.messages=${flushMessages}`, async () => {
    const runs = Number(process.env['MODEL_RUNS'] ?? 40)
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 40 }), fc.integer(), (sequence, seed) => {
        const setup = async () => {
          const model: Model = {
            records: [],
            logStart: 0n,
            durableEnd: 0n,
            truncatedSinceFlush: false,
            values: 0,
            batchStarts: new Set(),
          }
          const config = { segmentBytes: 1000, indexIntervalBytes: 150, flushMessages, maxMessageBytes: 10_000_000 }
          return { model, real: new LogBench(config, seed) }
        }
        return fc.asyncModelRun(setup, sequence)
      }),
      { numRuns: runs, endOnFailure: process.env['MODEL_RUNS'] === undefined },
    )
  })
