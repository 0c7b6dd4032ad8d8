/**
 * What becomes of one batch: it stays as it is, is rewritten with fewer records, is kept without any, or goes. Offsets, and those of the batch
 * itself, never change. Source: Kafka's Cleaner.cleanInto and MemoryRecords.filterTo.
 *
 * A batch of magic 2 stays without records when it is the last one of a producer that is still known, as it holds the producer's sequence
 * and epoch, and at the end of a cleaned segment, whose end must not move (docs/decisions/0010). Tombstones, and markers whose transaction has no
 * batches left, get a delete horizon when they are first met: a time until which they stay, stored as the base timestamp of the batch.
 */
import {
  attributes,
  baseOffset,
  baseSequence,
  baseTimestamp,
  BATCH_HEADER_SIZE,
  compress,
  Compression,
  compressionOf,
  computeCrc,
  CONTROL_FLAG,
  DELETE_HORIZON_FLAG,
  hasDeleteHorizon,
  isControl,
  lastOffset,
  lastOffsetDelta,
  LOG_APPEND_TIME_FLAG,
  magicOf,
  maxTimestamp,
  partitionLeaderEpoch,
  producerEpoch,
  producerId,
  RecordCursor,
  RECORDS_AT,
  recordsCount,
  recordsSection,
  storedCrc,
  TRANSACTIONAL_FLAG,
  writeBatchHeader,
  writeVarint,
  writeVarlong,
} from '@millrace/protocol'
import type { CleanedSegment } from './cleaned-segment.ts'
import type { CleanedTransactions } from './cleaned-transactions.ts'
import { CorruptBatchError } from './corrupt-batch-error.ts'
import { filterLegacyEntry } from './legacy-filter.ts'
import type { OffsetMap } from './offset-map.ts'

/** What is known of a producer that may go on writing. */
export interface LastRecord {
  /** Of its last data batch; -1n when only a marker is left. */
  readonly lastDataOffset: bigint
  readonly producerEpoch: number
}

export interface BatchFilterOptions {
  readonly map: OffsetMap
  readonly transactions: CleanedTransactions
  readonly producers: ReadonlyMap<bigint, LastRecord>
  readonly nowMs: bigint
  readonly deleteRetentionMs: bigint
  readonly output: CleanedSegment
  readonly maxDecompressedBytes: number
}

export interface BatchPlace {
  readonly bytes: Uint8Array
  readonly at: number
  readonly sizeBytes: number
  /** Nothing follows in the segment being written. */
  readonly isLast: boolean
  /** Of magic 0 and 1, which know no delete horizon: whether tombstones of this segment stay. */
  readonly keepsLegacyTombstones: boolean
}

/** The parts of a record's place that its fate depends on. */
interface BatchFacts {
  /** Counted from the origin of the offset map. */
  readonly base: number
  /** Whether tombstones may go. */
  readonly isPastHorizon: boolean
}

/** The records of a batch, unpacked. */
interface RecordsSection {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

const kept = 1
/** Length and timestamp delta, at their largest. */
const largestPrefix = 5 + 1 + 10

export class BatchFilter {
  readonly #options: BatchFilterOptions
  readonly #keepAborted: (transaction: Parameters<CleanedSegment['appendAborted']>[0]) => void
  /** What becomes of each record of the present batch. */
  #fates = new Uint8Array(1024)
  #scratch = new Uint8Array(0)
  /** Of all batches so far. */
  recordsRead = 0
  recordsKept = 0
  /** Records without a key, which a compacted topic should not have; they go. */
  keylessRecords = 0

  constructor(options: BatchFilterOptions) {
    this.#options = options
    this.#keepAborted = (transaction) => options.output.appendAborted(transaction)
  }

  /** Returns the bytes this made the output write. @throws CorruptBatchError before a damaged batch would be rewritten. */
  filter(place: BatchPlace): number {
    const { bytes, at } = place
    if (magicOf(bytes, at) < 2) return this.#filterLegacy(place)
    return isControl(bytes, at) ? this.#filterControl(place) : this.#filterData(place)
  }

  #filterControl(place: BatchPlace): number {
    const { bytes, at } = place
    const { transactions, nowMs } = this.#options
    const isNeededNoMore = transactions.onControlBatch(bytes, at, this.#keepAborted)
    const horizon = hasDeleteHorizon(bytes, at) ? baseTimestamp(bytes, at) : null
    const count = recordsCount(bytes, at)
    this.recordsRead += count
    const isGone = count === 0 || (isNeededNoMore && horizon !== null && horizon <= nowMs)
    if (isGone) return this.#keepEmptyOrDrop(place)
    this.recordsKept += count
    if (!isNeededNoMore || horizon !== null) return this.#keepWhole(place)
    this.#resetFates(count)
    this.#fates.fill(kept, 0, count)
    return this.#rewrite(place, this.#sectionOf(place), { count, setsHorizon: true })
  }

