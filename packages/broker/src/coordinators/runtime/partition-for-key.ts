/**
 * Which partition of an internal topic coordinates a key: the absolute value of Java's String.hashCode, modulo the partitions; INT32_MIN,
 * which has none, counts as 0. Not the hash without its sign bit: what Kafka has written must be found where it is. Source: Utils.abs.
 */
export function partitionForKey(key: string, partitionCount: number): number {
  let hash = 0
  for (let index = 0; index < key.length; index++) hash = (Math.imul(31, hash) + key.charCodeAt(index)) | 0
  return hash === -0x8000_0000 ? 0 : Math.abs(hash) % partitionCount
}
