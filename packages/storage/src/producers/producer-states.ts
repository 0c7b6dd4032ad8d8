/**
 * All idempotent producers of a partition, and the transactions that are open or not yet replicated in full. Source: Kafka's
 * ProducerStateManager; PROTOCOL §3.4, §3.5.
 *
 * Snapshots are files (producer-snapshot.ts) named by `mapEndOffset`: one when a segment is rolled, so that every segment can be recovered
 * from its own start, one at a clean close.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Disk, Logger } from '@millrace/runtime'
import {
  CorruptSnapshotError,
  decodeProducerSnapshot,
  encodeProducerSnapshot,
  type ProducerSnapshotEntry,
} from '../formats/producer-snapshot.ts'
import { segmentFileName } from '../formats/segment-file-name.ts'
import { ProducerAppend, type AppendOrigin, type CompletedTransaction } from './producer-append.ts'
import { type CachedBatch, ProducerEntry } from './producer-entry.ts'
import { type Verification, type VerificationRequest, Verifications } from './verifications.ts'

export interface ProducerStatesOptions {
  readonly disk: Disk
  readonly logger: Logger
  readonly directory: string
  /** `<topic>-<partition>`, for messages. */
  readonly partition: string
  readonly producerIdExpirationMs: number
  readonly maxTransactionTimeoutMs: number
}

/** What DescribeProducers says of one producer. */
export interface ProducerDescription {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly lastSequence: number
  readonly lastTimestamp: bigint
  readonly coordinatorEpoch: number
  /** -1n: no open transaction. */
  readonly currentTxnStartOffset: bigint
}

interface Transaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
  /** Of its marker; -1n while it is open. */
  lastOffset: bigint
}

const lateTransactionBufferMs = 5 * 60 * 1000
const noProducers: ReadonlyMap<bigint, ProducerEntry> = new Map()

/**
 * Invariants: `#open` and `#unreplicated` ascend by first offset; an open transaction's producer is in the map with the same first offset;
 * everything is the sum of the records below `mapEndOffset`.
 */
export class ProducerStates {
  readonly verifications = new Verifications()
  readonly #options: ProducerStatesOptions
  #directory: string
  #producers: Map<bigint, ProducerEntry> | null = null
  #open: Transaction[] = []
  #unreplicated: Transaction[] = []
  #mapEndOffset = 0n
  #lastSnapshotOffset = 0n
  /** Offsets of the snapshot files, ascending. */
  #snapshots: bigint[] = []