  #filterData(place: BatchPlace): number {
    const { bytes, at } = place
    const { transactions, map, nowMs } = this.#options
    const count = recordsCount(bytes, at)
    this.recordsRead += count
    if (transactions.onBatch(bytes, at) || count === 0) return this.#keepEmptyOrDrop(place)
    const hasHorizon = hasDeleteHorizon(bytes, at)
    const facts: BatchFacts = {
      base: Number(baseOffset(bytes, at) - map.origin),
      isPastHorizon: hasHorizon && nowMs >= baseTimestamp(bytes, at),
    }
    this.#resetFates(count)
    const section = this.#sectionOf(place)
    const cursor = openSection(section, count)
    let keptCount = 0
    let hasTombstones = false
    while (cursor.next()) {
      if (!this.#keeps(cursor, facts)) continue
      this.#fates[cursor.index] = kept
      keptCount++
      if (cursor.valueLength < 0) hasTombstones = true
    }
    this.recordsKept += keptCount
    if (keptCount === 0) return this.#keepEmptyOrDrop(place)
    const setsHorizon = hasTombstones && !hasHorizon
    if (keptCount === count && !setsHorizon) return this.#keepWhole(place)
    return this.#rewrite(place, section, { count: keptCount, setsHorizon })
  }

  #keeps(cursor: RecordCursor, { base, isPastHorizon }: BatchFacts): boolean {
    const { map } = this.#options
    const offset = base + cursor.offsetDelta
    if (offset > map.latest) return true
    if (cursor.keyLength < 0) {
      this.keylessRecords++
      return false
    }
    if (offset < map.get(cursor.bytes, cursor.keyAt, cursor.keyAt + cursor.keyLength)) return false
    return cursor.valueLength >= 0 || !isPastHorizon
  }

