/**
 * Zigzag variable-length integers as records use them: 7 bits a byte, low bits first; an int32 takes 1-5 bytes, an int64 1-10.
 * Writers return the position after the last byte.
 */

export function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) return 1
  if (zigzag < 0x4000) return 2
  if (zigzag < 0x20_0000) return 3
  return zigzag < 0x1000_0000 ? 4 : 5
}

/** Of an int64. */
export function varlongSize(value: bigint): number {
  let size = 1
  for (let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)); rest >= 0x80n; rest >>= 7n) size++
  return size
}

export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  while (rest >= 0x80) {
    bytes[at++] = rest | 0x80
    rest >>>= 7
  }
  bytes[at++] = rest
  return at
}

export function writeVarlong(bytes: Uint8Array, at: number, value: bigint): number {
  if (value >= -0x4000_0000n && value < 0x4000_0000n) return writeVarint(bytes, at, Number(value))
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  while (rest >= 0x80n) {
    bytes[at++] = Number(rest & 0x7fn) | 0x80
    rest >>= 7n
  }
  bytes[at++] = Number(rest)
  return at
}

/** Value of the int64 varint in `start..end` (`end` after its last byte), of any length up to 10 bytes. */
export function decodeVarlong(bytes: Uint8Array, start: number, end: number): bigint {
  let zigzag = 0n
  for (let at = start, shift = 0n; at < end; at++, shift += 7n) zigzag |= BigInt(bytes[at]! & 0x7f) << shift
  zigzag = BigInt.asUintN(64, zigzag)
  return BigInt.asIntN(64, (zigzag >> 1n) ^ -(zigzag & 1n))
}
