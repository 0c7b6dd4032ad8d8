/** FNV-1a over the bytes, 32 bits. Equal keys have equal hashes; that others may have them too only makes them wait for each other. */
export function hashOf(key: Uint8Array): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key[at]!, 0x01000193)
  return hash >>> 0
}
