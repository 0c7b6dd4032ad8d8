/** The back reference of Snappy and LZ4: repeats what lies `distance` before `to`, which may overlap with what is written. */

const byteByByteUpTo = 24

export function repeatWithin(bytes: Uint8Array, to: number, distance: number, length: number): void {
  let from = to - distance
  if (length <= byteByByteUpTo) {
    for (const end = to + length; to < end;) bytes[to++] = bytes[from++]!
    return
  }
  // What is there already is doubled until a single copy does the rest.
  while (distance < length) {
    bytes.copyWithin(to, from, from + distance)
    to += distance
    length -= distance
    distance *= 2
  }
  bytes.copyWithin(to, from, from + length)
}

/** Copies `from[start..end)` to `into[at…)`; for the many short literals cheaper than `set(subarray())`. */
export function copyShort(from: Uint8Array, start: number, end: number, into: Uint8Array, at: number): void {
  if (end - start <= byteByByteUpTo) while (start < end) into[at++] = from[start++]!
  else into.set(from.subarray(start, end), at)
}
