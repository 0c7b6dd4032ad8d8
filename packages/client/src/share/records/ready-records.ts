/** Records that were acquired and not handed out, the oldest first. None is handed out that is not locked any more: somebody else may have it. */
import { AcquiredBatch, type AcquiredRecord } from './acquired-record.ts'

export class ReadyRecords<K, V> {
  readonly #isLocked: (record: AcquiredRecord<K, V>) => boolean
  /** Those of a list are of one partition. */
  readonly #lists: (readonly AcquiredRecord<K, V>[])[] = []

  constructor(isLocked: (record: AcquiredRecord<K, V>) => boolean) {
    this.#isLocked = isLocked
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
    for (;;) {
      const records = this.#lists.shift()
      if (records === undefined) return null
      const locked = records.filter(this.#isLocked)
      if (locked.length > maxRecords) this.#lists.unshift(locked.splice(maxRecords))
      if (locked.length > 0) return new AcquiredBatch(locked)
    }
  }

  clear(): void {
    this.#lists.length = 0
  }
}
