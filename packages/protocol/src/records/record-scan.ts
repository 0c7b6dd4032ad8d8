/**
 * One strict pass over the records of a batch without allocating: what a broker has to know about uncompressed records before it
 * appends them. Record: varint length of what follows · int8 attributes · varlong timestampDelta · varint offsetDelta ·
 * varint key length (-1 null) + key · varint value length (-1 null) + value · varint header count, each header: varint key length
 * + key, varint value length (-1 null) + value. A record must fill its length exactly and the records all of their space.
 */

/** Result of `scanRecords`; one object can be used again and again. */
export class RecordScan {
  /** Smallest and largest timestamp relative to the base timestamp; exact unless `hasWideTimestamps`. 0 without records. */
  minTimestampDelta = 0
  maxTimestampDelta = 0
  /** A timestamp delta takes over 49 bits: the two above do not count, look at each record. */
  hasWideTimestamps = false
  /** Records with a null key. */
  keylessRecords = 0
  /** Offset deltas are 0, 1, 2… */
  hasConsecutiveOffsets = true
  /** What is wrong, when `scanRecords` returned false, and with which record. */
  problem = ''
  problemIndex = -1

  fail(index: number, problem: string): false {
    this.problemIndex = index
    this.problem = problem
    return false
  }
}

/** False when the bytes are not `count` well-formed records; `scan` then holds the reason. */
export function scanRecords(bytes: Uint8Array, start: number, end: number, count: number, scan: RecordScan): boolean {
  let minDelta = Infinity
  let maxDelta = -Infinity
  let isWide = false
  let keyless = 0
  let isConsecutive = true
  let at = start

  // Reads go past `end` by a few bytes at most, as undefined, which reads as 0 here; the comparison with `recordEnd` finds it.
  for (let index = 0; index < count; index++) {
    if (at >= end) return scan.fail(index, `${count} records are announced, the bytes end after ${index}`)
    let byte = bytes[at++]!
    let raw = byte & 0x7f
    for (let shift = 7; byte > 0x7f; shift += 7) {
      if (shift > 28) return scan.fail(index, 'its length takes more than 5 bytes')
      byte = bytes[at++]!
      raw |= (byte & 0x7f) << shift
    }
    const recordEnd = at + (raw >>> 1)
    if ((raw & 1) !== 0 || recordEnd > end)
      return scan.fail(index, `its length is ${(raw >>> 1) ^ -(raw & 1)}, ${end - at} bytes are left`)
    at++

    byte = bytes[at++]!
    raw = byte & 0x7f
    let shift = 7
    for (; byte > 0x7f && shift <= 21; shift += 7) {
      byte = bytes[at++]!
      raw |= (byte & 0x7f) << shift
    }
    let delta = (raw >>> 1) ^ -(raw & 1)
    if (byte > 0x7f) {
      let wide = raw
      for (let unit = 0x1000_0000; byte > 0x7f; unit *= 0x80, shift += 7) {
        if (shift > 63) return scan.fail(index, 'its timestamp delta takes more than 10 bytes')
        byte = bytes[at++]!
        wide += (byte & 0x7f) * unit
      }
      if (shift > 49) isWide = true
      delta = (raw & 1) === 0 ? wide / 2 : -(wide + 1) / 2
    }
    if (delta > maxDelta) maxDelta = delta
    if (delta < minDelta) minDelta = delta

    byte = bytes[at++]!
    raw = byte & 0x7f
    for (let shift = 7; byte > 0x7f; shift += 7) {
      if (shift > 28) return scan.fail(index, 'its offset delta takes more than 5 bytes')
      byte = bytes[at++]!
      raw |= (byte & 0x7f) << shift
    }
    if (((raw >>> 1) ^ -(raw & 1)) !== index) isConsecutive = false

    byte = bytes[at++]!
    raw = byte & 0x7f
    for (let shift = 7; byte > 0x7f; shift += 7) {
      if (shift > 28) return scan.fail(index, 'its key length takes more than 5 bytes')
      byte = bytes[at++]!
      raw |= (byte & 0x7f) << shift
    }
    if ((raw & 1) === 0) at += raw >>> 1
    else keyless++
    if (at > recordEnd) return scan.fail(index, 'its key does not fit')

    byte = bytes[at++]!
    raw = byte & 0x7f
    for (let shift = 7; byte > 0x7f; shift += 7) {
      if (shift > 28) return scan.fail(index, 'its value length takes more than 5 bytes')
      byte = bytes[at++]!
      raw |= (byte & 0x7f) << shift
    }
    if ((raw & 1) === 0) at += raw >>> 1
    if (at >= recordEnd) return scan.fail(index, 'its value does not fit')

    if (bytes[at] === 0) at++
    else {
      const afterHeaders = skipHeaders(bytes, at, recordEnd)
      if (afterHeaders < 0) return scan.fail(index, 'its headers are malformed')
      at = afterHeaders
    }
    if (at !== recordEnd) return scan.fail(index, `its fields end ${recordEnd - at} bytes before its length says`)
  }
  if (at !== end) return scan.fail(count, `${end - at} bytes follow the ${count} records announced`)

  scan.minTimestampDelta = count === 0 ? 0 : minDelta
  scan.maxTimestampDelta = count === 0 ? 0 : maxDelta
  scan.hasWideTimestamps = isWide
  scan.keylessRecords = keyless
  scan.hasConsecutiveOffsets = isConsecutive
  return true
}

/** Position after the headers whose count is at `at`, or -1. */
function skipHeaders(bytes: Uint8Array, at: number, end: number): number {
  let lengths = 1
  let isCount = true
  let isKey = false
  for (let field = 0; field < lengths; field++) {
    let byte = bytes[at++]!
    let raw = byte & 0x7f
    for (let shift = 7; byte > 0x7f; shift += 7) {
      if (shift > 28) return -1
      byte = bytes[at++]!
      raw |= (byte & 0x7f) << shift
    }
    if (at > end) return -1
    const isNull = (raw & 1) !== 0
    if (isCount) {
      isCount = false
      // A header takes at least two bytes.
      if (isNull || raw >>> 1 > (end - at) / 2) return -1
      lengths += raw & ~1
    } else if (!isNull) {
      at += raw >>> 1
      if (at > end) return -1
    } else if (isKey) return -1
    isKey = !isKey
  }
  return at
}
