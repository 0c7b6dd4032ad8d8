/** Which partition of an internal topic coordinates a key: Java's String.hashCode without its sign, modulo the partitions. */
export function partitionForKey(key: string, partitionCount: number): number {
  let hash = 0
  for (let index = 0; index < key.length; index++) hash = (Math.imul(31, hash) + key.charCodeAt(index)) | 0
  return (hash & 0x7fff_ffff) % partitionCount
}
