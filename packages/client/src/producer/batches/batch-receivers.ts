/**
 * Who is to be told of the records of a batch, in their order, and the records' timestamps. What `sendAll` appends, successive slots of one
 * receiver at one time, is one entry, not one per record.
 */
import type { Receiver } from './acknowledgement.ts'

/** A record of the batch: its index, the receiver with the slot it is known by there, and its timestamp. */
export type ReceiverVisitor = (index: number, receiver: Receiver, slot: number, timestampMs: number) => void

/** Of all that have none; never written to. */
const noReceivers: Receiver[] = []
const noNumbers: number[] = []

/** Invariant: stretch i holds the records from `#from[i]` to before `#from[i + 1]`; the slot of the first is `#slots[i]`. */
export class BatchReceivers {
  #count = 0
  #receivers: Receiver[] = noReceivers
  #slots: number[] = noNumbers
  #timestamps: number[] = noNumbers
  #from: number[] = noNumbers

  get count(): number {
    return this.#count
  }

  add(receiver: Receiver, slot: number, timestampMs: number): void {
    const last = this.#from.length - 1
    if (last < 0) {
      // Mostly there is one stretch, and arrays that grow begin with room for many.
      this.#receivers = [receiver]
      this.#slots = [slot]
      this.#timestamps = [timestampMs]
      this.#from = [0]
    } else if (
      this.#receivers[last] !== receiver ||
      this.#timestamps[last] !== timestampMs ||
      this.#slots[last]! + this.#count - this.#from[last]! !== slot
    ) {
      this.#receivers.push(receiver)
      this.#slots.push(slot)
      this.#timestamps.push(timestampMs)
      this.#from.push(this.#count)
    }
    this.#count++
  }

  forEach(visit: ReceiverVisitor): void {
    for (let stretch = 0; stretch < this.#from.length; stretch++) {
      const receiver = this.#receivers[stretch]!
      const timestamp = this.#timestamps[stretch]!
      const from = this.#from[stretch]!
      const to = this.#from[stretch + 1] ?? this.#count
      const slotOfNone = this.#slots[stretch]! - from
      for (let index = from; index < to; index++) visit(index, receiver, slotOfNone + index, timestamp)
    }
  }

  /** Those of the records from `from` to before `to`. */
  slice(from: number, to: number): BatchReceivers {
    const part = new BatchReceivers()
    this.forEach((index, receiver, slot, timestamp) => {
      if (index >= from && index < to) part.add(receiver, slot, timestamp)
    })
    return part
  }

  /** Lets go of all, once they are told: whatever still holds the batch shall not hold what its records were answered with. */
  clear(): void {
    this.#receivers = noReceivers
    this.#slots = noNumbers
    this.#timestamps = noNumbers
    this.#from = noNumbers
  }
}
