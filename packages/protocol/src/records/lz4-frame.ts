/**
 * LZ4 frames: magic `04 22 4d 18`, FLG, BD, [content size int64], [dictionary id], HC, then blocks of int32 size (top bit: stored
 * as they are) + data + [xxHash32], an end mark of 0 and [xxHash32 of the content]; little-endian.
 * FLG: bits 6-7 version 1, 5 independent blocks, 4 block checksums, 3 content size, 2 content checksum, 0 dictionary id.
 * BD: bits 4-6 largest block: 4 = 64 KiB, 5 = 256 KiB, 6 = 1 MiB, 7 = 4 MiB. HC: second byte of the xxHash32 of FLG…HC.
 *
 * Written as Kafka's Java client does: independent 64 KiB blocks, no checksums. In messages of magic 0 that client's HC was summed
 * over the magic too; readers of magic 0 expect it (KAFKA-3160), so it is written there and not checked on reading.
 * Blocks are packed by the native package and unpacked here: as fast, bounded, and with linked blocks too.
 */
import { corrupt, unpacksTooLarge } from './codec-errors.ts'
import { copyShort, repeatWithin } from './copy-within.ts'
import { nativeLz4 } from './native-codecs.ts'
import { xxhash32 } from './xxhash32.ts'

const frameMagic = 0x184d_2204
const blockBytes = 64 * 1024
const storedFlag = 0x8000_0000
/** A byte of a length adds at most 255, so no block unpacks to more than this times its size. */
const largestRatio = 255

interface Frame {
  /** Position of the first block. */
  readonly blocksAt: number
  readonly end: number
  readonly largestBlock: number
  readonly isIndependent: boolean
  readonly hasBlockChecksums: boolean
  readonly hasContentChecksum: boolean
  readonly hasValidHeaderChecksum: boolean
  /** Most the blocks can unpack to. */
  readonly bound: number
}

export function lz4Compress(bytes: Uint8Array, magic = 2): Uint8Array {
  const native = nativeLz4()
  const blocks: Uint8Array[] = []
  let size = 7 + 4
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const block = bytes.subarray(at, at + blockBytes)
    const packed = native?.compressSync(block).subarray(4) ?? block
    blocks.push(packed)
    size += 4 + Math.min(packed.length, block.length)
  }
  const out = new Uint8Array(size)
  out.set([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40])
  out[6] = xxhash32(out, magic === 0 ? 0 : 4, 6) >>> 8
  let at = 7
  for (let index = 0; index < blocks.length; index++) {
    const block = bytes.subarray(index * blockBytes, (index + 1) * blockBytes)
    const packed = blocks[index]!
    const isStored = packed.length >= block.length
    const data = isStored ? block : packed
    writeUint32(out, at, data.length + (isStored ? storedFlag : 0))
    out.set(data, at + 4)
    at += 4 + data.length
  }
  return out
}

export function lz4Decompress(bytes: Uint8Array, maxBytes: number, magic = 2): Uint8Array {
  const frames: Frame[] = []
  let bound = 0
  for (let at = 0; at < bytes.length;) {
    const skipped = skippableFrameSize(bytes, at)
    if (skipped > 0) {
      at += skipped
      continue
    }
    const frame = readFrame(bytes, at)
    if (!frame.hasValidHeaderChecksum && magic !== 0) throw corrupt('lz4', `the header at ${at} has a wrong checksum`)
    bound += frame.bound
    frames.push(frame)
    at = frame.end
  }
  if (frames.length === 0) throw corrupt('lz4', 'there is no frame')
  // The bound counts full blocks; what the sequences really make is counted when the bound does not fit.
  const size = bound <= maxBytes ? bound : countUnpacked(bytes, frames)
  if (size > maxBytes) throw unpacksTooLarge('lz4', maxBytes, size)
  const out = new Uint8Array(size)
  let at = 0
  for (const frame of frames) at = unpackFrame(bytes, frame, out, at)
  return out.subarray(0, at)
}

/** Most that the blocks of the first frame can unpack to; 0 when it is malformed. */
export function lz4DeclaredSize(bytes: Uint8Array): number {
  try {
    return readFrame(bytes, 0).bound
  } catch {
    // Malformed: unpacking will say how.
    return 0
  }
}

/** 0 when there is none. Frames with magic 0x184d2a5? carry something else, to be passed over. */
function skippableFrameSize(bytes: Uint8Array, at: number): number {
  if (bytes.length - at < 8 || (readUint32(bytes, at) & 0xffff_fff0) >>> 0 !== 0x184d_2a50) return 0
  const size = 8 + readUint32(bytes, at + 4)
  if (size > bytes.length - at) throw corrupt('lz4', `the skippable frame at ${at} is cut off`)
  return size
}

