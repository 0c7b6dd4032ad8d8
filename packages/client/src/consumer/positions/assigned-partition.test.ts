import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodecWorker, RecordBatchBuilder } from '@millrace/protocol'
import fc from 'fast-check'
import { serde } from '../../serde/serdes.ts'
import { FetchedPart } from '../fetch/fetched-part.ts'
import { AssignedPartition } from './assigned-partition.ts'

const codecs = new CodecWorker()

function newPartition(): AssignedPartition<Uint8Array, string> {
  const partition = new AssignedPartition<Uint8Array, string>({
    topic: 't',
    partition: 0,
    deserializers: { key: null, value: serde.string },
  })
  partition.ledBy({ id: 1, epoch: 0 })
  return partition
}

/** Records from `from` on whose values say which log they are of; batches of `perBatch`. */
function fetched(from: bigint, count: number, { perBatch = 2, fetchOffset = from, epoch = 0 } = {}): FetchedPart {
  const batches: Uint8Array[] = []
  for (let at = 0; at < count; at += perBatch) {
    const builder = new RecordBatchBuilder({ baseOffset: from + BigInt(at), partitionLeaderEpoch: epoch })
    for (let index = at; index < Math.min(count, at + perBatch); index++)
      builder.append({ timestamp: 0n, value: Buffer.from(`log ${from + BigInt(index)}`) })
    batches.push(builder.build())
  }
  return new FetchedPart({
    bytes: Buffer.concat(batches),
    fetchOffset,
    isolationLevel: 'read_uncommitted',
    abortedTransactions: null,
    checkCrcs: true,
    codecs,
    onUnpacked: () => {},
  })
}

test('reading goes from fetch to position to handled', () => {
  const partition = newPartition()
  partition.moveTo({ offset: 10n, leaderEpoch: -1 })
  partition.received(fetched(10n, 5))
  assert.equal(partition.fetchPlace.offset, 15n)
  assert.equal(partition.position?.offset, 10n)
  const first = partition.take(3)!
  assert.deepEqual(
    first.records.map(({ value }) => value),
    ['log 10', 'log 11', 'log 12'],
  )
  assert.deepEqual(first.end, { topic: 't', partition: 0, offset: 13n, leaderEpoch: 0 })
  assert.equal(partition.position?.offset, 13n)
  assert.equal(partition.handled?.offset, 10n)
  partition.handledTo({ offset: 12n, leaderEpoch: 0 })
  assert.equal(partition.handled?.offset, 12n)
  assert.equal(partition.take(10)!.count, 2)
  assert.equal(partition.take(10), null)
  assert.ok(!partition.hasRecords)
})

test('what is put back comes again, before all else', () => {
  const partition = newPartition()
  partition.moveTo({ offset: 0n, leaderEpoch: -1 })
  partition.received(fetched(0n, 6))
  const taken = partition.take(4)!
  partition.putBack(taken, 1)
  assert.equal(partition.position?.offset, 1n)
  assert.deepEqual(
    partition.take(10)!.records.map(({ value }) => value),
    ['log 1', 'log 2', 'log 3'],
  )
  assert.deepEqual(
    partition.take(10)!.records.map(({ value }) => value),
    ['log 4', 'log 5'],
  )
})

test('a batch that begins before the position gives only what was asked for', () => {
  const partition = newPartition()
  partition.moveTo({ offset: 3n, leaderEpoch: -1 })
  partition.received(fetched(0n, 6, { perBatch: 6, fetchOffset: 3n }))
  const taken = partition.take(10)!
  assert.deepEqual(
    taken.records.map(({ value }) => value),
    ['log 3', 'log 4', 'log 5'],
  )
  assert.deepEqual(taken.start, { offset: 3n, leaderEpoch: -1 })
})

test('an offset with an epoch is validated when the leader has one, and prefetched records when it changes', () => {
  const partition = newPartition()
  partition.moveTo({ offset: 5n, leaderEpoch: 0 })
  assert.equal(partition.phase, 'validating')
  partition.validated()
  partition.received(fetched(5n, 4))
  partition.take(1)
  partition.ledBy({ id: 1, epoch: 0 })
  assert.equal(partition.phase, 'reading', 'nothing is new')
  partition.ledBy({ id: 2, epoch: 1 })
  assert.equal(partition.phase, 'validating')
  assert.deepEqual(partition.fetchPlace, { offset: 9n, leaderEpoch: 0 })
  assert.ok(!partition.isReady, 'nothing is given out meanwhile')
  partition.dropPrefetched()
  assert.deepEqual(partition.fetchPlace, { offset: 6n, leaderEpoch: 0 })
  assert.equal(partition.phase, 'validating')
  partition.validated()
  assert.equal(partition.position?.offset, 6n)
})

