/** Damages a frame in the ways networks, bugs and attackers do. */
export interface Dice {
  /** Uniform integer in [0, bound). */
  roll(bound: number): number
}

type Mutation = (frame: Uint8Array, dice: Dice) => Uint8Array

/** A small generator (mulberry32): the same seed, the same run. */
export function dice(seed: number): Dice {
  let state = seed >>> 0
  return {
    roll(bound) {
      state = (state + 0x6d2b79f5) >>> 0
      let mixed = state
      mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
      return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
    },
  }
}

const extremes = [0, 1, -1, -2, 0x7f, 0x80, 0xff, 0x7fff, 0x7fffffff, -0x80000000]

const mutations: readonly Mutation[] = [
  (frame) => frame,
  flipBits,
  flipBits,
  cut,
  insert,
  repeat,
  overwriteInt32,
  overwriteInt32,
  lieAboutLength,
  garbage,
]

/** `frame` starts with its int32 length; the result is what to send. */
export function mutate(frame: Uint8Array, random: Dice): Uint8Array {
  return mutations[random.roll(mutations.length)]!(frame, random)
}

function withTrueLength(frame: Uint8Array): Uint8Array {
  new DataView(frame.buffer, frame.byteOffset).setInt32(0, frame.length - 4)
  return frame
}

/** Behind the request header's fixed part, so that most frames reach their handler. */
function position(frame: Uint8Array, random: Dice): number {
  return Math.min(frame.length - 1, 12 + random.roll(Math.max(1, frame.length - 12)))
}

function flipBits(frame: Uint8Array, random: Dice): Uint8Array {
  const copy = frame.slice()
  for (let count = 1 + random.roll(8); count > 0; count--) {
    const at = random.roll(4) === 0 ? 4 + random.roll(copy.length - 4) : position(copy, random)
    copy[at]! ^= 1 << random.roll(8)
  }
  return copy
}

function cut(frame: Uint8Array, random: Dice): Uint8Array {
  return withTrueLength(frame.slice(0, 5 + random.roll(frame.length - 5)))
}

function insert(frame: Uint8Array, random: Dice): Uint8Array {
  const at = position(frame, random)
  const extra = Uint8Array.from({ length: 1 + random.roll(40) }, () => random.roll(256))
  return withTrueLength(Uint8Array.from([...frame.subarray(0, at), ...extra, ...frame.subarray(at)]))
}

function repeat(frame: Uint8Array, random: Dice): Uint8Array {
  const from = position(frame, random)
  const to = from + random.roll(frame.length - from)
  return withTrueLength(Uint8Array.from([...frame.subarray(0, to), ...frame.subarray(from)]))
}

/** Where a count or a length may stand. */
function overwriteInt32(frame: Uint8Array, random: Dice): Uint8Array {
  const copy = frame.slice()
  const at = Math.min(position(copy, random), copy.length - 4)
  new DataView(copy.buffer).setInt32(at, extremes[random.roll(extremes.length)]!)
  return copy
}

function lieAboutLength(frame: Uint8Array, random: Dice): Uint8Array {
  const copy = frame.slice()
  const lies = [...extremes, frame.length, frame.length * 2, 90_000_000]
  new DataView(copy.buffer).setInt32(0, lies[random.roll(lies.length)]!)
  return copy
}

function garbage(frame: Uint8Array, random: Dice): Uint8Array {
  return withTrueLength(Uint8Array.from({ length: frame.length }, () => random.roll(256)))
}
