/** What a share partition has to know of the batches that were read from the log: where they begin and end, and which were aborted. */
import {
  baseOffset,
  ControlType,
  forEachBatch,
  isControl,
  isTransactional,
  lastOffset,
  magicOf,
  producerId,
  readControlRecord,
} from '@millrace/protocol'

export interface FetchedBatch {
  readonly baseOffset: bigint
  readonly lastOffset: bigint
  readonly sizeBytes: number
  /** -1n: none. */
  readonly producerId: bigint
  readonly isTransactional: boolean
  /** The marker that ends an aborted transaction. */
  readonly isAbortMarker: boolean
}

export interface OffsetRange {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
}

/** The whole batches in `records`. `fetchOffset` is the offset they were looked up by. */
export function fetchedBatches(records: Uint8Array, fetchOffset: bigint): FetchedBatch[] {
  const batches: FetchedBatch[] = []
  let expected = fetchOffset
  forEachBatch(records, (at, sizeBytes) => {
    const batch =
      magicOf(records, at) === 2 ? describe(records, at, sizeBytes) : describeOld(records, at, sizeBytes, expected)
    batches.push(batch)
    expected = batch.lastOffset + 1n
  })
  return batches
}

function describe(records: Uint8Array, at: number, sizeBytes: number): FetchedBatch {
  return {
    baseOffset: baseOffset(records, at),
    lastOffset: lastOffset(records, at),
    sizeBytes,
    producerId: producerId(records, at),
    isTransactional: isTransactional(records, at),
    isAbortMarker: isControl(records, at) && readControlRecord(records, at)?.type === ControlType.ABORT,
  }
}

/** Magic 0 and 1 give a set of compressed messages the offset of its last; it begins at the earliest behind what came before. */
function describeOld(records: Uint8Array, at: number, sizeBytes: number, expected: bigint): FetchedBatch {
  const last = baseOffset(records, at)
  return {
    baseOffset: expected < last ? expected : last,
    lastOffset: last,
    sizeBytes,
    producerId: -1n,
    isTransactional: false,
    isAbortMarker: false,
  }
}

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

/** Those of `batches` that belong to `aborted` transactions: what a reader of committed records skips. */
export function abortedBatches(
  batches: readonly FetchedBatch[],
  aborted: readonly AbortedTransaction[],
): FetchedBatch[] {
  const waiting = aborted.toSorted((left, right) => Number(left.firstOffset - right.firstOffset))
  let begun = 0
  const abortedProducers = new Set<bigint>()
  return batches.filter((batch) => {
    if (batch.producerId < 0n) return false
    while (begun < waiting.length && waiting[begun]!.firstOffset <= batch.lastOffset)
      abortedProducers.add(waiting[begun++]!.producerId)
    if (batch.isAbortMarker) abortedProducers.delete(batch.producerId)
    return !batch.isAbortMarker && batch.isTransactional && abortedProducers.has(batch.producerId)
  })
}

/** The ranges without the offsets of `removed`; both in the order of offsets. */
export function withoutRanges<R extends OffsetRange>(
  ranges: readonly R[],
  removed: readonly { readonly baseOffset: bigint; readonly lastOffset: bigint }[],
): R[] {
  if (removed.length === 0) return [...ranges]
  const left: R[] = []
  for (const range of ranges) {
    let from = range.firstOffset
    for (const { baseOffset: first, lastOffset: last } of removed) {
      if (last < from) continue
      if (first > range.lastOffset) break
      if (first > from) left.push({ ...range, firstOffset: from, lastOffset: first - 1n })
      from = last + 1n
    }
    if (from <= range.lastOffset) left.push({ ...range, firstOffset: from })
  }
  return left
}

/** Where in the records the batches are that hold [first, last]: what has to be sent. Empty only when there are none. */
export function bytesHolding(
  batches: readonly FetchedBatch[],
  { firstOffset, lastOffset: last }: OffsetRange,
): { start: number; end: number } {
  let start = 0
  let end = 0
  let isBefore = true
  for (const batch of batches) {
    if (batch.baseOffset > last) break
    if (isBefore && batch.lastOffset < firstOffset) start += batch.sizeBytes
    else isBefore = false
    end += batch.sizeBytes
  }
  return { start: Math.min(start, end), end }
}
