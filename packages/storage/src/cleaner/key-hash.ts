/**
 * MD5 of record keys, as Kafka's cleaner takes it: 128 bits stand for a key, so two keys must never share them, even if somebody who may
 * name keys tries: a hash for hash tables would not do. In JavaScript, as a call into OpenSSL costs five times as much for a short key.
 * Source: RFC 1321.
 */

const sines = Int32Array.from({ length: 64 }, (_, index) => Math.floor(Math.abs(Math.sin(index + 1)) * 2 ** 32) | 0)
/** Four for each of the four rounds. */
const rotations = Int32Array.of(7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21)
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

  #mix(): void {
    const { words } = this
    const block = this.#block
    const before0 = words[0]!
    const before1 = words[1]!
    const before2 = words[2]!
    const before3 = words[3]!
    let a = before0
    let b = before1
    let c = before2
    let d = before3
    for (let step = 0; step < 64; step++) {
      const round = step >> 4
      let mixed: number
      let word: number
      if (round === 0) {
        mixed = d ^ (b & (c ^ d))
        word = step
      } else if (round === 1) {
        mixed = c ^ (d & (b ^ c))
        word = (5 * step + 1) & 15
      } else if (round === 2) {
        mixed = b ^ c ^ d
        word = (3 * step + 5) & 15
      } else {
        mixed = c ^ (b | ~d)
        word = (7 * step) & 15
      }
      const sum = (a + mixed + sines[step]! + block[word]!) | 0
      const shift = rotations[(round << 2) | (step & 3)]!
      a = d
      d = c
      c = b
      b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0
    }
    words[0] = (before0 + a) | 0
    words[1] = (before1 + b) | 0
    words[2] = (before2 + c) | 0
    words[3] = (before3 + d) | 0
  }
}
