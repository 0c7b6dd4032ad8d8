/**
 * MD5 of record keys, as Kafka's cleaner takes it: 128 bits stand for a key, so that no two keys share them by chance. Who sets out to can make
 * two that do (MD5 is broken that way) and loses the older one, in Kafka too. In JavaScript, as a call into OpenSSL costs five times as much
 * for a short key.
 * Source: RFC 1321.
 */

const sines = Int32Array.from({ length: 64 }, (_, index) => Math.floor(Math.abs(Math.sin(index + 1)) * 2 ** 32) | 0)
const blockBytes = 64
/** The last block ends with the length in bits, 8 bytes. */
const lengthAt = 56

export class KeyHash {
  /** The hash of the last key. */
  readonly words = new Int32Array(4)
  readonly #block = new Int32Array(16)

  /** Of `bytes[start..end)`, into `words`. */
  update(bytes: Uint8Array, start: number, end: number): void {
    const { words } = this
    const block = this.#block
    words[0] = 0x6745_2301
    words[1] = 0xefcd_ab89
    words[2] = 0x98ba_dcfe
    words[3] = 0x1032_5476
    let at = start
    for (; end - at >= blockBytes; at += blockBytes) {
      for (let word = 0, from = at; word < 16; word++, from += 4)
        block[word] = bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16) | (bytes[from + 3]! << 24)
      this.#mix()
    }
    block.fill(0)
    let filled = 0
    for (; at < end; at++, filled++) block[filled >> 2]! |= bytes[at]! << ((filled & 3) << 3)
    block[filled >> 2]! |= 0x80 << ((filled & 3) << 3)
    if (filled >= lengthAt) {
      this.#mix()
      block.fill(0)
    }
    block[14] = (end - start) << 3
    block[15] = (end - start) >>> 29
    this.#mix()
  }

  /** Four rounds of sixteen steps; four steps at a time, after which each of the words is back at its place. */
  #mix(): void {
    const { words } = this
    const m = this.#block
    const before0 = words[0]!
    const before1 = words[1]!
    const before2 = words[2]!
    const before3 = words[3]!
    let a = before0
    let b = before1
    let c = before2
    let d = before3
    for (let step = 0; step < 16; step += 4) {
      a = turned(a, d ^ (b & (c ^ d)), sines[step]!, m[step]!, 7, b)
      d = turned(d, c ^ (a & (b ^ c)), sines[step + 1]!, m[step + 1]!, 12, a)
      c = turned(c, b ^ (d & (a ^ b)), sines[step + 2]!, m[step + 2]!, 17, d)
      b = turned(b, a ^ (c & (d ^ a)), sines[step + 3]!, m[step + 3]!, 22, c)
    }
    for (let step = 16; step < 32; step += 4) {
      a = turned(a, c ^ (d & (b ^ c)), sines[step]!, m[(5 * step + 1) & 15]!, 5, b)
      d = turned(d, b ^ (c & (a ^ b)), sines[step + 1]!, m[(5 * step + 6) & 15]!, 9, a)
      c = turned(c, a ^ (b & (d ^ a)), sines[step + 2]!, m[(5 * step + 11) & 15]!, 14, d)
      b = turned(b, d ^ (a & (c ^ d)), sines[step + 3]!, m[(5 * step + 16) & 15]!, 20, c)
    }
    for (let step = 32; step < 48; step += 4) {
      a = turned(a, b ^ c ^ d, sines[step]!, m[(3 * step + 5) & 15]!, 4, b)
      d = turned(d, a ^ b ^ c, sines[step + 1]!, m[(3 * step + 8) & 15]!, 11, a)
      c = turned(c, d ^ a ^ b, sines[step + 2]!, m[(3 * step + 11) & 15]!, 16, d)
      b = turned(b, c ^ d ^ a, sines[step + 3]!, m[(3 * step + 14) & 15]!, 23, c)
    }
    for (let step = 48; step < 64; step += 4) {
      a = turned(a, c ^ (b | ~d), sines[step]!, m[(7 * step) & 15]!, 6, b)
      d = turned(d, b ^ (a | ~c), sines[step + 1]!, m[(7 * step + 7) & 15]!, 10, a)
      c = turned(c, a ^ (d | ~b), sines[step + 2]!, m[(7 * step + 14) & 15]!, 15, d)
      b = turned(b, d ^ (c | ~a), sines[step + 3]!, m[(7 * step + 21) & 15]!, 21, c)
    }
    words[0] = before0 + a
    words[1] = before1 + b
    words[2] = before2 + c
    words[3] = before3 + d
  }
}

function turned(word: number, mixed: number, sine: number, part: number, shift: number, next: number): number {
  const sum = (word + mixed + sine + part) | 0
  return (next + ((sum << shift) | (sum >>> (32 - shift)))) | 0
}
