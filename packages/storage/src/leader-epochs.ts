/**
 * Where each leader epoch begins in the log: what followers and consumers ask to find the point at which histories part (KIP-101, KIP-320).
 *
 * An epoch that has no record yet lives in memory only: after a crash nothing is lost with it. When its first records are appended the
 * checkpoint is rewritten in the background; until then no index entry of the log reaches the disk, so recovery scans those records and
 * finds the epoch in them. Source: Kafka's LeaderEpochFileCache.
 */
import type { Disk, DiskFile, Logger } from '@millrace/runtime'
import { CorruptCheckpointError } from './text-checkpoint.ts'
import {
  decodeLeaderEpochs,
  encodeLeaderEpochs,
  leaderEpochCheckpointFile,
  type EpochStart,
} from './formats/leader-epoch-checkpoint.ts'
import type { FewAtOnce } from './few-at-once.ts'

export interface EpochEnd {
  /** -1 when not known. */
  readonly epoch: number
  readonly endOffset: bigint
}

export interface LeaderEpochsOptions {
  readonly disk: Disk
  readonly logger: Logger
  readonly directory: string
  /** Bounds how many checkpoints are rewritten at once. */
  readonly rewrites: FewAtOnce
  readonly onFailure: (error: Error) => void
}

const unknown: EpochEnd = { epoch: -1, endOffset: -1n }

/**
 * Invariants: epochs and start offsets both ascend strictly. Unless `#fileDiffers`, the file holds exactly the first `#persistedCount`
 * entries.
 */
export class LeaderEpochs {
  readonly #options: LeaderEpochsOptions
  #directory: string
  #entries: EpochStart[] = []
  /** The directory has to be synced before the recovery point may move past the epochs written last. */
  needsDirectorySync = false
  #persistedCount = 0
  #fileDiffers = false
  #writing: Promise<void> | null = null
  /** `persistNow` has overtaken the rewrite under way. */
  #isSuperseded = false
  #hasFailed = false

  constructor(options: LeaderEpochsOptions) {
    this.#options = options
    this.#directory = options.directory
  }

