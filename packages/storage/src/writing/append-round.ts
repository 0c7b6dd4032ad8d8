/**
 * The end of a turn: writes what all logs staged during it, one gathered write per log and segment.
 *
 * Measured (PERFORMANCE §1): a synchronous write to the page cache costs 7 µs for 16 KiB and 250 µs for 1 MiB, a detour over the thread
 * pool 35-50 µs. So small flushes are synchronous; asynchronous ones take over when a flush is large, when the disk was slow lately
 * (dirty throttling, cold pages), or when this turn has spent its share of the event loop on other logs.
 */
import type { Clock } from '@millrace/runtime'

/** What one log has staged. */
export interface StagedWriter {
  /** Bytes waiting, without those being written. */
  readonly stagedBytes: number
  /** An asynchronous write is under way; the next one has to wait for it. */
  readonly isWriting: boolean
  writeSync(): void
  /** Resolves when written, or failed and dealt with; never rejects. */
  write(): Promise<void>
}

/** A flush above this goes to the thread pool. */
const syncFlushBytes = 1024 * 1024
/** What synchronous writes may take of one turn. */
const syncBudgetMs = 10
/** A synchronous write that took longer than this makes the disk a slow one… */
const slowWriteMs = 5
/** …for so long. */
const slowForMs = 1000

export class AppendRound {
  readonly #clock: Clock
  #dirty: StagedWriter[] = []
  #isScheduled = false
  #slowUntilMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `writer` has something staged, and had not before. */
  add(writer: StagedWriter): void {
    this.#dirty.push(writer)
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#clock.endOfTurn(this.#run)
  }

  readonly #run = (): void => {
    this.#isScheduled = false
    const dirty = this.#dirty
    this.#dirty = []
    const startMs = this.#clock.monotonicMs()
    let nowMs = startMs
    for (const writer of dirty) {
      // What is staged while a write is under way is taken along when that one ends.
      if (writer.isWriting) continue
      if (writer.stagedBytes > syncFlushBytes || nowMs < this.#slowUntilMs || nowMs - startMs > syncBudgetMs) {
        void writer.write()
        continue
      }
      writer.writeSync()
      const endMs = this.#clock.monotonicMs()
      if (endMs - nowMs > slowWriteMs) this.#slowUntilMs = endMs + slowForMs
      nowMs = endMs
    }
  }
}
