/**
 * The outside of zstd frames (RFC 8878 §3.1): where they end and what they can unpack to, without unpacking. Node's own functions do
 * not tell alike in all versions: 22 takes a cut frame for a whole one, 24 stops after the first of several.
 *
 * Frame: magic `28 b5 2f fd` · descriptor (bits 6-7 size of the content size, 5 single segment, 2 checksum, 0-1 size of the
 * dictionary id) · [window descriptor] · [dictionary id] · [content size] · blocks of 3 bytes header (bit 0 last, 1-2 type, then
 * size) + data · [checksum]. Skippable frame: magic `5? 2a 4d 18` · int32 size · data. All little-endian.
 */
import { corrupt } from './codec-errors.ts'

const frameMagic = 0xfd2f_b528
const largestBlock = 128 * 1024
const rawBlock = 0
const repeatedByte = 1
const reservedBlock = 3

export interface ZstdFrame {
  readonly end: number
  /** Holds nothing to unpack. */
  readonly isSkippable: boolean
  /** What it says it unpacks to, or else the most its blocks can. */
  readonly bound: number
}

/** The frame that begins at `at`. @throws KafkaError CORRUPT_MESSAGE when none does, or it is cut off. */
export function zstdFrame(bytes: Uint8Array, at: number): ZstdFrame {
  const cutOff = () => corrupt('zstd', `the frame at ${at} is cut off`)
  if (bytes.length - at < 6) throw cutOff()
  const magic = readLittleEndian(bytes, at, 4)
  if ((magic & 0xffff_fff0) >>> 0 === 0x184d_2a50) {
    const end = at + 8 + readLittleEndian(bytes, at + 4, 4)
    if (!(end <= bytes.length)) throw cutOff()
    return { end, isSkippable: true, bound: 0 }
  }
  if (magic !== frameMagic) throw corrupt('zstd', `no frame begins at ${at}`)

  const descriptor = bytes[at + 4]!
  const isSingleSegment = (descriptor & 0x20) !== 0
  const sizeClass = descriptor >>> 6
  const sizeBytes = sizeClass === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeClass
  const sizeAt = at + 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!
  if (sizeAt + sizeBytes > bytes.length) throw cutOff()

  let most = 0
  let end = sizeAt + sizeBytes
  for (let isLast = false; !isLast;) {
    if (end + 3 > bytes.length) throw cutOff()
    const header = readLittleEndian(bytes, end, 3)
    isLast = (header & 1) !== 0
    const type = (header >>> 1) & 3
    const size = header >>> 3
    if (type === reservedBlock) throw corrupt('zstd', `the block at ${end} has a type that does not exist`)
    most += type === rawBlock || type === repeatedByte ? size : largestBlock
    end += 3 + (type === repeatedByte ? 1 : size)
  }
  if ((descriptor & 0x04) !== 0) end += 4
  if (end > bytes.length) throw cutOff()
  if (sizeBytes === 0) return { end, isSkippable: false, bound: most }
  const declared = readLittleEndian(bytes, sizeAt, sizeBytes) + (sizeClass === 1 ? 256 : 0)
  return { end, isSkippable: false, bound: declared }
}

function readLittleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let index = count - 1; index >= 0; index--) value = value * 0x100 + bytes[at + index]!
  return value
}
