/**
 * Acquiring: of what was read from the log, records go to a member that nobody has and nobody is done with.
 *
 * The unit is the batch of the log. In batch-optimized mode a new batch is taken whole even when that is more than was asked for, so that state
 * is kept for batches and members acknowledge batches; in record-limit mode (KIP-1206) not one record more than asked for is taken.
 *
 * Records that were delivered often are suspected of being what their consumers die of. From half of the delivery limit on, such a batch is
 * delivered alone and in ever smaller pieces, and a record on its last delivery quite alone, so that the others are not given up with it.
 */
import type { Delivery } from './delivery.ts'
import type { FetchedBatch } from './fetched-batches.ts'
import { InFlightBatch } from './in-flight-batch.ts'
import type { InFlightWindow } from './in-flight-window.ts'
import { RecordState } from './record-state.ts'

export type AcquireMode = 'batch-optimized' | 'record-limit'

export interface AcquireRequest {
  readonly memberId: string
  readonly mode: AcquireMode
  /** Most offsets in one of the ranges returned; a range still ends with a batch of the log. */
  readonly batchSize: number
  readonly maxRecords: number
  /** What the log was asked for. */
  readonly fetchOffset: bigint
  /** What the log gave, from the batch that holds `fetchOffset` on. */
  readonly batches: readonly FetchedBatch[]
}

export interface AcquireLimits {
  /** `share.partition.max.record.locks` */
  readonly maxInFlight: number
  /** `share.delivery.count.limit` */
  readonly maxDeliveryCount: number
  /** On the monotonic clock. */
  readonly lockedUntilMs: number
}

export interface AcquiredRange {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  readonly deliveryCount: number
}

/** Never fewer deliveries than this before a batch is cut up. */
const leastDeliveriesBeforeThrottling = 2

/** A batch of more offsets than this beyond what was asked for is taken in parts: a small compressed batch may hold millions of records. */
const mostBeyond = 10_000n

function throttleFrom(maxDeliveryCount: number): number {
  return Math.max(leastDeliveriesBeforeThrottling, Math.ceil(maxDeliveryCount / 2))
}

/** The ranges acquired, in the order of offsets. */
export function acquire(window: InFlightWindow, request: AcquireRequest, limits: AcquireLimits): AcquiredRange[] {
  const first = request.batches[0]
  const last = request.batches.at(-1)
  if (first === undefined || last === undefined || request.maxRecords <= 0) return []
  if (last.lastOffset < window.startOffset) return []
  const extent = extentOf(window, request, limits, last.lastOffset)
  if (extent === null) return []
  return new Acquisition(window, request, limits, first.baseOffset, extent).run()
}

interface Extent {
  readonly lastOffset: bigint
  readonly maxRecords: number
}

/** How far one may go and how many records one may take without having too many in flight; null for nothing. */
function extentOf(
  window: InFlightWindow,
  { fetchOffset, maxRecords }: AcquireRequest,
  { maxInFlight }: AcquireLimits,
  lastOffset: bigint,
): Extent | null {
  const room = maxInFlight - window.size
  if (room > 0) return { lastOffset, maxRecords: Math.min(maxRecords, room) }
  // Full. What is in the window already may still be acquired again.
  if (fetchOffset > window.endOffset) return null
  return {
    lastOffset: lastOffset < window.endOffset ? lastOffset : window.endOffset,
    maxRecords: Math.min(maxRecords, Number(window.endOffset - fetchOffset) + 1),
  }
}

class Acquisition {
  readonly #window: InFlightWindow
  readonly #request: AcquireRequest
  readonly #limits: AcquireLimits
  readonly #throttleFrom: number
  readonly #readFrom: bigint
  readonly #lastOffset: bigint
  readonly #maxRecords: number
  readonly #ranges: AcquiredRange[] = []
  #count = 0
  /** A suspicious batch was met: it goes out alone. */
  #isThrottled = false

  constructor(
    window: InFlightWindow,
    request: AcquireRequest,
    limits: AcquireLimits,
    readFrom: bigint,
    { lastOffset, maxRecords }: Extent,
  ) {
    this.#window = window
    this.#request = request
    this.#limits = limits
    this.#throttleFrom = throttleFrom(limits.maxDeliveryCount)
    this.#readFrom = readFrom
    this.#lastOffset = lastOffset
    this.#maxRecords = maxRecords
  }

