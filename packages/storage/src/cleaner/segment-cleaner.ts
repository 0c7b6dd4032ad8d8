/**
 * The work of a cleaner on one log: a pass over its dirty part that remembers the last offset of each key, then a pass over everything that
 * leaves out what has been superseded, deleted or aborted. Source: Kafka's Cleaner.
 *
 * The passes are generators: after each piece of work they yield how many bytes they read and wrote, and whoever runs them lets others have
 * their turn, holds them to a pace, or stops them for good. All input and output is synchronous: it belongs in a thread of its own.
 */
import {
  batchSizeBytes,
  computeCrc,
  isControl,
  isMessageIntact,
  lastOffset,
  magicOf,
  openRecords,
  baseOffset,
  readMessages,
  storedCrc,
} from '@millrace/protocol'
import { segmentFileName } from '../formats/segment-file-name.ts'
import type { LogServices } from '../log-services.ts'
import { BatchFilter } from './batch-filter.ts'
import { BatchReader } from './batch-reader.ts'
import { CleanedSegment } from './cleaned-segment.ts'
import { CleanedTransactions } from './cleaned-transactions.ts'
import type { DirtySegment, GroupJob, GroupResult, MapJob, MapResult, SourceSegment } from './cleaning-jobs.ts'
import { CorruptBatchError } from './corrupt-batch-error.ts'
import { OffsetMap } from './offset-map.ts'

/** Bytes read and written since the last step. */
export type CleaningSteps<Result> = Generator<number, Result, void>

/** What one batch may unpack to. What was appended under a larger limit than now has to be cleaned all the same. */
const maxDecompressedBytes = 1024 * 1024 * 1024

/** For the rounds of one log after another: `buildMap`, then `cleanGroup` for each group, then the next log. */
export class SegmentCleaner {
  readonly #services: LogServices
  #map: OffsetMap | null = null
  #transactions = new CleanedTransactions()

  constructor(services: LogServices) {
    this.#services = services
  }

  *buildMap(job: MapJob): CleaningSteps<MapResult> {
    const { segments, firstDirtyOffset, memoryBytes, loadFactor, bufferBytes } = job
    // The old one may be large, and the log it was of is done.
    this.#map = null
    this.#transactions = new CleanedTransactions()
    const map = new OffsetMap({ memoryBytes, loadFactor, origin: firstDirtyOffset })
    const transactions = new CleanedTransactions()
    transactions.add(job.aborted)
    const reader = new BatchReader(bufferBytes)
    const filler = new MapFiller(map, transactions)
    let bytesRead = 0
    let isFull = false
    for (const segment of segments) {
      using file = this.#open(job, segment)
      reader.open(file, segment.startPosition, segment.sizeBytes)
      while (!isFull && reader.fill()) {
        while (!isFull && reader.next()) isFull = !filler.take(reader.bytes, reader.at)
        bytesRead += reader.filledBytes
        yield reader.filledBytes
      }
      if (isFull) break
      // Behind the last record there may be a gap.
      map.advanceTo(Number(segment.endOffset - firstDirtyOffset) - 1)
    }
    this.#map = map
    return {
      endOffset: firstDirtyOffset + BigInt(map.latest + 1),
      bytesRead,
      recordsRead: filler.recordsRead,
      mapUtilization: map.utilization,
    }
  }

