/**
 * `.index`: where in the segment an offset is. Sparse: one entry when more than `index.interval.bytes` were appended since the last.
 *
 * File: n × { relativeOffset int32, position int32 }, big-endian; both ascend strictly. The offset is that of the last record of a batch,
 * relative to the segment's base offset, the position is where that batch begins. So every offset above an entry's lies at or after its
 * position. Rebuilt from the segment when missing or not in order. Source: Kafka's OffsetIndex.
 */
import { IndexFile, type IndexFileOptions } from './index-file.ts'

export const offsetIndexEntryBytes = 8

/** A relative offset must fit an int32. */
export const maxRelativeOffset = 0x7fffffff

export class OffsetIndex {
  readonly file: IndexFile

  constructor(options: Omit<IndexFileOptions, 'entryBytes'>) {
    this.file = new IndexFile({ ...options, entryBytes: offsetIndexEntryBytes })
  }

  get count(): number {
    return this.file.count
  }

  isFull(maxBytes: number): boolean {
    return this.file.count >= Math.floor(maxBytes / offsetIndexEntryBytes)
  }

  append(relativeOffset: number, position: number): void {
    const at = this.file.append()
    const view = this.file.view
    view.setInt32(at, relativeOffset)
    view.setInt32(at + 4, position)
  }

  relativeOffsetAt(slot: number): number {
    return this.file.view.getInt32(slot * offsetIndexEntryBytes)
  }

  positionAt(slot: number): number {
    return this.file.view.getInt32(slot * offsetIndexEntryBytes + 4)
  }

  /** The last entry at or below the offset; -1 when there is none. O(log n). */
  slotFor(relativeOffset: number): number {
    const view = this.file.view
    let low = 0
    let high = this.file.count - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      if (view.getInt32(middle * offsetIndexEntryBytes) <= relativeOffset) low = middle + 1
      else high = middle - 1
    }
    return high
  }

  /** The first entry at or behind the position; -1 when there is none. */
  slotAtPosition(position: number): number {
    const view = this.file.view
    const count = this.file.count
    let low = 0
    let high = count - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      if (view.getInt32(middle * offsetIndexEntryBytes + 4) < position) low = middle + 1
      else high = middle - 1
    }
    return low < count ? low : -1
  }

  /** Removes the entries at and above the offset. */
  truncate(relativeOffset: number): void {
    let slot = this.slotFor(relativeOffset)
    if (slot >= 0 && this.relativeOffsetAt(slot) === relativeOffset) slot--
    this.file.truncate(slot + 1)
  }

  /** What is wrong with a loaded index of a segment of `logBytes`; null when it can be trusted. */
  findProblem(logBytes: number): string | null {
    const view = this.file.view
    let lastOffset = -1
    let lastPosition = -1
    for (let slot = 0; slot < this.file.count; slot++) {
      const offset = view.getInt32(slot * offsetIndexEntryBytes)
      const position = view.getInt32(slot * offsetIndexEntryBytes + 4)
      if (offset <= lastOffset || position <= lastPosition)
        return `entry ${slot} is (${offset}, ${position}) after (${lastOffset}, ${lastPosition})`
      lastOffset = offset
      lastPosition = position
    }
    return lastPosition >= logBytes ? `the last entry is at ${lastPosition}, the segment has ${logBytes} bytes` : null
  }
}
