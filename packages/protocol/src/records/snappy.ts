/**
 * Snappy, raw (what librdkafka sends) and in the framing of xerial's snappy-java (what Java clients send and expect):
 * `82 "SNAPPY" 00`, int32 version, int32 oldest compatible version, then blocks of int32 size + raw Snappy, all big-endian.
 * Some clients write odd version numbers, and streams may be put one behind another, so versions are not looked at and a second
 * header may stand where a block is expected.
 *
 * Raw Snappy: varint uncompressed length, then elements: literals (tag bits 00) and copies with 1, 2 and 4 byte offsets.
 */
import { readInt32, writeInt32 } from './big-endian.ts'
import { corrupt, unpacksTooLarge } from './codec-errors.ts'
import { copyShort, repeatWithin } from './copy-within.ts'
import { nativeSnappy } from './native-codecs.ts'

const xerialMagic = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]
const xerialHeaderSize = 16
const xerialBlockBytes = 32 * 1024
/** A 3 byte copy element makes at most 64 bytes: nothing unpacks to more than this times its size. */
const largestRatio = 22
const nativeFromBytes = 1024

export function snappyCompress(bytes: Uint8Array): Uint8Array {
  const blocks: Uint8Array[] = []
  let size = xerialHeaderSize
  for (let at = 0; at < bytes.length; at += xerialBlockBytes) {
    const block = compressRaw(bytes.subarray(at, at + xerialBlockBytes))
    blocks.push(block)
    size += 4 + block.length
  }
  const out = new Uint8Array(size)
  out.set(xerialMagic)
  writeInt32(out, 8, 1)
  writeInt32(out, 12, 1)
  let at = xerialHeaderSize
  for (const block of blocks) {
    writeInt32(out, at, block.length)
    out.set(block, at + 4)
    at += 4 + block.length
  }
  return out
}

export function snappyDecompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const isXerial = startsXerial(bytes, 0)
  const size = isXerial ? xerialSize(bytes, maxBytes) : rawSize(bytes, 0, bytes.length)
  if (size > maxBytes) throw unpacksTooLarge('snappy', maxBytes, size)
  const out = new Uint8Array(size)
  if (!isXerial) unpackRaw(bytes, 0, bytes.length, out, 0)
  else {
    let at = 0
    eachXerialBlock(bytes, (start, end) => {
      at = unpackRaw(bytes, start, end, out, at)
    })
  }
  return out
}

/** What the data says it unpacks to; 0 when it is malformed. */
export function snappyDeclaredSize(bytes: Uint8Array): number {
  try {
    return startsXerial(bytes, 0) ? xerialSize(bytes, Infinity) : rawSize(bytes, 0, bytes.length)
  } catch {
    // Malformed: unpacking will say how.
    return 0
  }
}

/** Sum of what the blocks say, each plausible for its own size. */
function xerialSize(bytes: Uint8Array, maxBytes: number): number {
  let size = 0
  eachXerialBlock(bytes, (start, end) => {
    size += rawSize(bytes, start, end)
    if (size > maxBytes) throw unpacksTooLarge('snappy', maxBytes, size)
  })
  return size
}

function eachXerialBlock(bytes: Uint8Array, visit: (start: number, end: number) => void): void {
  let at = 0
  while (at < bytes.length) {
    if (startsXerial(bytes, at)) {
      if (bytes.length - at < xerialHeaderSize) throw corrupt('snappy', `the xerial header at ${at} is cut off`)
      at += xerialHeaderSize
      continue
    }
    if (bytes.length - at < 4) throw corrupt('snappy', `the size of the block at ${at} is cut off`)
    const size = readInt32(bytes, at)
    at += 4
    if (size <= 0 || size > bytes.length - at)
      throw corrupt('snappy', `the block at ${at} says it has ${size} bytes, ${bytes.length - at} are left`)
    visit(at, at + size)
    at += size
  }
}

function startsXerial(bytes: Uint8Array, at: number): boolean {
  for (let index = 0; index < xerialMagic.length; index++) if (bytes[at + index] !== xerialMagic[index]) return false
  return true
}

