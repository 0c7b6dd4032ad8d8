/**
 * Removal of directories that were renamed to `…-delete`: not before `file.delete.delay.ms`, so that readers finish, and one at a time. What
 * is still waiting at shutdown is removed at the next start.
 */
import type { Clock, Disk, Logger, Timer } from '@millrace/runtime'
import type { PartitionLog } from '../partition-log.ts'
import type { LogDirectory } from './log-directory.ts'

export interface PurgeEntry {
  readonly directory: LogDirectory
  /** Of the `-delete` directory. */
  readonly path: string
  /** Closed before the removal; null when it was never opened. */
  readonly log: PartitionLog | null
}

const closedReason = 'the log was deleted'

/** Invariant: an entry is in `#waiting` until its delay is over, then in `#due` until it is removed. */
export class Purge implements AsyncDisposable {
  readonly #clock: Clock
  readonly #disk: Disk
  readonly #logger: Logger
  readonly #waiting = new Map<PurgeEntry, Timer>()
  readonly #due: PurgeEntry[] = []
  #removing: Promise<void> | null = null
  #stopped = false

  constructor({ clock, disk, logger }: { readonly clock: Clock; readonly disk: Disk; readonly logger: Logger }) {
    this.#clock = clock
    this.#disk = disk
    this.#logger = logger
  }

  /** Entries not removed yet. */
  get size(): number {
    return this.#waiting.size + this.#due.length
  }

  add(entry: PurgeEntry, delayMs: number): void {
    this.#waiting.set(
      entry,
      this.#clock.after(delayMs, () => {
        this.#waiting.delete(entry)
        this.#due.push(entry)
        this.#removing ??= this.#removeDue()
      }),
    )
  }

  async #removeDue(): Promise<void> {
    for (let entry = this.#due[0]; entry !== undefined && !this.#stopped; entry = this.#due[0]) {
      await this.#remove(entry)
      this.#due.shift()
    }
    this.#removing = null
  }

  async #remove({ directory, path, log }: PurgeEntry): Promise<void> {
    log?.abandon(new Error(closedReason))
    if (!directory.isOnline) return
    await directory.guardAsync(() => this.#disk.removeTree(path))
    this.#logger.debug('Removed a deleted log', { path })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    for (const timer of this.#waiting.values()) timer.cancel()
    await this.#removing
    for (const { log } of [...this.#waiting.keys(), ...this.#due]) log?.abandon(new Error(closedReason))
    this.#waiting.clear()
    this.#due.length = 0
  }
}
