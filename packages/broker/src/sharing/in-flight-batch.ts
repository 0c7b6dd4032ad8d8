/**
 * A run of offsets that was acquired together: one `Delivery` for all as long as they stand alike, one for each offset from when they do
 * not. Once split it stays split until the window has passed it.
 */
import { Delivery, type DeliveryStart } from './delivery.ts'
import { RecordState } from './record-state.ts'

export class InFlightBatch {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  /** null when `each` is there instead. */
  #whole: Delivery | null
  /** By distance from the first offset. */
  #each: Delivery[] | null = null

  constructor(firstOffset: bigint, lastOffset: bigint, start: DeliveryStart) {
    this.firstOffset = firstOffset
    this.lastOffset = lastOffset
    this.#whole = new Delivery(start)
  }

  get size(): number {
    return Number(this.lastOffset - this.firstOffset) + 1
  }

  /** null when the offsets stand apart. */
  get whole(): Delivery | null {
    return this.#whole
  }

  isWithin(first: bigint, last: bigint): boolean {
    return this.firstOffset >= first && this.lastOffset <= last
  }

  contains(offset: bigint): boolean {
    return this.firstOffset <= offset && offset <= this.lastOffset
  }

  /** From now on each offset stands for itself. Not while a change of the whole is under way. */
  split(): readonly Delivery[] {
    if (this.#each === null) {
      const whole = this.#whole!
      this.#each = Array.from({ length: this.size }, () => whole.copy())
      this.#whole = null
    }
    return this.#each
  }

  /** Splits what was just acquired for the first time: only the first `count` of it are, the rest is there to be had. */
  splitBehind(count: number): void {
    const each = this.split() as Delivery[]
    for (let at = count; at < each.length; at++)
      each[at] = new Delivery({ state: RecordState.AVAILABLE, count: each[at]!.count - 1 })
  }

  /** The offsets from `first` to `last` that are in it, which must stand apart. Stops when `visit` returns false. */
  forEachOffset(first: bigint, last: bigint, visit: (offset: bigint, delivery: Delivery) => boolean | void): void {
    const each = this.#each!
    const from = first > this.firstOffset ? Number(first - this.firstOffset) : 0
    const to = last < this.lastOffset ? Number(last - this.firstOffset) : each.length - 1
    for (let at = from; at <= to; at++) if (visit(this.firstOffset + BigInt(at), each[at]!) === false) return
  }

  /** All deliveries, each with the offsets it stands for. Stops when `visit` returns false, and then returns false itself. */
  forEachDelivery(visit: (delivery: Delivery, first: bigint, last: bigint) => boolean | void): boolean {
    if (this.#whole !== null) return visit(this.#whole, this.firstOffset, this.lastOffset) !== false
    const each = this.#each!
    for (let at = 0; at < each.length; at++) {
      const offset = this.firstOffset + BigInt(at)
      if (visit(each[at]!, offset, offset) === false) return false
    }
    return true
  }
}