  #filterLegacy(place: BatchPlace): number {
    const { map, output, nowMs, deleteRetentionMs, maxDecompressedBytes } = this.#options
    const filtered = filterLegacyEntry(place, { map, horizonMs: nowMs + deleteRetentionMs, maxDecompressedBytes })
    this.recordsRead += filtered.recordsRead
    this.recordsKept += filtered.recordsKept
    this.keylessRecords += filtered.keylessRecords
    const { batch } = filtered
    return batch === null ? 0 : output.append(batch, 0, batch.length, lastOffset(batch, 0), maxTimestamp(batch, 0))
  }

  #keepWhole({ bytes, at, sizeBytes }: BatchPlace): number {
    return this.#options.output.append(bytes, at, sizeBytes, lastOffset(bytes, at), maxTimestamp(bytes, at))
  }

  #keepEmptyOrDrop(place: BatchPlace): number {
    const { bytes, at, isLast } = place
    if (!isLast && !this.#isLastOfProducer(bytes, at)) return 0
    const { output } = this.#options
    const header = this.#scratchOf(BATCH_HEADER_SIZE)
    writeBatchHeader(header, 0, {
      baseOffset: baseOffset(bytes, at),
      sizeBytes: BATCH_HEADER_SIZE,
      partitionLeaderEpoch: partitionLeaderEpoch(bytes, at),
      attributes: attributes(bytes, at) & (LOG_APPEND_TIME_FLAG | TRANSACTIONAL_FLAG | CONTROL_FLAG),
      lastOffsetDelta: lastOffsetDelta(bytes, at),
      baseTimestamp: -1n,
      maxTimestamp: maxTimestamp(bytes, at),
      producerId: producerId(bytes, at),
      producerEpoch: producerEpoch(bytes, at),
      baseSequence: baseSequence(bytes, at),
      recordsCount: 0,
    })
    return output.append(header, 0, BATCH_HEADER_SIZE, lastOffset(bytes, at), maxTimestamp(bytes, at))
  }

  /** Of the data batch with the last sequence, or of a marker where no data batch is known: it has the last epoch. */
  #isLastOfProducer(bytes: Uint8Array, at: number): boolean {
    const producer = producerId(bytes, at)
    if (producer < 0n) return false
    const last = this.#options.producers.get(producer)
    if (last === undefined) return false
    if (last.lastDataOffset >= 0n) return lastOffset(bytes, at) === last.lastDataOffset
    return isControl(bytes, at) && producerEpoch(bytes, at) === last.producerEpoch
  }

  /** Writes the records whose fate is `kept`: as their bytes are, unless their timestamps now count from a delete horizon. */
  #rewrite(
    { bytes, at }: BatchPlace,
    section: RecordsSection,
    { count, setsHorizon }: { count: number; setsHorizon: boolean },
  ): number {
    const { nowMs, deleteRetentionMs, output } = this.#options
    const stored = storedCrc(bytes, at)
    const computed = computeCrc(bytes, at)
    if (stored !== computed)
      throw new CorruptBatchError(
        `the batch at offset ${baseOffset(bytes, at)} has crc ${stored.toString(16)}, expected ${computed.toString(16)}`,
      )
    const oldBase = baseTimestamp(bytes, at)
    const newBase = setsHorizon ? nowMs + deleteRetentionMs : oldBase
    const appendTime = (attributes(bytes, at) & LOG_APPEND_TIME_FLAG) === 0 ? null : maxTimestamp(bytes, at)
    const cursor = openSection(section, recordsCount(bytes, at))
    const growth = setsHorizon ? (count + 1) * largestPrefix : 0
    const scratch = this.#scratchOf(BATCH_HEADER_SIZE + growth + section.end - section.start)
    let end = BATCH_HEADER_SIZE
    let largest = -1n
    while (cursor.next()) {
      if (this.#fates[cursor.index] !== kept) continue
      const timestamp = appendTime ?? BigInt.asIntN(64, oldBase + cursor.timestampDelta())
      if (timestamp > largest) largest = timestamp
      if (setsHorizon) end = writeRebased(scratch, end, cursor, BigInt.asIntN(64, timestamp - newBase))
      else {
        scratch.set(cursor.bytes.subarray(cursor.start, cursor.end), end)
        end += cursor.end - cursor.start
      }
    }
    let batch: Uint8Array = scratch.subarray(0, end)
    const codec = compressionOf(bytes, at)
    if (codec !== Compression.NONE) {
      const packed = compress(codec, batch.subarray(BATCH_HEADER_SIZE))
      batch = this.#scratchOf(BATCH_HEADER_SIZE + packed.length).subarray(0, BATCH_HEADER_SIZE + packed.length)
      batch.set(packed, BATCH_HEADER_SIZE)
    }
    writeBatchHeader(batch, 0, {
      baseOffset: baseOffset(bytes, at),
      sizeBytes: batch.length,
      partitionLeaderEpoch: partitionLeaderEpoch(bytes, at),
      attributes: attributes(bytes, at) | (setsHorizon ? DELETE_HORIZON_FLAG : 0),
      lastOffsetDelta: lastOffsetDelta(bytes, at),
      baseTimestamp: newBase,
      maxTimestamp: largest,
      producerId: producerId(bytes, at),
      producerEpoch: producerEpoch(bytes, at),
      baseSequence: baseSequence(bytes, at),
      recordsCount: count,
    })
    return output.append(batch, 0, batch.length, lastOffset(bytes, at), largest)
  }

  #sectionOf({ bytes, at, sizeBytes }: BatchPlace): RecordsSection {
    if (compressionOf(bytes, at) === Compression.NONE) return { bytes, start: at + RECORDS_AT, end: at + sizeBytes }
    const section = recordsSection(bytes, at, this.#options.maxDecompressedBytes)
    return { bytes: section, start: 0, end: section.length }
  }

  #resetFates(count: number): void {
    if (count > this.#fates.length) this.#fates = new Uint8Array(Math.max(count, 2 * this.#fates.length))
    else this.#fates.fill(0, 0, count)
  }

  #scratchOf(sizeBytes: number): Uint8Array {
    if (sizeBytes > this.#scratch.length) this.#scratch = new Uint8Array(Math.max(sizeBytes, 2 * this.#scratch.length))
    return this.#scratch
  }
}

function openSection({ bytes, start, end }: RecordsSection, count: number): RecordCursor {
  return new RecordCursor(bytes, start, end, count)
}

/** The cursor's record with another timestamp delta. Returns where it ends. */
function writeRebased(into: Uint8Array, at: number, cursor: RecordCursor, timestampDelta: bigint): number {
  const { bytes, afterTimestamp, end } = cursor
  const deltaAt = at + largestPrefix
  const deltaSize = writeVarlong(into, deltaAt, timestampDelta) - deltaAt
  const restSize = end - afterTimestamp
  const length = 1 + deltaSize + restSize
  let next = writeVarint(into, at, length)
  // Attributes of a record: none are defined.
  into[next++] = 0
  into.copyWithin(next, deltaAt, deltaAt + deltaSize)
  next += deltaSize
  into.set(bytes.subarray(afterTimestamp, end), next)
  return next + restSize
}
