import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acquire, type AcquiredRange, type AcquireMode } from './acquire.ts'
import { beginAcknowledgement, type Change } from './acknowledge.ts'
import type { FetchedBatch } from './fetched-batches.ts'
import { InFlightWindow } from './in-flight-window.ts'
import { AcknowledgeType } from './record-state.ts'

/** Batches of the log from 0 on, of these sizes. */
function logOf(...sizes: number[]): FetchedBatch[] {
  let next = 0n
  return sizes.map((size) => {
    const baseOffset = next
    next += BigInt(size)
    return {
      baseOffset,
      lastOffset: next - 1n,
      sizeBytes: 100,
      producerId: -1n,
      isTransactional: false,
      isAbortMarker: false,
    }
  })
}

interface Asked {
  mode?: AcquireMode
  batchSize?: number
  maxRecords?: number
  maxInFlight?: number
  maxDeliveryCount?: number
}

/** As `first-last×deliveries`. */
function take(window: InFlightWindow, log: readonly FetchedBatch[], asked: Asked = {}): string {
  const fetchOffset = window.nextFetchOffset()
  const {
    mode = 'batch-optimized',
    batchSize = 500,
    maxRecords = 500,
    maxInFlight = 2000,
    maxDeliveryCount = 5,
  } = asked
  const batches = log.filter(({ lastOffset }) => lastOffset >= fetchOffset)
  const request = { memberId: 'm', mode, batchSize, maxRecords, fetchOffset, batches }
  return shown(acquire(window, request, { maxInFlight, maxDeliveryCount, lockedUntilMs: 1 }))
}

function shown(ranges: readonly AcquiredRange[]): string {
  return ranges
    .map(({ firstOffset, lastOffset, deliveryCount }) => `${firstOffset}-${lastOffset}×${deliveryCount}`)
    .join(' ')
}

function say(
  window: InFlightWindow,
  type: number,
  firstOffset: bigint,
  lastOffset: bigint,
  maxDeliveryCount = 5,
): void {
  const changes: Change[] = []
  const batch = { firstOffset, lastOffset, acknowledgeTypes: [type] }
  beginAcknowledgement(window, 'm', [batch], { maxDeliveryCount, allowsRenew: true, lockedUntilMs: 2 }, changes)
  for (const { delivery } of changes) delivery.settle({ isPersisted: true, nowMs: 0, maxDeliveryCount })
  window.noteAvailable()
  window.advance()
}

test('batch-optimized mode takes the batch whole in which the limit lies', () => {
  assert.equal(take(new InFlightWindow(0n), logOf(4, 4, 4), { maxRecords: 5 }), '0-7×1')
})

test('a batch of very many records is taken in parts', () => {
  const window = new InFlightWindow(0n)
  const log = logOf(25_000, 10)
  const asked = { maxRecords: 10, maxInFlight: 100_000 }
  assert.equal(take(window, log, asked), '0-10009×1')
  assert.equal(window.nextFetchOffset(), 10_010n)
  assert.equal(take(window, log, asked), '10010-20019×1')
  assert.equal(take(window, log, { ...asked, mode: 'record-limit' }), '20020-20029×1')
  assert.equal(take(window, log, asked), '20030-24999×1')
})

test('record-limit mode takes no record more, and the rest of the batch is next', () => {
  const window = new InFlightWindow(0n)
  assert.equal(take(window, logOf(4, 4, 4), { mode: 'record-limit', maxRecords: 5 }), '0-4×1')
  assert.equal(window.nextFetchOffset(), 5n)
  assert.equal(take(window, logOf(4, 4, 4), { mode: 'record-limit', maxRecords: 5 }), '5-7×1 8-9×1')
})

test('ranges of at least the batch size end where a batch of the log ends', () => {
  assert.equal(take(new InFlightWindow(0n), logOf(3, 3, 3, 3, 1), { batchSize: 5 }), '0-5×1 6-11×1 12-12×1')
})

test('a window that is full gives only what is in it already', () => {
  const window = new InFlightWindow(0n)
  const log = logOf(4, 4, 4, 4)
  assert.equal(take(window, log, { maxInFlight: 8 }), '0-7×1')
  assert.equal(take(window, log, { maxInFlight: 8 }), '')
  say(window, AcknowledgeType.RELEASE, 2n, 3n)
  assert.equal(take(window, log, { maxInFlight: 8 }), '2-3×2')
})

test('what begins before the start is taken from the start on', () => {
  assert.equal(take(new InFlightWindow(2n), logOf(4)), '2-3×1')
})

test('a batch is delivered in halves, quarters and then one by one the more often it was released', () => {
  const window = new InFlightWindow(0n)
  const log = logOf(16, 4)
  const seen: string[] = []
  for (let round = 0; round < 9; round++) {
    const ranges = take(window, log, { maxRecords: 16, maxDeliveryCount: 6 })
    seen.push(ranges)
    if (round === 0) assert.equal(ranges, '0-15×1')
    const [first, last] = ranges.split('×')[0]!.split('-')
    if (first === undefined || last === undefined || ranges === '') break
    for (const range of ranges.split(' ')) {
      const [from, to] = range.split('×')[0]!.split('-').map(BigInt)
      say(window, AcknowledgeType.RELEASE, from!, to!, 6)
    }
  }
  assert.deepEqual(seen, ['0-15×1', '0-15×2', '0-15×3', '0-7×4', '0-3×5', '0-0×6', '1-1×6', '2-2×6', '3-3×6'])
})

test('a suspicious batch is not delivered together with others', () => {
  const window = new InFlightWindow(0n)
  const log = logOf(2, 4)
  take(window, log)
  for (let round = 0; round < 3; round++) {
    say(window, AcknowledgeType.RELEASE, 0n, 5n)
    const ranges = take(window, log)
    if (round === 2) assert.equal(ranges, '0-2×4')
  }
})

test('what compaction took away is given up, and does not hold the start back', () => {
  const window = new InFlightWindow(0n)
  const log = logOf(2, 2, 2)
  take(window, log, { batchSize: 1 })
  say(window, AcknowledgeType.RELEASE, 0n, 3n)
  assert.equal(take(window, log.slice(1), { batchSize: 1 }), '2-3×2')
  window.advance()
  assert.equal(window.startOffset, 2n)
})

test('after a restart what was never acknowledged is read again, and what is not there is passed over', () => {
  const persisted = [{ firstOffset: 6n, lastOffset: 7n, deliveryState: 2, deliveryCount: 1 }]
  const window = new InFlightWindow(0n, persisted)
  assert.equal(window.nextFetchOffset(), 0n)
  const log = logOf(2, 2, 2, 2)
  // The second and third batch have been compacted away.
  assert.equal(take(window, [log[0]!, log[3]!]), '0-5×1')
  assert.equal(window.nextFetchOffset(), 8n)
  say(window, AcknowledgeType.ACCEPT, 0n, 5n)
  assert.equal(window.startOffset, 8n)
})

test('a gap after a restart in which nothing is left does not hold the start back', () => {
  const persisted = [{ firstOffset: 6n, lastOffset: 7n, deliveryState: 2, deliveryCount: 1 }]
  const window = new InFlightWindow(0n, persisted)
  assert.equal(take(window, [logOf(6, 2)[1]!]), '')
  window.advance()
  assert.equal(window.startOffset, 8n)
  assert.equal(window.nextFetchOffset(), 8n)
})
