/** Chance that can be repeated: the same seed, the same rolls (mulberry32). */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Uniform integer in [0, bound). */
  roll(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.roll(times) === 0
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.roll(values.length)]!
  }

  /** `usual`, or once in `times` one of `others`. */
  mostly<Value>(usual: Value, others: readonly Value[], times = 12): Value {
    return this.once(times) ? this.pick(others) : usual
  }
}
