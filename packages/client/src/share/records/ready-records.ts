/**
 * Records that were acquired and not handed out, the oldest first. None is handed out that somebody else may have by now: its lock has ended, or is
 * gone with the session it was acquired in.
 */
import type { Clock } from '@millrace/runtime'
import { AcquiredBatch, type AcquiredRecord } from './acquired-record.ts'
import type { Acquisition } from './acquisition.ts'

export interface ReadyRecordsOptions {
  readonly clock: Clock
  /** Whether the session that has the locks goes on, as far as is known. */
  readonly isHeld: (acquisition: Acquisition) => boolean
}

export class ReadyRecords<K, V> {
  readonly #options: ReadyRecordsOptions
  /** Those of a list are of one partition. */
  readonly #lists: (readonly AcquiredRecord<K, V>[])[] = []

  constructor(options: ReadyRecordsOptions) {
    this.#options = options
  }

  add(records: readonly AcquiredRecord<K, V>[]): void {
    if (records.length > 0) this.#lists.push(records)
  }

  /** They were handed out and not begun: they are the next to be handed out. */
  putBack(records: readonly AcquiredRecord<K, V>[]): void {
    if (records.length > 0) this.#lists.unshift(records)
  }

  /** Up to `maxRecords` of one partition; null when there are none. */
  take(maxRecords: number): AcquiredBatch<K, V> | null {
    const { clock, isHeld } = this.#options
    const nowMs = clock.monotonicMs()
    for (;;) {
      const records = this.#lists.shift()
      if (records === undefined) return null
      const locked = records.filter((record) => record.lockedUntilMs > nowMs && isHeld(record.acquisition))
      if (locked.length > maxRecords) this.#lists.unshift(locked.splice(maxRecords))
      if (locked.length > 0) return new AcquiredBatch(locked)
    }
  }

  clear(): void {
    this.#lists.length = 0
  }
}
