/**
 * Group commit: logs that wait to be synced are synced together, one round after another. What comes during a round goes into the
 * next, so a slow disk makes rounds larger, not more.
 */
import type { Clock } from '@millrace/runtime'

export interface Syncable {
  /** Syncs what is written now and tells who waits. Never rejects. */
  syncWritten(): Promise<void>
}

/** Files being synced at once; the thread pool has four threads, the disk likes a few in flight. */
const atOnce = 8

export class SyncRound {
  readonly #clock: Clock
  #waiting = new Set<Syncable>()
  #isRunning = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(log: Syncable): void {
    this.#waiting.add(log)
    if (this.#isRunning) return
    this.#isRunning = true
    this.#clock.endOfTurn(() => void this.#run())
  }

  async #run(): Promise<void> {
    while (this.#waiting.size > 0) {
      const round = [...this.#waiting]
      this.#waiting = new Set()
      let next = 0
      const worker = async (): Promise<void> => {
        while (next < round.length) await round[next++]!.syncWritten()
      }
      await Promise.all(Array.from({ length: Math.min(atOnce, round.length) }, worker))
    }
    this.#isRunning = false
  }
}
