import type { Random } from '../random.ts'

/** Chance that a seed repeats: the same seed, the same numbers. (sfc32 by Chris Doty-Humphrey, seeded by splitmix32.) */
export class SeededRandom implements Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    let state = seed | 0
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
      return mixed ^ (mixed >>> 15)
    }
    this.#a = next()
    // A seed may have a fraction or more than 32 bits.
    this.#b = next() ^ Math.floor(seed / 2 ** 32)
    this.#c = next()
    for (let i = 0; i < 12; i++) this.uint32()
  }

  /** Uniform in [0, 2^32). */
  uint32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0
    return result >>> 0
  }

  next(): number {
    return ((this.uint32() >>> 5) * 2 ** 26 + (this.uint32() >>> 6)) / 2 ** 53
  }

  integer(bound: number): number {
    return Math.floor(this.next() * bound)
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.uint32() >>> 24)
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** Uniform in [range[0], range[1]). */
  between(range: readonly [number, number]): number {
    return range[0] + this.next() * (range[1] - range[0])
  }

  /** A generator of its own: what one part draws does not change what another gets. */
  fork(): SeededRandom {
    return new SeededRandom(this.uint32())
  }
}
