/**
 * Records that must be handled one after the other share a lane: all of the partition, or those of one key. A lane is busy with one of them, and others
 * wait behind it, oldest first. Keys of one hash share a lane, which does no harm; records without a key have none.
 */
import { hashOf } from '../key-hash.ts'

/** Records that may wait before no more is taken from the batch. */
const maxWaiting = 1_000

interface Keyed {
  readonly rawKey: Uint8Array | null
}

export interface Lane<T> {
  /** Of its keys; null for the lane of a whole partition. */
  readonly hash: number | null
  isBusy: boolean
  readonly waiting: T[]
}

export class Lanes<T> {
  /** The only one when ordered by partition; null when ordered by key. */
  readonly #whole: Lane<T> | null
  /** Those that are busy, when ordered by key. */
  readonly #ofKeys = new Map<number, Lane<T>>()
  #waiting = 0

  constructor(ordering: 'partition' | 'key') {
    this.#whole = ordering === 'partition' ? { hash: null, isBusy: false, waiting: [] } : null
  }

  /** Whether another record may find its place, in hand or waiting. */
  get hasRoom(): boolean {
    return this.#whole === null ? this.#waiting < maxWaiting : !this.#whole.isBusy
  }

  /** The lane of the record's key while it is busy; else null, as always when ordered by partition. */
  busyWithKeyOf({ rawKey }: Keyed): Lane<T> | null {
    if (rawKey === null || this.#ofKeys.size === 0) return null
    return this.#ofKeys.get(hashOf(rawKey)) ?? null
  }

  /** Makes the record's lane busy with it. Null when no other need wait for it. */
  occupy({ rawKey }: Keyed): Lane<T> | null {
    let lane = this.#whole
    if (lane === null) {
      if (rawKey === null) return null
      const hash = hashOf(rawKey)
      lane = this.#ofKeys.get(hash) ?? null
      if (lane === null) this.#ofKeys.set(hash, (lane = { hash, isBusy: true, waiting: [] }))
    }
    lane.isBusy = true
    return lane
  }

  wait(lane: Lane<T>, waiting: T): void {
    lane.waiting.push(waiting)
    this.#waiting++
  }

  /** What it was busy with has ended. Returns the one behind, which it is busy with now; null when it is free. */
  leave(lane: Lane<T>): T | null {
    const next = lane.waiting.shift()
    if (next !== undefined) {
      this.#waiting--
      return next
    }
    lane.isBusy = false
    if (lane.hash !== null) this.#ofKeys.delete(lane.hash)
    return null
  }

  /** Those that wait do so no more; lanes stay busy. */
  dropWaiting(): void {
    this.#waiting = 0
    for (const lane of this.#ofKeys.values()) lane.waiting.length = 0
  }
}
