/**
 * A hierarchical timing wheel: adding and cancelling a timer cost the same few steps whether one waits or 100,000 do.
 *
 * Level 0 has one slot per tick, each further level one slot per turn of the level below. A timer lies in the lowest level whose
 * span reaches its deadline; when the wheel comes to a slot of a higher level, the slot's timers move down. Each timer moves at
 * most LEVELS - 1 times. What lies beyond the highest level (about 124 days at 10 ms) waits in its last slot and moves again.
 *
 * The wheel knows ticks, not time; its owner turns it.
 */

import type { Timer } from '../clock.ts'

const SLOT_BITS = 6
const SLOTS = 1 << SLOT_BITS
const SLOT_MASK = SLOTS - 1
const LEVELS = 5
/** Ticks until which the highest level reaches. */
const SPAN_TICKS = SLOTS ** LEVELS

class WheelTimer implements Timer {
  /** Neighbours in the slot's ring; itself when in no slot. */
  next: WheelTimer = this
  previous: WheelTimer = this
  readonly deadlineTick: number
  readonly callback: () => void
  readonly #wheel: TimingWheel | null

  constructor(wheel: TimingWheel | null, deadlineTick: number, callback: () => void) {
    this.#wheel = wheel
    this.deadlineTick = deadlineTick
    this.callback = callback
  }

  cancel(): void {
    if (this.next !== this) this.#wheel!.remove(this)
  }

  insertBefore(head: WheelTimer): void {
    this.previous = head.previous
    this.next = head
    head.previous.next = this
    head.previous = this
  }

  unlink(): void {
    this.previous.next = this.next
    this.next.previous = this.previous
    this.next = this.previous = this
  }
}

export class TimingWheel {
  /** Invariant: every timer here has deadlineTick > tick, and so is reached. */
  #tick: number
  #size = 0
  /** Heads of the slots' rings, LEVELS × SLOTS. */
  readonly #slots: WheelTimer[] = []

  constructor(tick: number) {
    this.#tick = tick
    for (let i = 0; i < LEVELS * SLOTS; i++) this.#slots.push(new WheelTimer(null, 0, () => {}))
  }

  /** Timers that wait. */
  get size(): number {
    return this.#size
  }

  /** The tick up to which the wheel has turned. */
  get tick(): number {
    return this.#tick
  }

  /** `callback` is called by the first `advance` to `deadlineTick` or later; by the next one when that tick has passed. */
  add(deadlineTick: number, callback: () => void): Timer {
    const timer = new WheelTimer(this, Math.max(deadlineTick, this.#tick + 1), callback)
    this.#place(timer)
    this.#size++
    return timer
  }

  /** Takes `timer`, which is in a slot, out. */
  remove(timer: WheelTimer): void {
    timer.unlink()
    this.#size--
  }

  /** Skips to `tick` without a turn. Only when no timer waits. */
  skipTo(tick: number): void {
    if (this.#size === 0 && tick > this.#tick) this.#tick = tick
  }

  /**
   * Turns to `tick`, calling what is due in the order of ticks, and within a tick in the order of adding as far as known.
   * A callback that throws leaves the rest for the next call.
   */
  advance(tick: number): void {
    while (this.#tick < tick) {
      if (this.#size === 0) {
        this.#tick = tick
        return
      }
      // No slot before the next busy one has anything to move or call.
      const next = this.nextBusyTick()
      if (next > tick) {
        this.#tick = tick
        return
      }
      this.#tick = next - 1
      this.#turnOnce()
    }
  }

  /**
   * The next tick at which a timer is due or must move to a lower level: no timer is due before. Infinity when none waits.
   */
  nextBusyTick(): number {
    if (this.#size === 0) return Infinity
    let earliest = Infinity
    for (let level = 0; level < LEVELS; level++) {
      const shift = level * SLOT_BITS
      // Tick numbers outgrow 32 bits, so no shifts on them.
      const unit = 2 ** shift
      const position = Math.floor(this.#tick / unit)
      for (let ahead = 1; ahead <= SLOTS; ahead++) {
        const head = this.#slots[level * SLOTS + ((position + ahead) & SLOT_MASK)]!
        if (head.next === head) continue
        earliest = Math.min(earliest, (position + ahead) * unit)
        break
      }
    }
    return earliest
  }

  #turnOnce(): void {
    this.#tick++
    let unit = 1
    for (let level = 1; level < LEVELS; level++) {
      unit *= SLOTS
      if (this.#tick % unit !== 0) break
      const head = this.#slots[level * SLOTS + ((this.#tick / unit) & SLOT_MASK)]!
      this.#moveDown(head)
    }
    const due = this.#slots[this.#tick & SLOT_MASK]!
    try {
      for (let timer = due.next; timer !== due; timer = due.next) {
        this.remove(timer)
        timer.callback()
      }
    } catch (error) {
      this.#tick--
      throw error
    }
  }

  #moveDown(head: WheelTimer): void {
    // What lay beyond the span may come back to this very slot: take the ring off first.
    const last = head.previous
    for (let timer = head.next; timer !== head; timer = head.next) {
      const isLast = timer === last
      timer.unlink()
      this.#place(timer)
      if (isLast) return
    }
  }

  #place(timer: WheelTimer): void {
    const tick = Math.min(timer.deadlineTick, this.#tick + SPAN_TICKS - 1)
    let level = 0
    let unit = 1
    // The slot of the wheel's own position in a level has been emptied already: a timer must lie strictly ahead of it, or be due now.
    while (level < LEVELS - 1 && Math.floor(tick / unit) - Math.floor(this.#tick / unit) >= SLOTS) {
      level++
      unit *= SLOTS
    }
    timer.insertBefore(this.#slots[level * SLOTS + (Math.floor(tick / unit) & SLOT_MASK)]!)
  }
}
