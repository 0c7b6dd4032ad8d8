/** xxHash32 with seed 0, the checksum inside LZ4 frames. */

const prime1 = 0x9e37_79b1 | 0
const prime2 = 0x85eb_ca77 | 0
const prime3 = 0xc2b2_ae3d | 0
const prime4 = 0x27d4_eb2f | 0
const prime5 = 0x1656_67b1 | 0

/** Unsigned hash of `bytes[start..end)`. */
export function xxhash32(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  let hash: number
  if (end - start >= 16) {
    let a = (prime1 + prime2) | 0
    let b = prime2
    let c = 0
    let d = -prime1 | 0
    for (const last = end - 16; at <= last; at += 16) {
      a = round(a, readLittleEndian(bytes, at))
      b = round(b, readLittleEndian(bytes, at + 4))
      c = round(c, readLittleEndian(bytes, at + 8))
      d = round(d, readLittleEndian(bytes, at + 12))
    }
    hash = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0
  } else hash = prime5
  hash = (hash + (end - start)) | 0
  for (; at + 4 <= end; at += 4)
    hash = Math.imul(rotate((hash + Math.imul(readLittleEndian(bytes, at), prime3)) | 0, 17), prime4)
  for (; at < end; at++) hash = Math.imul(rotate((hash + Math.imul(bytes[at]!, prime5)) | 0, 11), prime1)
  hash = Math.imul(hash ^ (hash >>> 15), prime2)
  hash = Math.imul(hash ^ (hash >>> 13), prime3)
  return (hash ^ (hash >>> 16)) >>> 0
}

function round(lane: number, input: number): number {
  return Math.imul(rotate((lane + Math.imul(input, prime2)) | 0, 13), prime1)
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

function readLittleEndian(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}
