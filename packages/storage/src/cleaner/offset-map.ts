/**
 * The last offset of each key in the dirty part of a log: a hash table that grows with the keys, 24 bytes a slot, up to a bound on its memory.
 * Source: Kafka's SkimpyOffsetMap.
 *
 * A slot is the hash of a key (4 × int32) and its offset (float64), counted from `origin` and one more, so that 0 means empty. Offsets outside
 * are relative to `origin` too: numbers, not bigints. Probing is linear: a neighbour is in the cache already.
 */
import { KeyHash } from './key-hash.ts'

export const slotBytes = 24
const wordsPerSlot = 6
const floatsPerSlot = 3
const offsetAt = 2
const fewestSlots = 64
/** A larger part of its slots is used only when memory allows no more of them. */
const comfortableLoad = 0.5
/** More memory per map is not used, as in Kafka. */
const mostBytes = 0x7fff_ffff
const hashRange = 2 ** 32

export interface OffsetMapOptions {
  readonly memoryBytes: number
  /** The share of the slots that may be used. */
  readonly loadFactor: number
  /** The first offset that will be put. */
  readonly origin: bigint
}

export class OffsetMap {
  readonly origin: bigint
  /** Keys it takes. */
  readonly capacity: number
  readonly #mostSlots: number
  readonly #hash = new KeyHash()
  #size = 0
  #latest = -1
  #slots = 0
  /** Slots per value of a uint32. */
  #scale = 0
  #words!: Int32Array
  #offsets!: Float64Array
  /** Keys at which it grows, if it may. */
  #growAt = 0

  constructor({ memoryBytes, loadFactor, origin }: OffsetMapOptions) {
    const allowedSlots = Math.floor(Math.min(memoryBytes, mostBytes) / slotBytes)
    this.origin = origin
    // At least one slot is always empty.
    this.#mostSlots = Math.max(2, allowedSlots)
    this.capacity = Math.max(1, Math.min(Math.floor(allowedSlots * loadFactor), this.#mostSlots - 1))
    this.#allocate(Math.min(fewestSlots, this.#mostSlots))
  }

  get size(): number {
    return this.#size
  }

  /** All records up to here have been put; -1 before the first. */
  get latest(): number {
    return this.#latest
  }

  /** Share of the capacity that is used. */
  get utilization(): number {
    return this.#size / this.capacity
  }

  /** Records without a key, and gaps, up to `offset` have been seen. */
  advanceTo(offset: number): void {
    this.#latest = offset
  }

  /** False, with nothing done, when the map is full. As in Kafka, a full map takes no further offset of a key it has either. */
  put(bytes: Uint8Array, keyStart: number, keyEnd: number, offset: number): boolean {
    if (this.#size >= this.capacity) return false
    this.#hash.update(bytes, keyStart, keyEnd)
    const { words } = this.#hash
    let slot = this.#find(words[0]!, words[1]!, words[2]!, words[3]!)
    if (this.#offsets[slot * floatsPerSlot + offsetAt] === 0) {
      if (this.#size === this.#growAt) {
        this.#grow()
        slot = this.#find(words[0]!, words[1]!, words[2]!, words[3]!)
      }
      this.#words.set(words, slot * wordsPerSlot)
      this.#size++
    }
    this.#offsets[slot * floatsPerSlot + offsetAt] = offset + 1
    this.#latest = offset
    return true
  }

  /** The last offset of the key; -Infinity when it has none. */
  get(bytes: Uint8Array, keyStart: number, keyEnd: number): number {
    this.#hash.update(bytes, keyStart, keyEnd)
    const { words } = this.#hash
    const slot = this.#find(words[0]!, words[1]!, words[2]!, words[3]!)
    const stored = this.#offsets[slot * floatsPerSlot + offsetAt]!
    return stored === 0 ? -Infinity : stored - 1
  }

  /** The slot of the key, or the empty one where it belongs. */
  #find(h0: number, h1: number, h2: number, h3: number): number {
    const words = this.#words
    const offsets = this.#offsets
    const slots = this.#slots
    let slot = ((h0 >>> 0) * this.#scale) | 0
    while (offsets[slot * floatsPerSlot + offsetAt] !== 0) {
      const at = slot * wordsPerSlot
      if (words[at] === h0 && words[at + 1] === h1 && words[at + 2] === h2 && words[at + 3] === h3) return slot
      slot++
      if (slot === slots) slot = 0
    }
    return slot
  }

  #grow(): void {
    const words = this.#words
    const offsets = this.#offsets
    const before = this.#slots
    this.#allocate(Math.min(this.#mostSlots, before * 2))
    for (let old = 0; old < before; old++) {
      const offset = offsets[old * floatsPerSlot + offsetAt]!
      if (offset === 0) continue
      const at = old * wordsPerSlot
      const slot = this.#find(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!)
      this.#words.set(words.subarray(at, at + 4), slot * wordsPerSlot)
      this.#offsets[slot * floatsPerSlot + offsetAt] = offset
    }
  }

  #allocate(slots: number): void {
    const memory = new ArrayBuffer(slots * slotBytes)
    this.#slots = slots
    this.#scale = slots / hashRange
    this.#words = new Int32Array(memory)
    this.#offsets = new Float64Array(memory)
    this.#growAt = slots === this.#mostSlots ? Infinity : Math.floor(slots * comfortableLoad)
  }
}
