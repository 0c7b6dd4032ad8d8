/**
 * How far a log is on the disk, and who waits for it to be.
 *
 * Syncs of one log follow one another. Each covers what was written when it began: log files, the indexes of segments that are complete (of the
 * active one only the log is synced), snapshots, leader epochs, and the names of new files.
 */
import type { Disk, DiskFile } from '@millrace/runtime'
import type { LeaderEpochs } from './leader-epochs.ts'
import type { FewAtOnce } from './few-at-once.ts'
import type { Segment } from './segments/segment.ts'
import type { SegmentList } from './segments/segment-list.ts'
import type { WrittenCallback } from './writing/staged-appends.ts'
import type { SyncRound } from './writing/sync-round.ts'

/** What durability has to know of the log it belongs to. */
export interface DurableLog {
  readonly directory: string
  readonly services: { readonly disk: Disk; readonly syncs: SyncRound; readonly backgroundSyncs: FewAtOnce }
  readonly segments: SegmentList
  readonly leaderEpochs: LeaderEpochs
  readonly ends: { readonly writtenEndOffset: bigint }
  readonly health: { readonly failure: Error | null; fail(error: Error): unknown }
}

/** Invariant: everything below `recoveryPoint` is durable, but for the indexes of the segments in `#rolled` and of the active one. */
export class LogDurability {
  readonly #log: DurableLog
  #recoveryPoint = 0n
  /** Every append below this waits, or has waited, for a sync. */
  #requestedEnd = 0n
  #waiters: WrittenCallback[] = []
  #syncing: Promise<void> | null = null
  #snapshots: string[] = []
  /** Complete segments whose indexes are not synced. */
  readonly #rolled = new Set<Segment>()
  #truncations = 0
  #isReleased = false

  constructor(log: DurableLog) {
    this.#log = log
  }

  get recoveryPoint(): bigint {
    return this.#recoveryPoint
  }

  /** What recovery may begin with: the segment that holds this offset. While the log is open, always one whose indexes are synced. */
  checkpoint(logEndOffset: bigint): bigint {
    const [rolled] = this.#rolled
    if (rolled !== undefined && rolled.baseOffset < this.#recoveryPoint) return rolled.baseOffset
    const isInActive = this.#recoveryPoint === logEndOffset && this.#log.segments.active.sizeBytes > 0
    return isInActive && !this.#isReleased ? this.#recoveryPoint - 1n : this.#recoveryPoint
  }

  /** After loading. What a process that died has written may not be on the disk. */
  startAt(recoveryPoint: bigint, options: { afterCleanShutdown: boolean }): void {
    this.#recoveryPoint = recoveryPoint
    this.#requestedEnd = recoveryPoint
    if (options.afterCleanShutdown) return
    for (const segment of this.#log.segments.from(recoveryPoint)) {
      segment.markUnsynced()
      if (segment !== this.#log.segments.active) this.#rolled.add(segment)
    }
  }

  /** Whether an append that ends at `endOffset` has to be synced before it is acknowledged. */
  demandsSync(endOffset: bigint, flushMessages: number): boolean {
    if (endOffset - this.#requestedEnd < BigInt(flushMessages)) return false
    this.#requestedEnd = endOffset
    return true
  }

  /** End of what is as safe as `flush.messages` demands: of what is written, unless an append of it waits for a sync. */
  get settledEndOffset(): bigint {
    return this.#recoveryPoint < this.#requestedEnd ? this.#recoveryPoint : this.#log.ends.writtenEndOffset
  }

  /** Calls back when what is written now is durable, or will never be. */
  afterSync(callback: WrittenCallback): void {
    if (this.#log.health.failure !== null) return callback(this.#log.health.failure)
    this.#waiters.push(callback)
    this.#log.services.syncs.add(this)
  }

  /** @internal for SyncRound */
  async syncWritten(): Promise<void> {
    const waiters = this.#waiters
    this.#waiters = []
    await this.sync()
    for (const callback of waiters) callback(this.#log.health.failure)
  }

  failWaiters(error: Error): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const callback of waiters) callback(error)
  }

  addSnapshot(path: string | null): void {
    if (path !== null) this.#snapshots.push(path)
  }

  /**
   * Completes a segment before the next one gets its first byte, so that recovery after a crash of the process need not look at it, and
   * that no crash of the system can lose its name and keep the next one's. The index may go to disk only after the epochs of what it
   * points at: see LeaderEpochs. The sync follows in the background.
   */
  sealRolled(segment: Segment): void {
    this.#log.leaderEpochs.persistNow(this.#log.ends.writtenEndOffset)
    segment.seal()
    this.#rolled.add(segment)
    this.syncNames()
    void this.#log.services.backgroundSyncs.run(() => this.sync())
  }

  /** The segment is gone, or is the active one again. */
  forget(segment: Segment): void {
    this.#rolled.delete(segment)
  }

  truncatedTo(offset: bigint): void {
    this.#truncations++
    if (this.#recoveryPoint > offset) this.#recoveryPoint = offset
    if (this.#requestedEnd > offset) this.#requestedEnd = offset
  }

  /** Nothing is synced from now on. */
  release(): void {
    this.#isReleased = true
  }

  /** Covers at least what is written when it is called. Never rejects: a failure fails the log. */
  async sync(): Promise<void> {
    const before = this.#syncing
    const sync = (async () => {
      if (before !== null) await before
      if (this.#log.health.failure !== null || this.#isReleased) return
      try {
        await this.#syncNow()
      } catch (error) {
        this.#log.health.fail(error as Error)
      }
    })()
    this.#syncing = sync
    await sync
    if (this.#syncing === sync) this.#syncing = null
  }

  async #syncNow(): Promise<void> {
    const upTo = this.#log.ends.writtenEndOffset
    const truncations = this.#truncations
    const rolled = [...this.#rolled]
    await Promise.all([
      ...this.#log.segments.from(this.#recoveryPoint).map((segment) => segment.syncLog()),
      ...rolled.flatMap((segment) => [segment.syncLog(), segment.syncIndexes()]),
      ...this.#snapshots.splice(0).map((path) => this.#syncFile(path)),
      this.#log.leaderEpochs.persist(upTo),
    ])
    if (this.#isReleased) return
    this.syncNames()
    for (const segment of rolled) this.#rolled.delete(segment)
    if (truncations === this.#truncations && upTo > this.#recoveryPoint) this.#recoveryPoint = upTo
  }

  /** Makes the names of new files durable. */
  syncNames(): void {
    const unsynced = this.#log.segments.all.filter((segment) => segment.exists && !segment.isNameSynced)
    if (unsynced.length === 0 && !this.#log.leaderEpochs.needsDirectorySync) return
    this.#log.leaderEpochs.needsDirectorySync = false
    this.#log.services.disk.syncDirectorySync(this.#log.directory)
    for (const segment of unsynced) segment.isNameSynced = true
  }

  async #syncFile(path: string): Promise<void> {
    let file: DiskFile
    try {
      file = this.#log.services.disk.openSync(path, 'write')
    } catch (error) {
      // A truncation may have removed the snapshot.
      if ((error as { code?: unknown }).code !== 'ENOENT') throw error
      return
    }
    try {
      await file.sync()
    } finally {
      file.closeSync()
    }
  }
}
