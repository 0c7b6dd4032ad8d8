/** Big-endian integers at a position of a byte array, without DataView or Buffer objects. Positions are not checked. */

const pair = new Int32Array(2)
const long = new BigInt64Array(pair.buffer)
const lowFirst = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
const low = lowFirst ? 0 : 1
const high = lowFirst ? 1 : 0

export function readInt16(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) >> 16) | bytes[at + 1]!
}

export function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) >>> 0
}

export function readInt64(bytes: Uint8Array, at: number): bigint {
  pair[high] = readInt32(bytes, at)
  pair[low] = readInt32(bytes, at + 4)
  return long[0]!
}

export function writeInt16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8
  bytes[at + 1] = value
}

/** Also takes an unsigned 32-bit number. */
export function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

export function writeInt64(bytes: Uint8Array, at: number, value: bigint): void {
  long[0] = value
  writeInt32(bytes, at, pair[high]!)
  writeInt32(bytes, at + 4, pair[low]!)
}
