/** Hashes for proving who one is. Computations only: the same in a simulated world. */

import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'

export type HashName = 'sha256' | 'sha512'

export function digest(hash: HashName, bytes: Uint8Array): Uint8Array {
  return plain(createHash(hash).update(bytes).digest())
}

export function hmac(hash: HashName, key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return plain(createHmac(hash, key).update(bytes).digest())
}

/**
 * PBKDF2 with HMAC (RFC 2898), as many bytes as the hash has. Made to be slow, so not on the event loop: one of libuv's threads does it,
 * in 1-3 ms for 4,096 iterations.
 */
export function stretch(
  hash: HashName,
  password: Uint8Array,
  options: { readonly salt: Uint8Array; readonly iterations: number },
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    pbkdf2(password, options.salt, options.iterations, hash === 'sha256' ? 32 : 64, hash, (error, key) => {
      if (error === null) resolve(plain(key))
      else reject(error)
    })
  })
}

/** Whether both hold the same bytes, in a time that does not tell where they differ. */
export function sameSecret(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Not a Buffer, whose `slice` means something else. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer)
}
