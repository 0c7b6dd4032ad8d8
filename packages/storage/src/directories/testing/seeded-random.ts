import type { Random } from '@millrace/runtime'

/** Mulberry32. */
export function seededRandom(seed: number): Random {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296
  }
  const integer = (bound: number): number => Math.floor(next() * bound)
  return { next, integer, bytes: (length) => Uint8Array.from({ length }, () => integer(256)) }
}
