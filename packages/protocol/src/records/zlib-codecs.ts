/** gzip and zstd by `node:zlib`, bounded. Synchronous: for batches the asynchronous calls are 2-3 times slower. */
import { corrupt, unpacksTooLarge } from './codec-errors.ts'
import { zlib } from './zlib.ts'

/** Output is taken in pieces of at least this; the whole output in one piece saves copying it together. */
const smallestPiece = 16 * 1024
/** A size the data declares is believed up to this many times the size of the data. */
const believableRatio = 64

/** `level` 1-9, or -1 for zlib's default. */
export function gzipCompress(bytes: Uint8Array, level = -1): Uint8Array {
  return zlib().gzipSync(bytes, { level })
}

export function gzipDecompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return bounded('gzip', zlib().gunzipSync, bytes, maxBytes, gzipDeclaredSize(bytes))
}

/** `level` -131072…22. */
export function zstdCompress(bytes: Uint8Array, level = 3): Uint8Array {
  const { constants, zstdCompressSync } = zlib()
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } })
}

export function zstdDecompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const declared = zstdDeclaredSize(bytes)
  if (declared > maxBytes) throw unpacksTooLarge('zstd', maxBytes, declared)
  return bounded('zstd', zlib().zstdDecompressSync, bytes, maxBytes, declared)
}

/** What the functions of `node:zlib` return when asked for `info`; their types do not know it. */
interface WithInfo {
  readonly buffer: Uint8Array
  readonly engine: { readonly bytesWritten: number }
}

function bounded(
  format: string,
  decompress: (bytes: Uint8Array, options: { maxOutputLength: number; chunkSize: number; info: true }) => unknown,
  bytes: Uint8Array,
  maxBytes: number,
  declared: number,
): Uint8Array {
  const chunkSize = Math.max(smallestPiece, Math.min(declared + 1, bytes.length * believableRatio, maxBytes + 1))
  let result: WithInfo
  try {
    result = decompress(bytes, { maxOutputLength: Math.max(1, maxBytes), chunkSize, info: true }) as WithInfo
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ERR_BUFFER_TOO_LARGE') throw unpacksTooLarge(format, maxBytes)
    throw corrupt(format, message, error)
  }
  const unread = bytes.length - result.engine.bytesWritten
  if (unread > 0) throw corrupt(format, `${unread} bytes follow its end`)
  // `maxOutputLength` cannot be 0.
  if (result.buffer.length > maxBytes) throw unpacksTooLarge(format, maxBytes, result.buffer.length)
  return result.buffer
}

/** Size of the content by the trailer of a gzip stream; 0 when it is too short. May be a lie: a hint only. */
export function gzipDeclaredSize(bytes: Uint8Array): number {
  const at = bytes.length - 4
  if (at < 14) return 0
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

/** Content size in the header of a zstd frame (RFC 8878 §3.1.1.1); 0 when it is not told. */
export function zstdDeclaredSize(bytes: Uint8Array): number {
  if (bytes.length < 6 || bytes[0] !== 0x28 || bytes[1] !== 0xb5 || bytes[2] !== 0x2f || bytes[3] !== 0xfd) return 0
  const descriptor = bytes[4]!
  const isSingleSegment = (descriptor & 0x20) !== 0
  const sizeClass = descriptor >>> 6
  const fieldBytes = sizeClass === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeClass
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3]!
  const at = 5 + (isSingleSegment ? 0 : 1) + dictionaryIdBytes
  if (fieldBytes === 0 || at + fieldBytes > bytes.length) return 0
  let size = 0
  for (let index = fieldBytes - 1; index >= 0; index--) size = size * 0x100 + bytes[at + index]!
  return sizeClass === 1 ? size + 256 : size
}