/** Reads the header and walks over the blocks. */
function readFrame(bytes: Uint8Array, start: number): Frame {
  if (bytes.length - start < 7) throw corrupt('lz4', `the header at ${start} is cut off`)
  if (readUint32(bytes, start) !== frameMagic) throw corrupt('lz4', `no frame begins at ${start}`)
  const flags = bytes[start + 4]!
  const descriptor = bytes[start + 5]!
  if (flags >>> 6 !== 1 || (flags & 0x02) !== 0) throw corrupt('lz4', `flags ${flags} are not of version 1`)
  if ((flags & 0x01) !== 0) throw corrupt('lz4', 'it needs a dictionary')
  const sizeClass = (descriptor >>> 4) & 7
  if (sizeClass < 4 || (descriptor & 0x8f) !== 0) throw corrupt('lz4', `block descriptor ${descriptor} is not known`)
  const largestBlock = 1 << (2 * sizeClass + 8)
  const headerEnd = start + 6 + ((flags & 0x08) === 0 ? 0 : 8)
  if (headerEnd >= bytes.length) throw corrupt('lz4', `the header at ${start} is cut off`)
  const hasBlockChecksums = (flags & 0x10) !== 0
  const hasContentChecksum = (flags & 0x04) !== 0
  const blocksAt = headerEnd + 1

  let bound = 0
  let at = blocksAt
  for (;;) {
    if (bytes.length - at < 4) throw corrupt('lz4', `the block at ${at} is cut off`)
    const word = readUint32(bytes, at)
    at += 4
    if (word === 0) break
    const size = word & 0x7fff_ffff
    if (size > largestBlock) throw corrupt('lz4', `the block at ${at} has ${size} bytes, over ${largestBlock}`)
    if (size + (hasBlockChecksums ? 4 : 0) > bytes.length - at) throw corrupt('lz4', `the block at ${at} is cut off`)
    bound += word >= storedFlag ? size : Math.min(largestBlock, size * largestRatio)
    at += size + (hasBlockChecksums ? 4 : 0)
  }
  const end = at + (hasContentChecksum ? 4 : 0)
  if (end > bytes.length) throw corrupt('lz4', 'the content checksum is cut off')
  return {
    blocksAt,
    end,
    largestBlock,
    isIndependent: (flags & 0x20) !== 0,
    hasBlockChecksums,
    hasContentChecksum,
    hasValidHeaderChecksum: bytes[headerEnd] === ((xxhash32(bytes, start + 4, headerEnd) >>> 8) & 0xff),
    bound,
  }
}

function countUnpacked(bytes: Uint8Array, frames: readonly Frame[]): number {
  let total = 0
  for (const frame of frames) {
    for (let at = frame.blocksAt; ;) {
      const word = readUint32(bytes, at)
      if (word === 0) break
      const size = word & 0x7fff_ffff
      total += word >= storedFlag ? size : Math.min(frame.largestBlock, countBlock(bytes, at + 4, at + 4 + size))
      at += 4 + size + (frame.hasBlockChecksums ? 4 : 0)
    }
  }
  return total
}

/** What the sequences of a block say they make; malformed ones are found when unpacking. */
function countBlock(bytes: Uint8Array, start: number, end: number): number {
  let total = 0
  for (let at = start; at < end;) {
    const token = bytes[at++]!
    let literals = token >>> 4
    if (literals === 15) {
      let more = 255
      while (more === 255 && at < end) literals += more = bytes[at++]!
    }
    total += literals
    at += literals
    if (at >= end) break
    at += 2
    let length = (token & 15) + 4
    if (length === 19) {
      let more = 255
      while (more === 255 && at < end) length += more = bytes[at++]!
    }
    total += length
  }
  return total
}

function unpackFrame(bytes: Uint8Array, frame: Frame, out: Uint8Array, outAt: number): number {
  const begin = outAt
  let at = frame.blocksAt
  for (;;) {
    const word = readUint32(bytes, at)
    at += 4
    if (word === 0) break
    const size = word & 0x7fff_ffff
    if (frame.hasBlockChecksums && xxhash32(bytes, at, at + size) !== readUint32(bytes, at + size))
      throw corrupt('lz4', `the block at ${at} has a wrong checksum`)
    const limit = Math.min(out.length, outAt + frame.largestBlock)
    if (word >= storedFlag) {
      if (size > limit - outAt) throw corrupt('lz4', `the block at ${at} does not fit`)
      out.set(bytes.subarray(at, at + size), outAt)
      outAt += size
    } else outAt = unpackBlock(bytes, at, at + size, out, outAt, limit, frame.isIndependent ? outAt : begin)
    at += size + (frame.hasBlockChecksums ? 4 : 0)
  }
  if (frame.hasContentChecksum && xxhash32(out, begin, outAt) !== readUint32(bytes, at))
    throw corrupt('lz4', 'the content has a wrong checksum')
  return outAt
}

/** Unpacks `bytes[start..end)` to `out[outAt..limit)`; copies may reach back to `oldest`. Returns the position after it. */
function unpackBlock(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  outAt: number,
  limit: number,
  oldest: number,
): number {
  let at = start
  while (at < end) {
    const token = bytes[at++]!
    let literals = token >>> 4
    if (literals === 15) {
      let more = 255
      while (more === 255) {
        if (at >= end) throw corrupt('lz4', `a literal length at ${at} is cut off`)
        literals += more = bytes[at++]!
      }
    }
    if (literals > end - at || literals > limit - outAt)
      throw corrupt('lz4', `${literals} literals at ${at} are more than there are or fit`)
    copyShort(bytes, at, at + literals, out, outAt)
    at += literals
    outAt += literals
    if (at === end) return outAt
    if (at + 2 > end) throw corrupt('lz4', `an offset at ${at} is cut off`)
    const distance = bytes[at]! | (bytes[at + 1]! << 8)
    at += 2
    let length = (token & 15) + 4
    if (length === 19) {
      let more = 255
      while (more === 255) {
        if (at >= end) throw corrupt('lz4', `a match length at ${at} is cut off`)
        length += more = bytes[at++]!
      }
    }
    if (distance === 0 || distance > outAt - oldest || length > limit - outAt)
      throw corrupt('lz4', `a match of ${length} bytes from ${distance} back, before ${at}, is out of bounds`)
    repeatWithin(out, outAt, distance, length)
    outAt += length
  }
  throw corrupt('lz4', `the block at ${start} ends with a match`)
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}
