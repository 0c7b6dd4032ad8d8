import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { endTransactionMarker } from '@millrace/protocol'
import fc from 'fast-check'
import { LogBench } from '../testing/log-bench.ts'

/** What readers and producers can see of the state. */
function stateOf({ log }: LogBench) {
  // Whole segments: within one the sparse index, which a restart may change, decides how many aborts too many are told.
  const aborts = log
    .segmentStarts()
    .map((start) =>
      start >= log.lastStableOffset
        ? []
        : log
            .locate(start, { maxBytes: 1 << 20, minOneBatch: true, upTo: 'last-stable-offset' })
            .abortedTransactions?.filter(({ firstOffset }) => firstOffset < log.lastStableOffset),
    )
  return {
    end: log.logEndOffset,
    lastStableOffset: log.lastStableOffset,
    producers: log.producers.describe().sort((a, b) => Number(a.producerId - b.producerId)),
    undecided: log.producers.firstUndecidedOffset,
    epochs: log.leaderEpochs.entries,
    aborts,
  }
}

const step = fc.record({
  producer: fc.integer({ min: 0, max: 3 }),
  kind: fc.constantFrom('data', 'data', 'data', 'plain', 'commit', 'abort', 'reopen', 'kill', 'crash'),
  count: fc.integer({ min: 1, max: 4 }),
  leaderEpoch: fc.integer({ min: 0, max: 1 }),
})

test('a log that is stopped, killed and crashed all the time knows the same of its producers as one that is not', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer(), async (steps, seed) => {
      const config = { segmentBytes: 1500, indexIntervalBytes: 200 }
      const steady = new LogBench(config, seed)
      const shaken = new LogBench(config, seed)
      const sequences = new Map<number, number>()
      let epoch = 0
      for (const { producer, kind, count, leaderEpoch } of steps) {
        epoch += leaderEpoch
        const producerId = BigInt(producer)
        const onBoth = async (makeBytes: (bench: LogBench) => Uint8Array, origin: 'client' | 'coordinator') => {
          for (const bench of [steady, shaken])
            await bench.run(
              bench.start(makeBytes(bench), { origin, leaderEpoch: epoch, transactionVersion: 1 }).written,
            )
          steady.commit()
          shaken.commit()
        }
        const timestamp = 1_767_225_600_000n
        if (kind === 'data' || kind === 'plain') {
          const baseSequence = sequences.get(producer) ?? 0
          const records = Array.from({ length: count }, () => ({ timestamp, value: new Uint8Array(30) }))
          const isTransactional = kind === 'data'
          await onBoth(
            (bench) =>
              bench.batch(
                records,
                isTransactional ? { producerId, producerEpoch: 0, baseSequence, isTransactional } : {},
              ),
            'client',
          )
          if (isTransactional) sequences.set(producer, baseSequence + count)
        } else if (kind === 'commit' || kind === 'abort') {
          const type = kind === 'commit' ? 'COMMIT' : 'ABORT'
          await onBoth(
            () => endTransactionMarker({ type, coordinatorEpoch: 1, producerId, producerEpoch: 0, timestamp }),
            'coordinator',
          )
        } else if (kind === 'reopen') await shaken.reopen()
        else if (kind === 'kill') await shaken.kill()
        else if (kind === 'crash') {
          await shaken.run(shaken.log.flush())
          await shaken.crash('nothing')
        }
        shaken.commit()
        assert.deepEqual(stateOf(shaken), stateOf(steady))
      }
    }),
    { numRuns: Number(process.env['MODEL_RUNS'] ?? 30) },
  )
})
