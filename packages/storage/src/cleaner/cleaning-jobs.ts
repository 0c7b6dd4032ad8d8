/** What a cleaner is told to do, and what it answers. Plain data: it goes to another thread and back. */
import type { AbortedTransaction } from '../formats/transaction-index.ts'

export interface SourceSegment {
  readonly baseOffset: bigint
  /** Bytes that are to be read; whole batches. */
  readonly sizeBytes: number
}

export interface DirtySegment extends SourceSegment {
  /** Where to begin: the start of a batch, at or before the first dirty offset. */
  readonly startPosition: number
  /** Everything below is in this segment or an earlier one. */
  readonly endOffset: bigint
}

interface CleaningJob {
  /** `<topic>-<partition>` */
  readonly partition: string
  readonly directory: string
  /** Of the read buffer, and of the write buffer. */
  readonly bufferBytes: number
}

/** Reads the dirty part of a log and remembers the last offset of each key for the groups that follow. */
export interface MapJob extends CleaningJob {
  readonly segments: readonly DirtySegment[]
  readonly firstDirtyOffset: bigint
  /** Those that overlap the dirty part. */
  readonly aborted: readonly AbortedTransaction[]
  readonly memoryBytes: number
  readonly loadFactor: number
}

export interface MapResult {
  /** The first offset that is not in the map: less than was asked for when the map was full. */
  readonly endOffset: bigint
  readonly bytesRead: number
  readonly recordsRead: number
  /** 0 to 1. */
  readonly mapUtilization: number
}

export interface GroupSegment extends SourceSegment {
  /** Aborted transactions that overlap the segment. */
  readonly aborted: readonly AbortedTransaction[]
  /** Of magic 0 and 1. */
  readonly keepsLegacyTombstones: boolean
}

/** Writes what stays of some segments that follow one another into the `.cleaned` files of one. Groups come in the order of the log. */
export interface GroupJob extends CleaningJob {
  readonly segments: readonly GroupSegment[]
  /** Producers that may go on writing: id, last data offset (-1n for none), epoch. */
  readonly producers: readonly (readonly [producerId: bigint, lastDataOffset: bigint, producerEpoch: number])[]
  /** When the round began. */
  readonly nowMs: bigint
  readonly deleteRetentionMs: bigint
  readonly indexIntervalBytes: number
}

export interface GroupResult {
  readonly sizeBytes: number
  readonly hasTransactionIndex: boolean
  readonly bytesRead: number
  readonly recordsRead: number
  readonly recordsKept: number
  readonly keylessRecords: number
}
