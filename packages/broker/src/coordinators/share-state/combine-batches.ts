/** Puts state batches of different writes together to what holds. Source: the result of Kafka's PersisterStateBatchCombiner. */
import type { PersistedBatch } from '../../sharing/persister.ts'

/**
 * Batches that do not overlap, in the order of offsets, neighbours that stand alike made one; nothing below `startOffset` (−1: nowhere). Where
 * several of `batches` hold an offset, the one of most deliveries counts, and of these the one of the highest state: so the order of the
 * writes does not matter.
 */
export function combineBatches(batches: readonly PersistedBatch[], startOffset: bigint): PersistedBatch[] {
  const waiting = batches
    .filter(({ firstOffset, lastOffset }) => lastOffset >= startOffset && lastOffset >= firstOffset)
    .toSorted((left, right) => Number(left.firstOffset - right.firstOffset))
  const combined: PersistedBatch[] = []
  let open: PersistedBatch[] = []
  let next = 0
  let at = startOffset
  while (next < waiting.length || open.length > 0) {
    if (open.length === 0 && waiting[next]!.firstOffset > at) at = waiting[next]!.firstOffset
    while (next < waiting.length && waiting[next]!.firstOffset <= at) open.push(waiting[next++]!)
    open = open.filter(({ lastOffset }) => lastOffset >= at)
    if (open.length === 0) continue
    const strongest = open.reduce((left, right) => (isStronger(right, left) ? right : left))
    // Until the batch ends, or one begins that may be stronger.
    const upcoming = waiting.slice(next).find((batch) => isStronger(batch, strongest))
    const end =
      upcoming !== undefined && upcoming.firstOffset <= strongest.lastOffset
        ? upcoming.firstOffset - 1n
        : strongest.lastOffset
    append(combined, { ...strongest, firstOffset: at, lastOffset: end })
    at = end + 1n
  }
  return combined
}

function isStronger(left: PersistedBatch, right: PersistedBatch): boolean {
  return left.deliveryCount === right.deliveryCount
    ? left.deliveryState > right.deliveryState
    : left.deliveryCount > right.deliveryCount
}

function append(combined: PersistedBatch[], batch: PersistedBatch): void {
  const last = combined.at(-1)
  const isSame =
    last !== undefined &&
    last.lastOffset + 1n === batch.firstOffset &&
    last.deliveryState === batch.deliveryState &&
    last.deliveryCount === batch.deliveryCount
  if (isSame) combined[combined.length - 1] = { ...last, lastOffset: batch.lastOffset }
  else combined.push(batch)
}