  /** Reads the checkpoint. A corrupt one is put aside: recovery finds the epochs that matter in the records. */
  load(): void {
    const path = this.#path
    try {
      this.#entries = []
      for (const { epoch, startOffset } of decodeLeaderEpochs(this.#options.disk.readFileSync(path), path))
        this.#insert(epoch, startOffset)
      this.#persistedCount = this.#entries.length
      this.#fileDiffers = false
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return
      if (!(error instanceof CorruptCheckpointError)) throw error
      this.#options.logger.warn('the leader epoch checkpoint cannot be read and is started anew', { path, error })
      this.#entries = []
      this.#fileDiffers = true
    }
  }

  get entries(): readonly EpochStart[] {
    return this.#entries
  }

  /** Whether the checkpoint on disk says all about the records below `endOffset`. */
  isPersisted(endOffset: bigint): boolean {
    return (this.#writing === null || this.#isSuperseded) && !this.#needsRewrite(endOffset)
  }

  #needsRewrite(endOffset: bigint): boolean {
    const next = this.#entries[this.#persistedCount]
    return this.#fileDiffers || (next !== undefined && next.startOffset < endOffset)
  }

  /** -1 when none is known. */
  get latest(): number {
    return this.#entries.at(-1)?.epoch ?? -1
  }

  /** The epoch of the record at `offset`; -1 when not known. */
  epochForOffset(offset: bigint): number {
    let epoch = -1
    for (const entry of this.#entries) {
      if (entry.startOffset > offset) break
      epoch = entry.epoch
    }
    return epoch
  }

  /** The epoch before `epoch`; -1 when there is none. */
  previous(epoch: number): number {
    return this.#entries.findLast((entry) => entry.epoch < epoch)?.epoch ?? -1
  }

  /** `epoch` begins at `startOffset`; entries that contradict it are dropped. Does nothing when that is known. */
  assign(epoch: number, startOffset: bigint): void {
    const last = this.#entries.at(-1)
    if (last !== undefined && last.epoch === epoch && startOffset >= last.startOffset) return
    this.#insert(epoch, startOffset)
  }

  #insert(epoch: number, startOffset: bigint): void {
    if (epoch < 0 || startOffset < 0n) throw new Error(`leader epoch ${epoch} cannot begin at offset ${startOffset}`)
    let keep = this.#entries.length
    while (keep > 0 && (this.#entries[keep - 1]!.epoch >= epoch || this.#entries[keep - 1]!.startOffset >= startOffset))
      keep--
    const dropped = this.#entries.splice(keep)
    this.#cut(keep)
    if (dropped.length > 1 || (dropped.length === 1 && dropped[0]!.startOffset !== startOffset))
      this.#options.logger.warn('a new leader epoch contradicts known ones, which are dropped', {
        epoch,
        startOffset,
        dropped: dropped.map((entry) => `${entry.epoch} at ${entry.startOffset}`),
      })
    this.#entries.push({ epoch, startOffset })
  }

  /**
   * The end of `epoch`, or of the last known one before it: the start of the next. For the latest epoch that is `logEndOffset`.
   * Epoch -1 when nothing is known that would answer.
   */
  endOffsetFor(epoch: number, logEndOffset: bigint): EpochEnd {
    if (epoch === -1) return unknown
    if (this.latest === epoch) return { epoch, endOffset: logEndOffset }
    const higher = this.#entries.findIndex((entry) => entry.epoch > epoch)
    if (higher < 0) return unknown
    const floor = this.#entries[higher - 1]
    // Older than all that is known: its records are gone, and what is left begins with the next epoch.
    return { epoch: floor?.epoch ?? epoch, endOffset: this.#entries[higher]!.startOffset }
  }

  /** Drops the epochs that begin at or above the end of the log. */
  truncateFromEnd(endOffset: bigint): void {
    const last = this.#entries.at(-1)
    if (last === undefined || last.startOffset < endOffset) return
    this.#entries = this.#entries.filter((entry) => entry.startOffset < endOffset)
    this.#cut(this.#entries.length)
  }

  /** Drops the epochs that end at or below the start of the log; the first one left begins there. */
  truncateFromStart(startOffset: bigint): void {
    const passed = this.#entries.findLastIndex((entry) => entry.startOffset <= startOffset)
    if (passed < 0 || (passed === 0 && this.#entries[0]!.startOffset === startOffset)) return
    const first = this.#entries[passed]!
    this.#entries = [{ epoch: first.epoch, startOffset }, ...this.#entries.slice(passed + 1)]
    this.#cut(0)
  }

  clear(): void {
    this.#entries = []
    this.#cut(0)
  }

  /** Only the first `count` entries are still what the file may hold. */
  #cut(count: number): void {
    if (count >= this.#persistedCount) return
    this.#persistedCount = count
    this.#fileDiffers = true
  }

  /** Rewrites the checkpoint when it lacks something about the records below `endOffset`. Never rejects: a failure goes to `onFailure`. */
  persist(endOffset: bigint): Promise<void> {
    if (this.#writing !== null) return this.#writing.then(() => this.persist(endOffset))
    if (this.#hasFailed || !this.#needsRewrite(endOffset)) return Promise.resolve()
    this.#isSuperseded = false
    this.#writing = this.#options.rewrites
      .run(() => this.#rewrite())
      .catch((error: unknown) => {
        this.#hasFailed = true
        this.#options.onFailure(error as Error)
      })
      .finally(() => {
        this.#writing = null
      })
    return this.#writing
  }

  /** The same at once; a rewrite under way then comes to nothing. @throws the disk's error. */
  persistNow(endOffset: bigint): void {
    if (this.isPersisted(endOffset)) return
    this.#isSuperseded = true
    const file = this.#openNew('.now.tmp')
    try {
      file.syncSync()
    } finally {
      file.closeSync()
    }
    this.#putInPlace('.now.tmp')
  }

  async #rewrite(): Promise<void> {
    if (this.#isSuperseded) return
    const file = this.#openNew('.tmp')
    try {
      await file.sync()
    } finally {
      file.closeSync()
    }
    if (this.#isSuperseded) this.#options.disk.removeSync(`${this.#path}.tmp`)
    else this.#putInPlace('.tmp')
  }

  /** The two ways have files of their own, as one may overtake the other. */
  #openNew(suffix: string): DiskFile {
    const file = this.#options.disk.openSync(this.#path + suffix, 'create')
    file.truncateSync(0)
    file.writeSync([encodeLeaderEpochs(this.#entries)], 0)
    this.#persistedCount = this.#entries.length
    this.#fileDiffers = false
    return file
  }

  /** By its name of now: the directory may have been renamed, with the file in it, since that was opened. */
  #putInPlace(suffix: string): void {
    this.#options.disk.renameSync(this.#path + suffix, this.#path)
    this.needsDirectorySync = true
  }

  movedTo(directory: string): void {
    this.#directory = directory
  }

  get #path(): string {
    return `${this.#directory}/${leaderEpochCheckpointFile}`
  }
}