test('behind the last record given out, what is not for the application counts as handled with it', () => {
  const partition = newPartition()
  partition.moveTo({ offset: 0n, leaderEpoch: -1 })
  const data = new RecordBatchBuilder({ baseOffset: 0n, partitionLeaderEpoch: 0 })
  data.append({ timestamp: 0n, value: Buffer.from('a') })
  const marker = new RecordBatchBuilder({ baseOffset: 1n, partitionLeaderEpoch: 0, isControl: true })
  marker.append({ timestamp: 0n, key: Buffer.from([0, 0, 0, 1]), value: Buffer.from([0, 0, 0, 0, 0, 0]) })
  partition.received(
    new FetchedPart({
      bytes: Buffer.concat([data.build(), marker.build()]),
      fetchOffset: 0n,
      isolationLevel: 'read_committed',
      abortedTransactions: null,
      checkCrcs: true,
      codecs,
      onUnpacked: () => {},
    }),
  )
  const taken = partition.take(10)!
  assert.equal(taken.count, 1)
  assert.equal(taken.end.offset, 2n)
  partition.handledTo({ offset: 1n, leaderEpoch: 0 })
  assert.equal(partition.handled?.offset, 2n)
})

/**
 * The model: a log whose records name their offsets, an application that gets records, and fetches whose answers come whenever they come. Whatever the
 * order, the application sees consecutive offsets from wherever it moved to, and nothing that was asked for before that.
 */
test('however answers, seeks, loops and leaders interleave, records come in order from the position, once', () => {
  const step = fc.oneof(
    fc.record({ does: fc.constant('fetch' as const), count: fc.integer({ min: 0, max: 7 }) }),
    fc.record({ does: fc.constant('answer' as const), which: fc.nat(3) }),
    fc.record({ does: fc.constant('take' as const), max: fc.integer({ min: 1, max: 4 }), back: fc.nat(4) }),
    fc.record({ does: fc.constant('seek' as const), offset: fc.bigInt({ min: 0n, max: 50n }) }),
    fc.record({ does: fc.constant('leader' as const), isTruncated: fc.boolean() }),
    fc.record({ does: fc.constant('pause' as const), isPaused: fc.boolean() }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const partition = newPartition()
      partition.moveTo({ offset: 0n, leaderEpoch: -1 })
      let expected = 0n
      let epoch = 0
      const underWay: { generation: number; from: bigint; part: FetchedPart }[] = []
      for (const one of steps) {
        switch (one.does) {
          case 'fetch':
            if (partition.phase !== 'reading') break
            underWay.push({
              generation: partition.generation,
              from: partition.fetchPlace.offset,
              part: fetched(partition.fetchPlace.offset, one.count, { epoch }),
            })
            break
          case 'answer': {
            const [answer] = underWay.splice(one.which % Math.max(1, underWay.length), 1)
            if (answer === undefined || partition.phase !== 'reading') break
            // What the fetcher checks.
            if (answer.generation === partition.generation && answer.from === partition.fetchPlace.offset)
              partition.received(answer.part)
            break
          }
          case 'take': {
            if (!partition.isReady) break
            const taken = partition.take(one.max)
            if (taken === null) break
            const begun = Math.min(taken.count, one.back + 1)
            for (const record of taken.records.slice(0, begun)) {
              assert.equal(record.offset, expected)
              assert.equal(record.value, `log ${expected}`)
              expected++
            }
            partition.putBack(taken, begun)
            partition.handledTo(taken.placeBefore(begun))
            break
          }
          case 'seek':
            partition.moveTo({ offset: one.offset, leaderEpoch: -1 })
            expected = one.offset
            break
          case 'leader':
            partition.ledBy({ id: 1, epoch: ++epoch })
            if (partition.phase !== 'validating') break
            if (one.isTruncated) partition.dropPrefetched()
            partition.validated()
            break
          case 'pause':
            partition.isPaused = one.isPaused
            break
        }
        assert.equal(partition.position?.offset, expected)
        assert.ok(partition.handled!.offset <= expected)
        assert.ok(partition.fetchPlace.offset >= expected)
      }
    }),
    { numRuns: 500 },
  )
})
