/** Compaction against a list: random histories with transactions, cleanings, restarts, and crashes at any disk operation. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import fc from 'fast-check'
import { backoffMs, codecs, CompactedLog, type KeyValue, type ReadBatch } from './testing/compacted-log.ts'

const deleteRetentionMs = 20_000
const producers = [0, 1, 2]
/** The first is idempotent, the others write transactions. */
const transactional = [1, 2]

type Step = (log: CompactedLog) => Promise<void>
interface Named {
  readonly name: string
  readonly run: Step
}

const key = fc.integer({ min: 0, max: 9 }).map((number) => `key-${number}`)
const value = fc.option(
  fc
    .tuple(fc.integer({ min: 0, max: 999 }), fc.integer({ min: 0, max: 60 }))
    .map(([number, size]) => `${number}`.padEnd(size, '.')),
  { freq: 4, nil: null },
)
const records: fc.Arbitrary<readonly KeyValue[]> = fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 6 })
const codec = fc.constantFrom(...codecs)

const steps: fc.WeightedArbitrary<Named>[] = [
  {
    weight: 6,
    arbitrary: fc.tuple(records, codec).map(([list, compression]) => ({
      name: `append(${JSON.stringify(list)}, ${compression})`,
      run: async (log) => void (await log.append({ records: list, compression })),
    })),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(records, codec).map(([list, compression]) => ({
      name: `append idempotent(${JSON.stringify(list)}, ${compression})`,
      run: async (log) => void (await log.append({ records: list, compression, producer: 0 })),
    })),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(records, codec, fc.constantFrom(...transactional)).map(([list, compression, producer]) => ({
      name: `append in transaction(${producer}, ${JSON.stringify(list)}, ${compression})`,
      run: async (log) => void (await log.append({ records: list, compression, producer, isTransactional: true })),
    })),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...transactional),
        fc.constantFrom('COMMIT' as const, 'ABORT' as const),
        fc.constantFrom(0, 2),
      )
      .map(([producer, type, version]) => ({
        name: `end transaction(${producer}, ${type}, ${version})`,
        run: async (log) => {
          if (log.producer(producer).isOpen) await log.endTransaction(producer, type, version)
        },
      })),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(...producers).map((producer) => ({
      name: `repeat(${producer})`,
      run: async (log) => {
        // Another append of the producer's transaction may have come between.
        await log.repeat(producer)
      },
    })),
  },
  {
    weight: 6,
    arbitrary: fc.integer({ min: 1, max: 8 }).map((times) => ({
      name: `advance(${times} backoffs)`,
      run: (log) => log.advance(times * backoffMs + 10),
    })),
  },
  {
    weight: 2,
    arbitrary: fc.integer({ min: 1, max: 3 * deleteRetentionMs }).map((ms) => ({
      name: `advance(${ms})`,
      run: (log) => log.advance(ms),
    })),
  },
  { weight: 1, arbitrary: fc.constant({ name: 'reopen', run: (log) => log.reopen() }) },
  {
    weight: 1,
    arbitrary: fc.constant({ name: 'kill and lose snapshots', run: (log) => log.killAndLoseSnapshots() }),
  },
  { weight: 1, arbitrary: fc.constant({ name: 'kill', run: (log) => log.kill() }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('random' as const, 'nothing' as const).map((keep) => ({
      name: `power failure(${keep})`,
      run: (log) => log.powerFailure(keep),
    })),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.integer({ min: 0, max: 60 }), fc.constantFrom('kill' as const, 'random' as const, 'nothing' as const))
      .map(([operations, how]) => ({
        name: `crash within(${operations} operations, ${how})`,
        run: (log) => log.crashWithin(operations, 2 * backoffMs, how),
      })),
  },
]

/** Mostly enough; a crash may have cost a cleaning, and with it the beginning of a horizon. */
const usualRounds = 5
const mostRounds = 15

/** Fills segments with other keys until everything up to `lastOffset` has been cleaned, and every horizon has passed. */
async function settle(log: CompactedLog, lastOffset: bigint): Promise<void> {
  for (const producer of transactional)
    if (log.producer(producer).isOpen) await log.endTransaction(producer, 'ABORT', 2)
  for (let round = 1; ; round++) {
    for (let filler = 0; filler < 8; filler++) await log.append({ records: [[`filler-${filler}`, 'x'.repeat(150)]] })
    await log.advance(2 * deleteRetentionMs + 10 * backoffMs)
    if (round < usualRounds) continue
    try {
      return checkSettled(log, lastOffset)
    } catch (error) {
      if (round === mostRounds) throw error
    }
  }
}

function checkSettled(log: CompactedLog, lastOffset: bigint): void {
  const seen = new Set<string>()
  for (const { records: found } of log.read())
    for (const { key: name, value: content, offset } of found.filter((record) => record.offset <= lastOffset)) {
      assert.notEqual(content, null, `the tombstone of ${name} at ${offset} is still there`)
      assert.ok(!seen.has(name), `${name} is there twice`)
      seen.add(name)
    }
  const markers = log.read().filter(({ marker, lastOffset: at }) => marker !== null && at <= lastOffset)
  for (const { lastOffset: at } of markers) {
    const { producer, baseOffset } = log.batches.find(({ baseOffset: offset }) => offset === at)!
    const dataStays = log
      .read()
      .some((batch) => batch.marker === null && batch.lastOffset < baseOffset && producerOf(log, batch) === producer)
    assert.ok(dataStays, `the marker at ${at} has outlived its transaction`)
  }
  const aborted = log.batches.filter((batch) => batch.marker === null && log.outcomeOf(batch) === 'aborted')
  const left = new Set(log.read().flatMap(({ records: found }) => found.map(({ offset }) => offset)))
  for (const { baseOffset } of aborted)
    if (baseOffset <= lastOffset) assert.ok(!left.has(baseOffset), `aborted data at ${baseOffset} is still there`)
}

function producerOf(log: CompactedLog, { lastOffset }: ReadBatch): number | null | undefined {
  return log.batches.find((batch) => batch.lastOffset === lastOffset)?.producer
}

test('a compacted log comes to the same as everything that was appended', async () => {
  const { MODEL_RUNS: runs = 40, MODEL_SEED: seed } = process.env
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(...steps), { minLength: 5, maxLength: 60 }),
      fc.integer(),
      fc.constantFrom(20, 5, 1_000_000),
      async (sequence, worldSeed, keysInMap) => {
        const log = await new CompactedLog(
          {
            segmentBytes: 700,
            indexIntervalBytes: 100,
            deleteRetentionMs,
            minCleanableDirtyRatio: 0.01,
            fileDeleteDelayMs: 3000,
          },
          worldSeed,
        ).open()
        log.cleanerConfig = { ...log.cleanerConfig, dedupeBufferBytes: keysInMap * 24, ioBufferBytes: 400 }
        for (const { run, name } of sequence) {
          await run(log)
          try {
            log.check()
          } catch (error) {
            throw new Error(`after ${name}`, { cause: error })
          }
        }
        const end = log.log.logEndOffset
        await settle(log, end - 1n)
        log.check()
        await log.checkFollower()
        assert.deepEqual(log.names('.cleaned'), [])
        assert.deepEqual(log.names('.swap'), [])
      },
    ),
    {
      numRuns: Number(runs),
      endOnFailure: process.env['MODEL_RUNS'] === undefined,
      // As a failure prints them.
      ...(seed === undefined ? undefined : { seed: Number(seed), path: process.env['MODEL_PATH']! }),
    },
  )
})