  *cleanGroup(job: GroupJob): CleaningSteps<GroupResult> {
    const { directory, segments, indexIntervalBytes, bufferBytes, nowMs, deleteRetentionMs } = job
    const map = this.#map
    if (map === null) throw new Error(`${job.partition}: the keys of the dirty part are not known`)
    const output = new CleanedSegment({
      services: this.#services,
      directory,
      baseOffset: segments[0]!.baseOffset,
      indexIntervalBytes,
      bufferBytes,
    })
    try {
      const filter = new BatchFilter({
        map,
        transactions: this.#transactions,
        producers: new Map(
          job.producers.map(([producerId, lastDataOffset, producerEpoch]) => [
            producerId,
            { lastDataOffset, producerEpoch },
          ]),
        ),
        nowMs,
        deleteRetentionMs,
        output,
        maxDecompressedBytes,
      })
      const reader = new BatchReader(bufferBytes)
      const last = segments.findLast(({ sizeBytes }) => sizeBytes > 0)
      let bytesRead = 0
      for (const segment of segments) {
        using file = this.#open(job, segment)
        const { keepsLegacyTombstones } = segment
        this.#transactions.add(segment.aborted)
        reader.open(file, 0, segment.sizeBytes)
        while (reader.fill()) {
          let written = 0
          while (reader.next()) {
            const { bytes, at, sizeBytes, nextPosition } = reader
            const isLast = segment === last && nextPosition === segment.sizeBytes
            written += filter.filter({ bytes, at, sizeBytes, isLast, keepsLegacyTombstones })
          }
          bytesRead += reader.filledBytes
          yield reader.filledBytes + written
        }
      }
      output.finish()
      const { recordsRead, recordsKept, keylessRecords } = filter
      const { sizeBytes, hasTransactions: hasTransactionIndex } = output
      return { sizeBytes, hasTransactionIndex, bytesRead, recordsRead, recordsKept, keylessRecords }
    } finally {
      output.close()
    }
  }

  /** The log is done with: gives the memory of the map back. */
  forget(): void {
    this.#map = null
    this.#transactions = new CleanedTransactions()
  }

  #open({ directory }: MapJob | GroupJob, { baseOffset: base }: SourceSegment | DirtySegment) {
    const file = this.#services.disk.openSync(`${directory}/${segmentFileName(base, 'log')}`, 'read')
    return {
      path: file.path,
      readSync: (into: Uint8Array, position: number) => file.readSync(into, position),
      [Symbol.dispose]: () => file.closeSync(),
    }
  }
}

/** Puts the keys of batches into the map. */
class MapFiller {
  recordsRead = 0
  readonly #map: OffsetMap
  readonly #transactions: CleanedTransactions

  constructor(map: OffsetMap, transactions: CleanedTransactions) {
    this.#map = map
    this.#transactions = transactions
  }

  /** False when the map became full within the batch. @throws CorruptBatchError. */
  take(bytes: Uint8Array, at: number): boolean {
    const map = this.#map
    const isLegacy = magicOf(bytes, at) < 2
    checkSum(bytes, at)
    const fits = isLegacy ? this.#takeLegacy(bytes, at) : this.#takeBatch(bytes, at)
    const last = Number((isLegacy ? baseOffset(bytes, at) : lastOffset(bytes, at)) - map.origin)
    if (fits && last >= 0) map.advanceTo(last)
    return fits
  }

  #takeBatch(bytes: Uint8Array, at: number): boolean {
    const map = this.#map
    if (isControl(bytes, at)) {
      this.#transactions.onControlBatch(bytes, at, () => {})
      return true
    }
    // Records that nobody will read supersede nothing.
    if (this.#transactions.onBatch(bytes, at)) return true
    const base = Number(baseOffset(bytes, at) - map.origin)
    const cursor = openRecords(bytes, at, maxDecompressedBytes)
    while (cursor.next()) {
      this.recordsRead++
      const offset = base + cursor.offsetDelta
      const { keyAt, keyLength } = cursor
      if (keyLength >= 0 && offset >= 0 && !map.put(cursor.bytes, keyAt, keyAt + keyLength, offset)) return false
    }
    return true
  }

  #takeLegacy(bytes: Uint8Array, at: number): boolean {
    const map = this.#map
    for (const { key, offset } of readMessages(bytes, at, maxDecompressedBytes)) {
      this.recordsRead++
      const relative = Number(offset - map.origin)
      if (key !== null && relative >= 0 && !map.put(key, 0, key.length, relative)) return false
    }
    return true
  }
}

/** A key that is wrong by a damaged bit must not make another record go. */
function checkSum(bytes: Uint8Array, at: number): void {
  const isSound = magicOf(bytes, at) < 2 ? isMessageIntact(bytes, at) : computeCrc(bytes, at) === storedCrc(bytes, at)
  if (isSound) return
  throw new CorruptBatchError(
    `the checksum of the batch of ${batchSizeBytes(bytes, at)} bytes at offset ${baseOffset(bytes, at)} is wrong`,
  )
}
