/** The codecs of Kafka by their numbers, the ones in the attributes of batches and messages. */
import { ErrorCode, KafkaError } from '../errors.ts'
import { lz4Compress, lz4DeclaredSize, lz4Decompress } from './lz4-frame.ts'
import { snappyCompress, snappyDeclaredSize, snappyDecompress } from './snappy.ts'
import {
  gzipCompress,
  gzipDeclaredSize,
  gzipDecompress,
  zstdCompress,
  zstdDeclaredSize,
  zstdDecompress,
} from './zlib-codecs.ts'

export const Compression = { NONE: 0, GZIP: 1, SNAPPY: 2, LZ4: 3, ZSTD: 4 } as const

export type CompressionName = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

const names: readonly CompressionName[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** Undefined for the unassigned numbers 5-7. */
export function compressionName(codec: number): CompressionName | undefined {
  return names[codec]
}

/**
 * `level` as in `compression.gzip.level` (1-9, -1 the default) and `compression.zstd.level` (-131072…22, default 3). LZ4's is
 * accepted and without effect: only the fast compressor is at hand. `magic` of the message around it matters to LZ4 only.
 */
export function compress(codec: number, bytes: Uint8Array, level?: number, magic = 2): Uint8Array {
  switch (codec) {
    case Compression.NONE:
      return bytes
    case Compression.GZIP:
      return gzipCompress(bytes, level)
    case Compression.SNAPPY:
      return snappyCompress(bytes)
    case Compression.LZ4:
      return lz4Compress(bytes, magic)
    case Compression.ZSTD:
      return zstdCompress(bytes, level)
  }
  throw unknownCodec(codec)
}

/**
 * Never takes much more memory than `maxBytes`, whatever the data says about its size.
 * @throws KafkaError CORRUPT_MESSAGE for bad data, MESSAGE_TOO_LARGE when it unpacks to more than `maxBytes`, INVALID_RECORD for a
 * codec that does not exist.
 */
export function decompress(codec: number, bytes: Uint8Array, maxBytes: number, magic = 2): Uint8Array {
  switch (codec) {
    case Compression.NONE:
      return bytes
    case Compression.GZIP:
      return gzipDecompress(bytes, maxBytes)
    case Compression.SNAPPY:
      return snappyDecompress(bytes, maxBytes)
    case Compression.LZ4:
      return lz4Decompress(bytes, maxBytes, magic)
    case Compression.ZSTD:
      return zstdDecompress(bytes, maxBytes)
  }
  throw unknownCodec(codec)
}

/**
 * What compressed data says, or lets expect, that it unpacks to, without unpacking it: good for deciding where to do the work, not
 * to be believed otherwise. 0 when it does not say.
 */
export function declaredSize(codec: number, bytes: Uint8Array): number {
  switch (codec) {
    case Compression.GZIP:
      return gzipDeclaredSize(bytes)
    case Compression.SNAPPY:
      return snappyDeclaredSize(bytes)
    case Compression.LZ4:
      return lz4DeclaredSize(bytes)
    case Compression.ZSTD:
      return zstdDeclaredSize(bytes)
  }
  return bytes.length
}

function unknownCodec(codec: number): KafkaError {
  return new KafkaError(ErrorCode.INVALID_RECORD, `compression codec ${codec} does not exist, expected 0 to 4`)
}
