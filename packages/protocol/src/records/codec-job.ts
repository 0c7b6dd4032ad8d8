/** What goes to the codec thread and comes back. Plain data only: it is cloned between threads. */
import { KafkaError } from '../errors.ts'
import { compress, decompress } from './compression.ts'

export interface CodecJob {
  readonly id: number
  readonly kind: 'compress' | 'decompress'
  readonly codec: number
  /** In memory of its own, which is handed over. */
  readonly bytes: Uint8Array
  readonly magic: number
  /** Of compressing. */
  readonly level: number | undefined
  /** Of decompressing. */
  readonly maxBytes: number
}

/** Id of the first message from the thread. */
export const CODEC_THREAD_IS_UP = -1

export interface CodecResult {
  readonly id: number
  readonly bytes?: Uint8Array
  readonly error?: { readonly code: number | undefined; readonly message: string; readonly stack: string | undefined }
}

export function runCodecJob({ kind, codec, bytes, level, maxBytes, magic }: Omit<CodecJob, 'id'>): Uint8Array {
  return kind === 'compress' ? compress(codec, bytes, level, magic) : decompress(codec, bytes, maxBytes, magic)
}

export function describeError(error: unknown): NonNullable<CodecResult['error']> {
  const { message, stack } = error instanceof Error ? error : new Error(String(error))
  return { code: error instanceof KafkaError ? error.code : undefined, message, stack }
}

export function restoreError({ code, message, stack }: NonNullable<CodecResult['error']>): Error {
  const cause = new Error(message)
  if (stack !== undefined) cause.stack = stack
  return code === undefined ? cause : new KafkaError(code, message, { cause })
}
