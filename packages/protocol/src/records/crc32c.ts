/**
 * CRC-32C (Castagnoli), as record batches of magic 2 and producer snapshots carry it.
 *
 * A call into the native module costs 0.2 µs, so short inputs are summed in JavaScript (slicing by 8: 1.3 GB/s against 6 GB/s).
 * Loading the native module takes 4-14 ms of a process's life: it is put off until 1 MiB has been summed without it, and a
 * machine it does not support simply stays with JavaScript.
 */
import { createRequire } from 'node:module'

type NativeCrc32c = (bytes: Uint8Array, initial?: number) => number

const nativeFromBytes = 200
const loadAfterBytes = 1024 * 1024

let native: NativeCrc32c | null = null
let bytesBeforeLoading = loadAfterBytes

const tables = makeTables()

/** Checksum of `bytes[start..end)`, unsigned. `initial` is the checksum of what came before, to sum in pieces. */
export function crc32c(bytes: Uint8Array, start = 0, end: number = bytes.length, initial = 0): number {
  const length = end - start
  if (length < nativeFromBytes) return crc32cInJavaScript(bytes, start, end, initial)
  if (native === null) {
    if (bytesBeforeLoading > length) {
      bytesBeforeLoading -= length
      return crc32cInJavaScript(bytes, start, end, initial)
    }
    native = loadNative()
  }
  return native(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), initial)
}

/** The same without native code. */
export function crc32cInJavaScript(bytes: Uint8Array, start: number, end: number, initial = 0): number {
  let crc = ~initial
  let at = start
  const t = tables
  for (const last = end - 8; at <= last; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    crc =
      t[0x700 | (crc & 0xff)]! ^
      t[0x600 | ((crc >>> 8) & 0xff)]! ^
      t[0x500 | ((crc >>> 16) & 0xff)]! ^
      t[0x400 | (crc >>> 24)]! ^
      t[0x300 | bytes[at + 4]!]! ^
      t[0x200 | bytes[at + 5]!]! ^
      t[0x100 | bytes[at + 6]!]! ^
      t[bytes[at + 7]!]!
  }
  for (; at < end; at++) crc = t[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

function loadNative(): NativeCrc32c {
  try {
    const module = createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: NativeCrc32c }
    if (module.crc32c(new TextEncoder().encode('123456789')) === 0xe306_9283) return module.crc32c
  } catch {
    // No build of it for this platform: correct all the same, only slower.
  }
  return (bytes, initial) => crc32cInJavaScript(bytes, 0, bytes.length, initial)
}

function makeTables(): Int32Array {
  const made = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
    made[byte] = crc
  }
  for (let slice = 1; slice < 8; slice++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = made[(slice - 1) * 256 + byte]!
      made[slice * 256 + byte] = made[before & 0xff]! ^ (before >>> 8)
    }
  }
  return made
}