  constructor(options: ProducerStatesOptions, snapshots: readonly bigint[] = []) {
    this.#options = options
    this.#directory = options.directory
    this.#snapshots = snapshots.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  }

  /** Known producers by id. */
  get all(): ReadonlyMap<bigint, ProducerEntry> {
    return this.#producers ?? noProducers
  }

  get count(): number {
    return this.#producers?.size ?? 0
  }

  /** The records below are in the map. */
  get mapEndOffset(): bigint {
    return this.#mapEndOffset
  }

  get snapshotOffsets(): readonly bigint[] {
    return this.#snapshots
  }

  get latestSnapshotOffset(): bigint | null {
    return this.#snapshots.at(-1) ?? null
  }

  get isEmpty(): boolean {
    return this.count === 0 && this.#unreplicated.length === 0
  }

  /** First offset of the earliest transaction that is open, or whose marker is not below the high watermark. null when there is none. */
  get firstUnstableOffset(): bigint | null {
    const open = this.#open[0]?.firstOffset
    const unreplicated = this.#unreplicated[0]?.firstOffset
    if (open === undefined) return unreplicated ?? null
    return unreplicated === undefined || open < unreplicated ? open : unreplicated
  }

  /** First offset of the earliest open transaction. */
  get firstUndecidedOffset(): bigint | null {
    return this.#open[0]?.firstOffset ?? null
  }

  describe(): ProducerDescription[] {
    return Array.from(this.all.values(), (entry) => ({
      producerId: entry.producerId,
      producerEpoch: entry.epoch,
      lastSequence: entry.lastSequence,
      lastTimestamp: entry.lastTimestamp,
      coordinatorEpoch: entry.coordinatorEpoch,
      currentTxnStartOffset: entry.currentTxnFirstOffset,
    }))
  }

  /** Whether the oldest open transaction is older than any may be. */
  hasLateTransaction(nowMs: number): boolean {
    const oldest = this.#open[0]
    const last = oldest === undefined ? -1n : (this.all.get(oldest.producerId)?.lastTimestamp ?? -1n)
    return last > 0n && nowMs - Number(last) > this.#options.maxTransactionTimeoutMs + lateTransactionBufferMs
  }

  hasOpenTransaction(producerId: bigint, epoch: number): boolean {
    const entry = this.all.get(producerId)
    return entry !== undefined && entry.currentTxnFirstOffset >= 0n && entry.epoch === epoch
  }

  /**
   * To be shown to the append of a transactional batch, once the transaction coordinator has said that the partition belongs to the
   * transaction; null when it has records here already and need not be asked.
   * @throws KafkaError INVALID_PRODUCER_EPOCH.
   */
  beginVerification(request: VerificationRequest, nowMs: number): Verification | null {
    const { producerId, producerEpoch } = request
    this.checkEpoch(producerId, producerEpoch)
    return this.hasOpenTransaction(producerId, producerEpoch) ? null : this.verifications.begin(request, nowMs)
  }

  /** @throws KafkaError INVALID_PRODUCER_EPOCH when a later epoch of the producer was seen. */
  checkEpoch(producerId: bigint, epoch: number): void {
    const last = this.#producers?.get(producerId)?.epoch
    if (last !== undefined && epoch < last)
      throw new KafkaError(
        ErrorCode.INVALID_PRODUCER_EPOCH,
        `${this.#options.partition}: producer ${producerId} has epoch ${epoch}, its last one is ${last}`,
      )
  }

  findDuplicate(producerId: bigint, epoch: number, firstSequence: number, lastSequence: number): CachedBatch | null {
    return this.#producers?.get(producerId)?.findDuplicate(epoch, firstSequence, lastSequence) ?? null
  }

  /** What the rules make of the producer's next batches; nothing changes before `commit`. */
  prepare(producerId: bigint, origin: AppendOrigin): ProducerAppend {
    return new ProducerAppend({
      producerId,
      before: this.#producers?.get(producerId),
      origin,
      partition: this.#options.partition,
      verification: this.verifications.get(producerId),
    })
  }

  commit(append: ProducerAppend): void {
    this.#producers ??= new Map()
    this.#producers.set(append.entry.producerId, append.entry)
    for (const firstOffset of append.startedTransactions)
      this.#open.push({ producerId: append.entry.producerId, firstOffset, lastOffset: -1n })
  }

  /** The last stable offset once `completed` is: what the transaction index records. To be asked before `complete`. */
  stableOffsetAfter(completed: CompletedTransaction): bigint {
    for (const transaction of this.#open)
      if (transaction.producerId !== completed.producerId) return transaction.firstOffset
    return completed.lastOffset + 1n
  }

  /** The transaction has its marker; readers still wait until the high watermark is past it. */
  complete(completed: CompletedTransaction): void {
    const index = this.#open.findIndex((transaction) => transaction.firstOffset === completed.firstOffset)
    const transaction = this.#open[index]
    if (transaction === undefined)
      throw new Error(
        `${this.#options.partition}: no open transaction of producer ${completed.producerId} began at ${completed.firstOffset}`,
      )
    this.#open.splice(index, 1)
    transaction.lastOffset = completed.lastOffset
    let at = this.#unreplicated.length
    while (at > 0 && this.#unreplicated[at - 1]!.firstOffset > transaction.firstOffset) at--
    this.#unreplicated.splice(at, 0, transaction)
  }

  setMapEndOffset(offset: bigint): void {
    this.#mapEndOffset = offset
  }

  onHighWatermark(highWatermark: bigint): void {
    if (this.#unreplicated.length > 0)
      this.#unreplicated = this.#unreplicated.filter((transaction) => transaction.lastOffset >= highWatermark)
  }

  onLogStart(logStartOffset: bigint): void {
    this.onHighWatermark(logStartOffset)
    if (this.#mapEndOffset < logStartOffset) this.#mapEndOffset = logStartOffset
    this.#lastSnapshotOffset = this.latestSnapshotOffset ?? logStartOffset
  }

  /** Forgets producers without an open transaction that wrote nothing for `producer.id.expiration.ms`. */
  removeExpired(nowMs: number): void {
    this.verifications.removeExpired(nowMs, this.#options.producerIdExpirationMs)
    if (this.#producers === null) return
    for (const entry of this.#producers.values())
      if (this.#isExpired(entry, nowMs)) this.#producers.delete(entry.producerId)
  }

  /** Writes a snapshot at `mapEndOffset` unless the last one is there already. Returns its path, not synced; null when not needed. */
  takeSnapshot(): string | null {
    if (this.#mapEndOffset <= this.#lastSnapshotOffset) return null
    const path = this.#path(this.#mapEndOffset)
    const content = encodeProducerSnapshot(
      this.#inOrder().map((entry) => {
        const last = entry.batches.at(-1)
        return {
          producerId: entry.producerId,
          epoch: entry.epoch,
          lastSequence: last?.lastSequence ?? -1,
          lastOffset: last?.lastOffset ?? -1n,
          offsetDelta: last?.offsetDelta ?? 0,
          timestamp: entry.lastTimestamp,
          coordinatorEpoch: entry.coordinatorEpoch,
          currentTxnFirstOffset: entry.currentTxnFirstOffset,
        }
      }),
    )
    const file = this.#options.disk.openSync(path, 'create')
    try {
      file.truncateSync(0)
      file.writeSync([content], 0)
    } finally {
      file.closeSync()
    }
    this.#addSnapshot(this.#mapEndOffset)
    this.#lastSnapshotOffset = this.#mapEndOffset
    return path
  }

  /**
   * Prepares a rebuild up to `endOffset`: removes snapshots that are no use, and when the map does not end there loads the newest one left.
   * The records from `mapEndOffset` to `endOffset` are then to be replayed.
   */
  truncateAndReload(logStartOffset: bigint, endOffset: bigint, nowMs: number): void {
    for (const offset of this.#snapshots)
      if (offset > endOffset || offset <= logStartOffset) this.#removeSnapshot(offset)
    if (endOffset === this.#mapEndOffset) return this.onLogStart(logStartOffset)
    this.#clear()
    this.#load(logStartOffset, nowMs)
  }

  truncateFullyAndStartAt(offset: bigint): void {
    this.#clear()
    for (const snapshot of this.#snapshots) this.#removeSnapshot(snapshot)
    this.#lastSnapshotOffset = 0n
    this.#mapEndOffset = offset
  }

  /** Removes the snapshots that belong to no segment, but for one behind the last segment: that of a clean close. */
  removeStraySnapshots(baseOffsets: ReadonlySet<bigint>, lastBaseOffset: bigint): void {
    const latest = this.latestSnapshotOffset
    for (const offset of this.#snapshots)
      if (!baseOffsets.has(offset) && !(offset === latest && offset >= lastBaseOffset)) this.#removeSnapshot(offset)
  }

  /** Renames the snapshot of a segment that is deleted; returns its new path, null when there is none. */
  markSnapshotDeleted(offset: bigint): string | null {
    if (!this.#snapshots.includes(offset)) return null
    this.#snapshots = this.#snapshots.filter((other) => other !== offset)
    const to = `${this.#path(offset)}.deleted`
    try {
      this.#options.disk.renameSync(this.#path(offset), to)
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOENT') throw error
      return null
    }
    return to
  }

  movedTo(directory: string): void {
    this.#directory = directory
  }

  #load(logStartOffset: bigint, nowMs: number): void {
    for (;;) {
      const offset = this.latestSnapshotOffset
      if (offset === null) {
        this.#lastSnapshotOffset = logStartOffset
        this.#mapEndOffset = logStartOffset
        return
      }
      const path = this.#path(offset)
      try {
        for (const stored of decodeProducerSnapshot(this.#options.disk.readFileSync(path), path))
          this.#restore(stored, nowMs)
        this.#open.sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
        this.#lastSnapshotOffset = offset
        this.#mapEndOffset = offset
        return
      } catch (error) {
        if (!(error instanceof CorruptSnapshotError) && (error as { code?: unknown }).code !== 'ENOENT') throw error
        this.#options.logger.warn('a producer snapshot cannot be used and is removed', { path, error })
        this.#clear()
        this.#removeSnapshot(offset)
      }
    }
  }

  #restore(stored: ProducerSnapshotEntry, nowMs: number): void {
    const entry = new ProducerEntry(stored.producerId)
    entry.epoch = stored.epoch
    if (stored.lastOffset >= 0n) entry.addBatch(stored.epoch, stored)
    entry.lastTimestamp = stored.timestamp
    entry.coordinatorEpoch = stored.coordinatorEpoch
    entry.currentTxnFirstOffset = stored.currentTxnFirstOffset
    if (this.#isExpired(entry, nowMs)) return
    this.#producers ??= new Map()
    this.#producers.set(entry.producerId, entry)
    if (entry.currentTxnFirstOffset >= 0n)
      this.#open.push({ producerId: entry.producerId, firstOffset: entry.currentTxnFirstOffset, lastOffset: -1n })
  }

  #inOrder(): ProducerEntry[] {
    return [...this.all.values()].sort((a, b) => (a.producerId < b.producerId ? -1 : 1))
  }

  #isExpired(entry: ProducerEntry, nowMs: number): boolean {
    return (
      entry.currentTxnFirstOffset < 0n && nowMs - Number(entry.lastTimestamp) >= this.#options.producerIdExpirationMs
    )
  }

  #clear(): void {
    this.#producers = null
    this.#open = []
    this.#unreplicated = []
  }

  #addSnapshot(offset: bigint): void {
    if (this.#snapshots.includes(offset)) return
    this.#snapshots = [...this.#snapshots, offset].sort((a, b) => (a < b ? -1 : 1))
  }

  #removeSnapshot(offset: bigint): void {
    this.#snapshots = this.#snapshots.filter((other) => other !== offset)
    this.#options.disk.removeSync(this.#path(offset))
  }

  #path(offset: bigint): string {
    return `${this.#directory}/${segmentFileName(offset, 'snapshot')}`
  }
}
