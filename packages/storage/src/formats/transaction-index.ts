/**
 * `.txnindex`: the aborted transactions whose ABORT marker lies in the segment; read by read_committed fetches. The file appears with the
 * first entry.
 *
 * File: n × { version int16 = 0, producerId int64, firstOffset int64, lastOffset int64, lastStableOffset int64 }, big-endian; lastOffset
 * (that of the marker) ascends strictly. lastStableOffset is the one right after the abort. Source: Kafka's TransactionIndex, AbortedTxn.
 */
import { IndexFile, type IndexFileOptions } from './index-file.ts'

export const transactionIndexEntryBytes = 34

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
  /** Of the ABORT marker. */
  readonly lastOffset: bigint
  readonly lastStableOffset: bigint
}

export class TransactionIndex {
  readonly file: IndexFile

  constructor(options: Omit<IndexFileOptions, 'entryBytes'>) {
    this.file = new IndexFile({ ...options, entryBytes: transactionIndexEntryBytes })
  }

  get count(): number {
    return this.file.count
  }

  append(aborted: AbortedTransaction): void {
    const at = this.file.append()
    const view = this.file.view
    view.setInt16(at, 0)
    view.setBigInt64(at + 2, aborted.producerId)
    view.setBigInt64(at + 10, aborted.firstOffset)
    view.setBigInt64(at + 18, aborted.lastOffset)
    view.setBigInt64(at + 26, aborted.lastStableOffset)
  }

  at(slot: number): AbortedTransaction {
    const view = this.file.view
    const at = slot * transactionIndexEntryBytes
    return {
      producerId: view.getBigInt64(at + 2),
      firstOffset: view.getBigInt64(at + 10),
      lastOffset: view.getBigInt64(at + 18),
      lastStableOffset: view.getBigInt64(at + 26),
    }
  }

  /**
   * Adds to `into` those that overlap [fetchOffset, upperBound). Returns whether later segments need not be searched: what is aborted
   * later began at or above the upper bound.
   */
  collect(fetchOffset: bigint, upperBound: bigint, into: AbortedTransaction[]): boolean {
    for (let slot = 0; slot < this.file.count; slot++) {
      const aborted = this.at(slot)
      if (aborted.lastOffset >= fetchOffset && aborted.firstOffset < upperBound) into.push(aborted)
      if (aborted.lastStableOffset >= upperBound) return true
    }
    return false
  }

  /** Removes those whose marker is at or above the offset. */
  truncate(offset: bigint): void {
    let count = this.file.count
    while (count > 0 && this.at(count - 1).lastOffset >= offset) count--
    this.file.truncate(count)
  }

  /** What is wrong with the index of a segment that begins at `baseOffset`; null when it can be trusted. */
  findProblem(baseOffset: bigint): string | null {
    let last = baseOffset - 1n
    for (let slot = 0; slot < this.file.count; slot++) {
      const { lastOffset, firstOffset } = this.at(slot)
      const version = this.file.view.getInt16(slot * transactionIndexEntryBytes)
      if (version !== 0 || lastOffset <= last || firstOffset > lastOffset)
        return `entry ${slot} has version ${version} and offsets ${firstOffset} to ${lastOffset} after ${last}`
      last = lastOffset
    }
    return null
  }
}
