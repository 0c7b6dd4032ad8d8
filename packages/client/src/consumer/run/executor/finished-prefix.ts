/**
 * Which records of a partition are finished without a gap, however many are in hand at a time: what may be committed.
 * Costs nothing for records that are finished as soon as they begin while no other is open; else one slot per record, or per run of them.
 */

/** The part of a record that matters here. */
export interface Placed {
  readonly offset: bigint
  readonly leaderEpoch: number | null
}

/** One record that has begun, or a run of records that are finished behind one that is not. */
export interface Slot {
  offset: bigint
  leaderEpoch: number | null
  isDone: boolean
  next: Slot | null
}

export class FinishedPrefix {
  /** The oldest record that is not finished; null when everything is. Done slots at the head are taken off at once. */
  #head: Slot | null = null
  #tail: Slot | null = null
  #slots = 0
  #last: Placed | null = null

  /** Slots in use: how far the finished ones have run ahead of the oldest that is open, and how many are open. */
  get slots(): number {
    return this.#slots
  }

  /** The last record before the first gap; null when not even the first is finished. */
  get last(): Placed | null {
    return this.#last
  }

  /** The record that comes next in the partition has begun. */
  begin(record: Placed): Slot {
    const slot: Slot = { offset: record.offset, leaderEpoch: record.leaderEpoch, isDone: false, next: null }
    if (this.#tail === null) this.#head = slot
    else this.#tail.next = slot
    this.#tail = slot
    this.#slots++
    return slot
  }

  /** The record that comes next in the partition began and is finished. */
  passed(record: Placed): void {
    const tail = this.#tail
    if (tail === null) {
      this.#last = record
    } else if (tail.isDone) {
      tail.offset = record.offset
      tail.leaderEpoch = record.leaderEpoch
    } else {
      this.begin(record).isDone = true
    }
  }

  /** Returns whether the prefix has grown. */
  finish(slot: Slot): boolean {
    slot.isDone = true
    if (slot !== this.#head) return false
    let last: Slot = slot
    let next: Slot | null = slot
    while (next?.isDone === true) {
      last = next
      next = next.next
      this.#slots--
    }
    this.#head = next
    if (next === null) this.#tail = null
    this.#last = last
    return true
  }

  /** Forgets everything; slots given out before have no effect any more. */
  clear(): void {
    this.#head = null
    this.#tail = null
    this.#slots = 0
    this.#last = null
  }
}
