/**
 * `.timeindex`: the largest timestamp seen up to an offset. Sparse: written together with entries of the offset index, when the largest
 * timestamp has grown; a last entry when the segment is rolled or closed, so that the segment's largest timestamp is always on disk.
 *
 * File: n × { timestamp int64, relativeOffset int32 }, big-endian; timestamps ascend strictly, offsets never fall. The offset is the
 * last one of the batch that holds the timestamp. A record later than an entry's timestamp lies behind its offset. Source: Kafka's TimeIndex.
 */
import { IndexFile, type IndexFileOptions } from './index-file.ts'

export const timeIndexEntryBytes = 12

export class TimeIndex {
  readonly file: IndexFile

  constructor(options: Omit<IndexFileOptions, 'entryBytes'>) {
    this.file = new IndexFile({ ...options, entryBytes: timeIndexEntryBytes })
  }

  get count(): number {
    return this.file.count
  }

  /** One entry is kept free for the roll. */
  isFull(maxBytes: number): boolean {
    return this.file.count >= Math.floor(maxBytes / timeIndexEntryBytes) - 1
  }

  /** Adds an entry when `timestamp` is above that of the last entry. */
  maybeAppend(timestamp: bigint, relativeOffset: number): void {
    const count = this.file.count
    if (timestamp <= (count === 0 ? -1n : this.timestampAt(count - 1))) return
    const at = this.file.append()
    const view = this.file.view
    view.setBigInt64(at, timestamp)
    view.setInt32(at + 8, relativeOffset)
  }

  timestampAt(slot: number): bigint {
    return this.file.view.getBigInt64(slot * timeIndexEntryBytes)
  }

  relativeOffsetAt(slot: number): number {
    return this.file.view.getInt32(slot * timeIndexEntryBytes + 8)
  }

  /** The last entry, read alone when the index is not in memory. null when there is none. */
  last(): { readonly timestamp: bigint; readonly relativeOffset: number } | null {
    const entry = this.file.readLast()
    return entry === null ? null : { timestamp: entry.getBigInt64(0), relativeOffset: entry.getInt32(8) }
  }

  /** The last entry at or below the timestamp; -1 when there is none. */
  slotFor(timestamp: bigint): number {
    const view = this.file.view
    let low = 0
    let high = this.file.count - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      if (view.getBigInt64(middle * timeIndexEntryBytes) <= timestamp) low = middle + 1
      else high = middle - 1
    }
    return high
  }

  /** Removes the entries at and above the offset. */
  truncate(relativeOffset: number): void {
    let count = this.file.count
    while (count > 0 && this.relativeOffsetAt(count - 1) >= relativeOffset) count--
    this.file.truncate(count)
  }

  /** What is wrong with a loaded index; null when it can be trusted. */
  findProblem(): string | null {
    const view = this.file.view
    let lastTimestamp = -1n
    let lastOffset = 0
    for (let slot = 0; slot < this.file.count; slot++) {
      const timestamp = view.getBigInt64(slot * timeIndexEntryBytes)
      const offset = view.getInt32(slot * timeIndexEntryBytes + 8)
      if (timestamp <= lastTimestamp || offset < lastOffset)
        return `entry ${slot} is (${timestamp}, ${offset}) after (${lastTimestamp}, ${lastOffset})`
      lastTimestamp = timestamp
      lastOffset = offset
    }
    return null
  }
}
