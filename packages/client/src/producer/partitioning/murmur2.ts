/** The hash that Kafka's Java clients place keys with: MurmurHash2, 32 bits, of Austin Appleby, with Kafka's seed. */

const SEED = 0x9747b28c
const M = 0x5bd1e995

/** Of the UTF-8 bytes of `key`, when it is a text. A signed 32 bit integer. */
export function murmur2(key: Uint8Array | string): number {
  if (typeof key !== 'string') return hashBytes(key)
  return isAscii(key) ? hashAscii(key) : hashBytes(Buffer.from(key, 'utf8'))
}

/** The partition of a key, as in Java. */
export function partitionOfKey(key: Uint8Array | string, partitionsCount: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitionsCount
}

function hashBytes(bytes: Uint8Array): number {
  const length = bytes.length
  let hash = SEED ^ length
  let at = 0
  for (const last = length - 4; at <= last; at += 4)
    hash = mix(hash, bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
  const rest = length - at
  if (rest === 3) hash ^= bytes[at + 2]! << 16
  if (rest >= 2) hash ^= bytes[at + 1]! << 8
  if (rest >= 1) hash = Math.imul(hash ^ bytes[at]!, M)
  return finish(hash)
}

/** As `hashBytes`, without making bytes of the text first. */
function hashAscii(text: string): number {
  const length = text.length
  let hash = SEED ^ length
  let at = 0
  for (const last = length - 4; at <= last; at += 4)
    hash = mix(
      hash,
      text.charCodeAt(at) |
        (text.charCodeAt(at + 1) << 8) |
        (text.charCodeAt(at + 2) << 16) |
        (text.charCodeAt(at + 3) << 24),
    )
  const rest = length - at
  if (rest === 3) hash ^= text.charCodeAt(at + 2) << 16
  if (rest >= 2) hash ^= text.charCodeAt(at + 1) << 8
  if (rest >= 1) hash = Math.imul(hash ^ text.charCodeAt(at), M)
  return finish(hash)
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false
  return true
}

function mix(hash: number, four: number): number {
  const scrambled = Math.imul(four, M)
  return Math.imul(hash, M) ^ Math.imul(scrambled ^ (scrambled >>> 24), M)
}

function finish(hash: number): number {
  const folded = Math.imul(hash ^ (hash >>> 13), M)
  return folded ^ (folded >>> 15)
}
