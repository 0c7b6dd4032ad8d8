import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endTransactionMarker, setBaseOffset } from '@millrace/protocol'
import { abortedBatches, bytesHolding, fetchedBatches, withoutRanges } from './fetched-batches.ts'

function range(firstOffset: bigint, lastOffset: bigint) {
  return { firstOffset, lastOffset, deliveryCount: 1 }
}

function batch(base: bigint, last: bigint, producerId = -1n, isAbortMarker = false) {
  return {
    baseOffset: base,
    lastOffset: last,
    sizeBytes: Number(last - base) + 1,
    producerId,
    isTransactional: producerId >= 0n,
    isAbortMarker,
  }
}

test('batches of aborted transactions are found up to the marker', () => {
  const batches = [
    batch(0n, 1n, 7n),
    batch(2n, 3n, 8n),
    batch(4n, 4n),
    batch(5n, 6n, 7n),
    batch(7n, 7n, 7n, true),
    batch(8n, 9n, 7n),
    batch(10n, 11n, 8n),
  ]
  const aborted = [
    { producerId: 8n, firstOffset: 10n },
    { producerId: 7n, firstOffset: 0n },
  ]
  assert.deepEqual(
    abortedBatches(batches, aborted).map(({ baseOffset }) => baseOffset),
    [0n, 5n, 10n],
  )
})

test('ranges lose what is removed from their beginning, middle and end', () => {
  const removed = [batch(0n, 1n), batch(4n, 5n), batch(9n, 12n), batch(20n, 20n)]
  assert.deepEqual(withoutRanges([range(0n, 7n), range(8n, 9n), range(10n, 11n), range(13n, 14n)], removed), [
    range(2n, 3n),
    range(6n, 7n),
    range(8n, 8n),
    range(13n, 14n),
  ])
})

test('only the batches that hold what was acquired are sent', () => {
  const batches = [batch(0n, 3n), batch(4n, 5n), batch(6n, 8n)]
  assert.deepEqual(bytesHolding(batches, range(4n, 4n)), { start: 4, end: 6 })
  assert.deepEqual(bytesHolding(batches, range(2n, 6n)), { start: 0, end: 9 })
  assert.deepEqual(bytesHolding(batches, range(0n, 3n)), { start: 0, end: 4 })
})

test('batches are read from the bytes of a log', () => {
  const marker = endTransactionMarker({
    type: 'ABORT',
    coordinatorEpoch: 0,
    producerId: 4n,
    producerEpoch: 0,
    timestamp: 0n,
  })
  setBaseOffset(marker, 0, 9n)
  const [found] = fetchedBatches(marker, 9n)
  assert.deepEqual(found, {
    baseOffset: 9n,
    lastOffset: 9n,
    sizeBytes: marker.length,
    producerId: 4n,
    isTransactional: true,
    isAbortMarker: true,
  })
})
