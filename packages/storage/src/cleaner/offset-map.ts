/**
 * The last offset of each key in the dirty part of a log: a hash table in one piece of memory, 24 bytes a key, that never holds more than the
 * bound allows. Source: Kafka's SkimpyOffsetMap.
 *
 * A slot is the hash of a key (4 × int32) and its offset (float64), counted from `origin` and one more, so that 0 means empty. Fresh memory is
 * zero and not resident: a small log costs little, whatever the bound. Offsets outside are relative to `origin` too: numbers, not bigints.
 */
import { KeyHash } from './key-hash.ts'

export const slotBytes = 24
const wordsPerSlot = 6
const floatsPerSlot = 3
const fewestSlots = 7
/** More memory per map is not used, as in Kafka. */
const mostBytes = 0x7fff_ffff

export interface OffsetMapOptions {
  readonly memoryBytes: number
  /** The share of the slots that may be used. */
  readonly loadFactor: number
  /** The first offset that will be put. */
  readonly origin: bigint
  /** No more keys than this will be put. */
  readonly mostKeys: number
}

export class OffsetMap {
  readonly origin: bigint
  /** Keys it takes. */
  readonly capacity: number
  #size = 0
  #latest = -1
  readonly #slots: number
  readonly #words: Int32Array
  readonly #offsets: Float64Array
  readonly #hash = new KeyHash()

  constructor({ memoryBytes, loadFactor, origin, mostKeys }: OffsetMapOptions) {
    const allowedSlots = Math.floor(Math.min(memoryBytes, mostBytes) / slotBytes)
    this.origin = origin
    // Half empty where memory allows: then a look-up takes one or two probes. A prime, so that every step reaches all slots.
    this.#slots = primeUpTo(Math.max(fewestSlots, Math.min(allowedSlots, 2 * mostKeys)))
    this.capacity = Math.max(1, Math.min(Math.floor(allowedSlots * loadFactor), this.#slots - 1))
    const memory = new ArrayBuffer(this.#slots * slotBytes)
    this.#words = new Int32Array(memory)
    this.#offsets = new Float64Array(memory)
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
    const slot = this.#find(bytes, keyStart, keyEnd)
    const at = slot * floatsPerSlot + 2
    if (this.#offsets[at] === 0) {
      this.#words.set(this.#hash.words, slot * wordsPerSlot)
      this.#size++
    }
    this.#offsets[at] = offset + 1
    this.#latest = offset
    return true
  }

  /** The last offset of the key; -Infinity when it has none. */
  get(bytes: Uint8Array, keyStart: number, keyEnd: number): number {
    const stored = this.#offsets[this.#find(bytes, keyStart, keyEnd) * floatsPerSlot + 2]!
    return stored === 0 ? -Infinity : stored - 1
  }

  /** The slot of the key, or the empty one where it belongs. There always is an empty one. */
  #find(bytes: Uint8Array, keyStart: number, keyEnd: number): number {
    this.#hash.update(bytes, keyStart, keyEnd)
    const hash = this.#hash.words
    const h0 = hash[0]!
    const h1 = hash[1]!
    const h2 = hash[2]!
    const h3 = hash[3]!
    const words = this.#words
    const slots = this.#slots
    let slot = (h0 >>> 0) % slots
    const step = 1 + ((h1 >>> 0) % (slots - 1))
    while (this.#offsets[slot * floatsPerSlot + 2] !== 0) {
      const at = slot * wordsPerSlot
      if (words[at] === h0 && words[at + 1] === h1 && words[at + 2] === h2 && words[at + 3] === h3) return slot
      slot += step
      if (slot >= slots) slot -= slots
    }
    return slot
  }
}

/** The largest prime not above `limit`, which is at least 2. */
function primeUpTo(limit: number): number {
  for (let candidate = limit; ; candidate--) {
    let isPrime = candidate === 2 || candidate % 2 === 1
    for (let divisor = 3; isPrime && divisor * divisor <= candidate; divisor += 2) isPrime = candidate % divisor !== 0
    if (isPrime) return candidate
  }
}