function rawSize(bytes: Uint8Array, start: number, end: number): number {
  let size = 0
  for (let at = start, unit = 1; at < end && at < start + 5; at++, unit *= 0x80) {
    size += (bytes[at]! & 0x7f) * unit
    if (bytes[at]! < 0x80) {
      if (size > (end - start) * largestRatio)
        throw corrupt('snappy', `the ${end - start} bytes at ${start} say they unpack to ${size}`)
      return size
    }
  }
  throw corrupt('snappy', `the length at ${start} does not end`)
}

/** Unpacks one raw block to `out[outAt…)`, which has room for what the block says. Returns the position after it. */
function unpackRaw(bytes: Uint8Array, start: number, end: number, out: Uint8Array, outAt: number): number {
  const native = end - start >= nativeFromBytes ? nativeSnappy() : null
  if (native === null) return unpackRawInJavaScript(bytes, start, end, out, outAt)
  let unpacked: Uint8Array
  try {
    unpacked = native.uncompressSync(bytes.subarray(start, end), { asBuffer: true, copyOutputData: true })
  } catch (error) {
    throw corrupt('snappy', (error as Error).message, error)
  }
  out.set(unpacked, outAt)
  return outAt + unpacked.length
}

/** The same, 2-3 times slower, for small blocks and machines without the native package. */
export function unpackRawInJavaScript(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  outAt: number,
): number {
  const limit = outAt + rawSize(bytes, start, end)
  const begin = outAt
  let at = start
  while (bytes[at]! > 0x7f) at++
  at++
  while (at < end) {
    const tag = bytes[at++]!
    if ((tag & 3) === 0) {
      let length = tag >>> 2
      if (length >= 60) {
        const extra = length - 59
        if (at + extra > end) throw corrupt('snappy', `a literal at ${at} is cut off`)
        length = bytes[at]!
        if (extra > 1) length |= bytes[at + 1]! << 8
        if (extra > 2) length |= bytes[at + 2]! << 16
        if (extra > 3) length += bytes[at + 3]! * 0x100_0000
        at += extra
      }
      length++
      if (length > end - at || length > limit - outAt)
        throw corrupt('snappy', `a literal at ${at} has ${length} bytes, more than there are or fit`)
      copyShort(bytes, at, at + length, out, outAt)
      at += length
      outAt += length
      continue
    }
    let length: number
    let distance: number
    if ((tag & 3) === 1) {
      length = ((tag >>> 2) & 7) + 4
      distance = ((tag >>> 5) << 8) | bytes[at]!
      at += 1
    } else {
      length = (tag >>> 2) + 1
      distance = bytes[at]! | (bytes[at + 1]! << 8)
      at += 2
      if ((tag & 3) === 3) {
        distance = (distance | (bytes[at]! << 16) | (bytes[at + 1]! << 24)) >>> 0
        at += 2
      }
    }
    if (at > end) throw corrupt('snappy', `a copy before ${at} is cut off`)
    if (distance === 0 || distance > outAt - begin || length > limit - outAt)
      throw corrupt('snappy', `a copy of ${length} bytes from ${distance} back, before ${at}, is out of bounds`)
    repeatWithin(out, outAt, distance, length)
    outAt += length
  }
  if (outAt !== limit) throw corrupt('snappy', `a block unpacks to ${limit - outAt} bytes less than it says`)
  return outAt
}

function compressRaw(bytes: Uint8Array): Uint8Array {
  return nativeSnappy()?.compressSync(bytes, { copyOutputData: true }) ?? asLiteral(bytes)
}

/** Valid Snappy that compresses nothing, for machines without the native package. */
export function asLiteral(bytes: Uint8Array): Uint8Array {
  const { length } = bytes
  const out: number[] = []
  let rest = length
  for (; rest > 0x7f; rest >>>= 7) out.push((rest & 0x7f) | 0x80)
  out.push(rest)
  if (length > 0) out.push(61 << 2, (length - 1) & 0xff, (length - 1) >>> 8)
  const result = new Uint8Array(out.length + length)
  result.set(out)
  result.set(bytes, out.length)
  return result
}
