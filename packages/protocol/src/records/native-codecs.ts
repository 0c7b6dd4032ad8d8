/** The native packages behind Snappy and LZ4, loaded at their first use (12-17 ms each); null where there is no build for this machine. */
import { createRequire } from 'node:module'

/** Without `copyOutputData` each result is memory outside of the heap with a finalizer, which costs up to ten times the packing. */
interface Snappy {
  compressSync(input: Uint8Array, options: { copyOutputData: true }): Uint8Array
  /** Takes the memory the input says it unpacks to. */
  uncompressSync(input: Uint8Array, options: { asBuffer: true; copyOutputData: true }): Uint8Array
}

interface Lz4 {
  /** One block behind its uncompressed size as a little-endian int32. */
  compressSync(input: Uint8Array): Uint8Array
}

let snappy: Snappy | null | undefined
let lz4: Lz4 | null | undefined

export function nativeSnappy(): Snappy | null {
  return (snappy ??= load<Snappy>('snappy'))
}

export function nativeLz4(): Lz4 | null {
  return (lz4 ??= load<Lz4>('lz4-napi'))
}

function load<Module>(name: string): Module | null {
  try {
    return createRequire(import.meta.url)(name) as Module
  } catch {
    // Both formats can be written without compressing, and are read by our own code.
    return null
  }
}