  run(): AcquiredRange[] {
    const window = this.#window
    this.#noteWhatIsGone()
    const from = this.#firstOffset()
    let next = from
    for (const batch of window.startingIn(from, this.#lastOffset)) {
      if (this.#isFull) break
      if (window.hasUnreadGap && next < batch.firstOffset) this.#acquireNew(next, batch.firstOffset - 1n)
      next = batch.lastOffset + 1n
      if (this.#isFull) break
      this.#acquireAgain(batch)
    }
    if (!this.#isFull && next <= this.#lastOffset) this.#acquireNew(next, this.#lastOffset)
    if (!this.#isFull) window.readUpTo(this.#lastOffset)
    else if (this.#ranges.length > 0) window.readUpTo(this.#ranges.at(-1)!.lastOffset)
    return this.#ranges
  }

  get #isFull(): boolean {
    return this.#isThrottled || this.#count >= this.#maxRecords
  }

  get #left(): number {
    return this.#maxRecords - this.#count
  }

  /** The log was asked for `fetchOffset` and had nothing below `#readFrom`: compaction took it. What waits there to be delivered again never will be. */
  #noteWhatIsGone(): void {
    const { fetchOffset } = this.#request
    if (fetchOffset >= this.#readFrom) return
    this.#window.archive(fetchOffset, this.#readFrom - 1n, RecordState.AVAILABLE)
    this.#window.readUpTo(this.#readFrom - 1n)
  }

  /** Batches in the window keep their boundaries; new ones begin at the window's start at the earliest. */
  #firstOffset(): bigint {
    const { startOffset } = this.#window
    const from = this.#readFrom > startOffset ? this.#readFrom : startOffset
    const floor = this.#window.floor(from)
    return floor !== undefined && floor.lastOffset >= from ? floor.firstOffset : from
  }

  #acquireAgain(batch: InFlightBatch): void {
    const isSuspicious = this.#isSuspicious(batch)
    if (isSuspicious && this.#count > 0) {
      this.#isThrottled = true
      return
    }
    const isWanted = batch.isWithin(this.#readFrom, this.#lastOffset)
    const fits = this.#request.mode === 'batch-optimized' || batch.size <= this.#left
    const { whole } = batch
    if (whole !== null) {
      if (!whole.isAvailable) return
      if (isWanted && fits && !isSuspicious) {
        whole.acquire(this.#request.memberId, this.#limits.lockedUntilMs)
        this.#add(batch.firstOffset, batch.lastOffset, whole.count)
        return
      }
      batch.split()
    }
    const count = this.#acquireOffsets(batch)
    if (isSuspicious && count > 0) this.#isThrottled = true
  }

  /** Whether something in it could be acquired now that was delivered so often that the batch has to be cut up. */
  #isSuspicious(batch: InFlightBatch): boolean {
    const { whole } = batch
    if (whole !== null) return whole.isAvailable && whole.count >= this.#throttleFrom
    let found = false
    batch.forEachOffset(this.#readFrom, this.#lastOffset, (_offset, delivery) => {
      found = delivery.isAvailable && delivery.count >= this.#throttleFrom
      return !found
    })
    return found
  }

  /** From a batch whose offsets stand apart. Returns how many. */
  #acquireOffsets(batch: InFlightBatch): number {
    const { maxDeliveryCount, lockedUntilMs } = this.#limits
    const isolatesLast = maxDeliveryCount > 2
    const most = this.#request.mode === 'record-limit' ? this.#left : Infinity
    let mostWhileThrottled = Infinity
    let count = 0
    let run = null as { first: bigint; last: bigint; deliveries: number } | null
    const endRun = (): void => {
      if (run !== null) this.#add(run.first, run.last, run.deliveries)
    }
    batch.forEachOffset(this.#readFrom, this.#lastOffset, (offset, delivery) => {
      if (!delivery.isAvailable) return true
      const isLastDelivery = isolatesLast && delivery.count === maxDeliveryCount - 1
      if (isLastDelivery && count > 0) return false
      if (mostWhileThrottled === Infinity && delivery.count >= this.#throttleFrom)
        mostWhileThrottled = this.#piece(batch, delivery)
      delivery.acquire(this.#request.memberId, lockedUntilMs)
      count++
      if (run !== null && run.last === offset - 1n && run.deliveries === delivery.count) run.last = offset
      else {
        endRun()
        run = { first: offset, last: offset, deliveries: delivery.count }
      }
      return !isLastDelivery && count < most && count !== mostWhileThrottled
    })
    endRun()
    return count
  }

  /** Half of the batch when throttling begins, then a quarter, and so on. */
  #piece(batch: InFlightBatch, { count }: Delivery): number {
    return Math.max(1, batch.size >> (count - this.#throttleFrom + 1))
  }

  /** Offsets no member ever had, from `first` to the end of a batch of the log, or to `last`. */
  #acquireNew(first: bigint, last: bigint): void {
    const window = this.#window
    let end = last
    if (BigInt(this.#left) < last - first + 1n) {
      // With a gap before a batch that was persisted, the batch of the log may reach into that one.
      const wanted = first + BigInt(this.#left) - 1n
      end = this.#endOfBatchHolding(wanted)
      if (end > wanted + mostBeyond) end = wanted + mostBeyond
      if (window.hasUnreadGap && end > last) end = last
    }
    const size = Number(end - first) + 1
    if (this.#request.mode === 'record-limit') {
      const batch = this.#addBatch(first, end)
      const taken = Math.min(size, this.#left)
      if (taken < size) {
        batch.splitBehind(taken)
        window.noteAvailable()
      }
      this.#add(first, first + BigInt(taken - 1), 1)
      return
    }
    let from = first
    if (size > this.#request.batchSize)
      for (const { baseOffset } of this.#request.batches) {
        if (baseOffset > end) break
        if (baseOffset - from < BigInt(this.#request.batchSize)) continue
        this.#addBatch(from, baseOffset - 1n)
        this.#add(from, baseOffset - 1n, 1)
        from = baseOffset
      }
    this.#addBatch(from, end)
    this.#add(from, end, 1)
  }

  #addBatch(first: bigint, last: bigint): InFlightBatch {
    const batch = new InFlightBatch(first, last, {
      state: RecordState.ACQUIRED,
      count: 1,
      memberId: this.#request.memberId,
      lockedUntilMs: this.#limits.lockedUntilMs,
    })
    this.#window.add(batch)
    return batch
  }

  /** `offset` itself when no batch holds it. */
  #endOfBatchHolding(offset: bigint): bigint {
    const holder = this.#request.batches.findLast(({ baseOffset }) => baseOffset <= offset)
    return holder !== undefined && holder.lastOffset >= offset ? holder.lastOffset : offset
  }

  #add(firstOffset: bigint, lastOffset: bigint, deliveryCount: number): void {
    this.#ranges.push({ firstOffset, lastOffset, deliveryCount })
    this.#count += Number(lastOffset - firstOffset) + 1
  }
}
