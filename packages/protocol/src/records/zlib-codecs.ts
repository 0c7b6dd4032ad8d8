/** gzip and zstd by `node:zlib`, bounded. Synchronous: for batches the asynchronous calls are 2-3 times slower. */
import { corrupt, unpacksTooLarge } from './codec-errors.ts'
import { zlib } from './zlib.ts'
import { zstdFrame } from './zstd-frame.ts'

/** Output is taken in pieces of at least this; the whole output in one piece saves copying it together. */
const smallestPiece = 16 * 1024
/** A size the data declares is believed up to this many times the size of the data. */
const believableRatio = 64
/** Writers of batches make one; each costs a call, so that thousands of tiny ones would hold up the thread. */
const mostFrames = 1000

/** `level` 1-9, or -1 for zlib's default. */
export function gzipCompress(bytes: Uint8Array, level = -1): Uint8Array {
  return zlib().gzipSync(bytes, { level })
}

export function gzipDecompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return bounded('gzip', zlib().gunzipSync, bytes, { maxBytes, expected: gzipDeclaredSize(bytes) })
}

/** `level` -131072…22. */
export function zstdCompress(bytes: Uint8Array, level = 3): Uint8Array {
  const { constants, zstdCompressSync } = zlib()
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } })
}

export function zstdDecompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const pieces: Uint8Array[] = []
  let frames = 0
  let size = 0
  for (let at = 0; at < bytes.length || at === 0;) {
    if (++frames > mostFrames) throw corrupt('zstd', `it has more than ${mostFrames} frames`)
    const { end, isSkippable, bound } = zstdFrame(bytes, at)
    if (!isSkippable) {
      const frame = at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end)
      const piece = bounded('zstd', zlib().zstdDecompressSync, frame, { maxBytes: maxBytes - size, expected: bound })
      pieces.push(piece)
      size += piece.length
    }
    at = end
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, size)
}

function bounded(
  format: string,
  decompress: (bytes: Uint8Array, options: { maxOutputLength: number; chunkSize: number }) => Uint8Array,
  bytes: Uint8Array,
  { maxBytes, expected }: { maxBytes: number; expected: number },
): Uint8Array {
  const chunkSize = Math.max(smallestPiece, Math.min(expected + 1, bytes.length * believableRatio, maxBytes + 1))
  let unpacked: Uint8Array
  try {
    unpacked = decompress(bytes, { maxOutputLength: Math.max(1, maxBytes), chunkSize })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ERR_BUFFER_TOO_LARGE') throw unpacksTooLarge(format, maxBytes)
    throw corrupt(format, message, error)
  }
  // `maxOutputLength` cannot be 0.
  if (unpacked.length > maxBytes) throw unpacksTooLarge(format, maxBytes, unpacked.length)
  return unpacked
}

/** Size of the content by the trailer of a gzip stream; 0 when it is too short. May be a lie: a hint only. */
export function gzipDeclaredSize(bytes: Uint8Array): number {
  const at = bytes.length - 4
  if (at < 14) return 0
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

/** What the first frame says or can at most unpack to; 0 when it is malformed. */
export function zstdDeclaredSize(bytes: Uint8Array): number {
  try {
    return zstdFrame(bytes, 0).bound
  } catch {
    // Malformed: unpacking will say how.
    return 0
  }
}
