/**
 * The records of a share partition that are in flight: acquired, waiting to be acquired again, or done with behind others that are not.
 *
 * Invariants: batches do not overlap and are in the order of their offsets; below `startOffset` everything is done with, though a batch
 * whose members do not know that yet may still reach below it; nothing at or above the end was ever acquired.
 * Offsets between batches hold no records, except behind `#gap` after a restart: what was acquired there before the restart
 * and never acknowledged left no trace in the persisted state, and has to be read again to know.
 */
import { InFlightBatch } from './in-flight-batch.ts'
import type { PersistedBatch } from './persister.ts'
import { isTerminal, RecordState } from './record-state.ts'

interface Gap {
  /** From here on it is not known whether there are records between the batches. */
  from: bigint
  /** The last offset that was persisted. */
  readonly to: bigint
}

export class InFlightWindow {
  #batches: InFlightBatch[] = []
  #startOffset: bigint
  /** The last offset acquired; the next one to acquire when nothing is in flight. */
  #endOffset: bigint
  #gap: Gap | null = null
  /** False when it is certain that no batch holds anything to acquire. */
  #mayHoldAvailable = false

  /** @param persisted in the order of offsets, none below `startOffset`, not overlapping. */
  constructor(startOffset: bigint, persisted: readonly PersistedBatch[] = []) {
    this.#startOffset = startOffset
    this.#endOffset = startOffset
    let expected = startOffset
    let gapFrom: bigint | null = null
    for (const batch of persisted) {
      if (batch.firstOffset > expected) gapFrom ??= expected
      expected = batch.lastOffset + 1n
      const state = batch.deliveryState as RecordState
      this.#batches.push(new InFlightBatch(batch.firstOffset, batch.lastOffset, { state, count: batch.deliveryCount }))
    }
    if (this.#batches.length === 0) return
    this.#endOffset = expected - 1n
    this.#mayHoldAvailable = true
    if (gapFrom !== null) this.#gap = { from: gapFrom, to: this.#endOffset }
    this.advance()
  }

  get startOffset(): bigint {
    return this.#startOffset
  }

  get endOffset(): bigint {
    return this.#endOffset
  }

  get batches(): readonly InFlightBatch[] {
    return this.#batches
  }

  /** How many offsets the window spans, records or not. */
  get size(): number {
    return this.#batches.length === 0 ? 0 : Number(this.#endOffset - this.#startOffset) + 1
  }

  /** Gaps between batches may hold records, and have to be acquired like what is new. */
  get hasUnreadGap(): boolean {
    return this.#gap !== null
  }

  /** The records in the window that are done with, settled or not: what a consumer lag must not count. */
  terminalCount(): number {
    let count = 0
    for (const batch of this.#batches)
      batch.forEachDelivery((delivery, first, last) => {
        if (!isTerminal(delivery.state) || last < this.#startOffset) return
        const from = first > this.#startOffset ? first : this.#startOffset
        count += Number(last - from) + 1
      })
    return count
  }

  /** Where to read the log next: at the first record that can be acquired, else behind everything. */
  nextFetchOffset(): bigint {
    const last = this.#batches.at(-1)
    if (last === undefined || this.#startOffset > last.lastOffset) return this.#endOffset
    if (this.#mayHoldAvailable) {
      const found = this.#firstAvailable()
      if (found !== null) return found
      this.#mayHoldAvailable = false
    }
    return this.#endOffset + 1n
  }

  #firstAvailable(): bigint | null {
    let found: bigint | null = null
    let gapFrom = this.#gap?.from ?? null
    for (const batch of this.#batches) {
      if (gapFrom !== null) {
        if (batch.firstOffset > gapFrom) return gapFrom
        if (batch.lastOffset >= gapFrom) gapFrom = batch.lastOffset + 1n
      }
      batch.forEachDelivery((delivery, first) => {
        if (delivery.isAvailable) found = first
        return found === null
      })
      if (found !== null) return found
    }
    return null
  }

  /** To be said whenever records may have become available. */
  noteAvailable(): void {
    this.#mayHoldAvailable = true
  }

  /** The batch with the greatest first offset at or below `offset`. */
  floor(offset: bigint): InFlightBatch | undefined {
    return this.#batches[this.#indexAfter(offset) - 1]
  }

  /** Batches whose first offset lies in [first, last]. A copy: the window may change while one goes through them. */
  startingIn(first: bigint, last: bigint): InFlightBatch[] {
    return this.#batches.slice(this.#indexAfter(first - 1n), this.#indexAfter(last))
  }

  /** Puts in what was acquired for the first time. */
  add(batch: InFlightBatch): void {
    const index = this.#indexAfter(batch.firstOffset)
    this.#batches.splice(index, 0, batch)
    if (index === 0) this.#startOffset = batch.firstOffset
    if (batch.lastOffset > this.#endOffset) this.#endOffset = batch.lastOffset
  }

  /** Everything up to `offset` has been read: what is between the batches there is no record. */
  readUpTo(offset: bigint): void {
    if (this.#gap === null || offset < this.#gap.from) return
    if (offset >= this.#gap.to) this.#gap = null
    else this.#gap.from = offset + 1n
  }

  /** Archives what is in `state` from `first` to `last`, and not changing: when a change is settled it is known what it was for. */
  archive(first: bigint, last: bigint, state: RecordState): void {
    for (const batch of this.#batches) {
      if (batch.firstOffset > last) break
      if (batch.lastOffset < first) continue
      if (batch.whole !== null) {
        if (batch.whole.state !== state || batch.whole.isChanging) continue
        if (batch.isWithin(first, last)) {
          batch.whole.archive()
          continue
        }
        batch.split()
      }
      batch.forEachOffset(first, last, (_offset, delivery) => {
        if (delivery.state === state && !delivery.isChanging) delivery.archive()
      })
    }
  }

  /**
   * The log begins at `offset` now. What waited to be acquired below it is given up; what is acquired stays with its members until they
   * are done with it or the lock ends, though nothing they say of it matters any more.
   */
  logStartMoved(offset: bigint): void {
    if (offset <= this.#startOffset) return
    this.#startOffset = offset
    this.archiveBelowStart()
    if (this.#endOffset < offset) this.#endOffset = offset
    this.readUpTo(offset - 1n)
    this.noteAvailable()
    this.advance()
  }

  archiveBelowStart(): void {
    const first = this.#batches[0]
    if (first === undefined || first.firstOffset >= this.#startOffset) return
    this.archive(first.firstOffset, this.#startOffset - 1n, RecordState.AVAILABLE)
  }

  /** Moves the start past what is done with. Returns whether it moved. */
  advance(): boolean {
    const before = this.#startOffset
    const lastDone = this.#lastOffsetDone()
    if (lastDone === null) return false
    const kept = this.#batches.findIndex(({ lastOffset }) => lastOffset > lastDone)
    if (kept === -1) {
      this.#batches = []
      this.#gap = null
      const next = lastDone + 1n
      if (next > this.#startOffset) this.#startOffset = next
      this.#endOffset = this.#startOffset
    } else {
      if (kept > 0) this.#batches.splice(0, kept)
      const next = this.#firstOffsetLeft(lastDone + 1n)
      if (next > this.#startOffset) this.#startOffset = next
    }
    return this.#startOffset !== before
  }

  /** The first offset at or behind `offset` that a batch holds, or where it is not known what is there. */
  #firstOffsetLeft(offset: bigint): bigint {
    const first = this.#batches[0]!.firstOffset
    const next = first > offset ? first : offset
    return this.#gap !== null && this.#gap.from < next ? this.#gap.from : next
  }

  /** The end of the run of records from the window's beginning that are done with; null when the first is not. */
  #lastOffsetDone(): bigint | null {
    let done: bigint | null = null
    for (const batch of this.#batches) {
      if (this.#gap !== null && batch.lastOffset >= this.#gap.from) break
      const isAllDone = batch.forEachDelivery((delivery, _first, last) => {
        if (!delivery.isSettledTerminal) return false
        done = last
        return true
      })
      if (!isAllDone) break
    }
    return done
  }

  /** How many batches begin at or below `offset`. */
  #indexAfter(offset: bigint): number {
    let low = 0
    let high = this.#batches.length
    // What is new goes to the end, nearly always.
    if (high > 0 && this.#batches[high - 1]!.firstOffset <= offset) return high
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#batches[middle]!.firstOffset <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
