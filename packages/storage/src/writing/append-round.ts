/**
 * The end of a turn: writes what all logs staged during it, one gathered write per log and segment.
 *
 * Measured (PERFORMANCE §1): a synchronous write to the page cache costs 7 µs for 16 KiB and 250 µs for 1 MiB, a detour over the thread
 * pool 35-50 µs. So small flushes are synchronous, as many as fit into a turn's share of the event loop, the others in the next turn. Large
 * ones are asynchronous, and all are while the disk is slow (dirty throttling, cold pages); only so many at a time, as each holds a file open.
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
/** A synchronous write that took longer than this was held up: by the disk, or by a neighbour on the processor. */
const slowWriteMs = 5
/** The second slow write within this time makes it the disk's fault, and writes asynchronous for as long again. */
const slowForMs = 500
const asyncWritesAtOnce = 16

export class AppendRound {
  readonly #clock: Clock
  #dirty: StagedWriter[] = []
  #isScheduled = false
  #writesUnderWay = 0
  #lastSlowMs = Number.NEGATIVE_INFINITY
  #slowUntilMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `writer` has something staged, and had not before. */
  add(writer: StagedWriter): void {
    this.#dirty.push(writer)
    this.#schedule()
  }

  #schedule(): void {
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
    for (const [index, writer] of dirty.entries()) {
      // What is staged while a write is under way is taken along when that one ends.
      if (writer.isWriting) continue
      if (nowMs - startMs > syncBudgetMs) {
        for (let rest = index; rest < dirty.length; rest++) this.#dirty.push(dirty[rest]!)
        this.#schedule()
        return
      }
      if (writer.stagedBytes > syncFlushBytes || nowMs < this.#slowUntilMs) {
        if (this.#writesUnderWay < asyncWritesAtOnce) void this.#write(writer)
        else this.#dirty.push(writer)
        continue
      }
      writer.writeSync()
      const endMs = this.#clock.monotonicMs()
      if (endMs - nowMs > slowWriteMs) this.#noteSlowWrite(endMs)
      nowMs = endMs
    }
  }

  async #write(writer: StagedWriter): Promise<void> {
    this.#writesUnderWay++
    await writer.write()
    this.#writesUnderWay--
    if (this.#dirty.length > 0) this.#schedule()
  }

  #noteSlowWrite(nowMs: number): void {
    if (nowMs - this.#lastSlowMs < slowForMs) this.#slowUntilMs = nowMs + slowForMs
    this.#lastSlowMs = nowMs
  }
}
