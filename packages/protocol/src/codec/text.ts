/** Strings and uuids between bytes and JavaScript. Short ones avoid the call into native code, which costs 40 ns. */

export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'

/** Measured on Node 26: below these lengths a loop wins. */
const SHORT_READ_BYTES = 8
const SHORT_WRITE_CHARS = 24

const { utf8Slice, base64urlSlice, utf8Write } = Buffer.prototype as unknown as {
  readonly utf8Slice: (this: Uint8Array, start: number, end: number) => string
  readonly base64urlSlice: (this: Uint8Array, start: number, end: number) => string
  readonly utf8Write: (this: Uint8Array, text: string, position: number) => number
}
const { fromCharCode } = String

/** Decodes UTF-8; invalid sequences become U+FFFD, as Kafka has it. */
export function readText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > SHORT_READ_BYTES) return utf8Slice.call(bytes, start, end)
  let text = ''
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte > 0x7f) return utf8Slice.call(bytes, start, end)
    text += fromCharCode(byte)
  }
  return text
}

/** Writes UTF-8 and returns the position behind it. There must be room for 3 bytes per character. */
export function writeText(bytes: Uint8Array, position: number, text: string): number {
  const { length } = text
  if (length > SHORT_WRITE_CHARS) return position + utf8Write.call(bytes, text, position)
  for (let at = 0; at < length; at++) {
    const char = text.charCodeAt(at)
    if (char > 0x7f) return position + utf8Write.call(bytes, text, position)
    bytes[position + at] = char
  }
  return position + length
}

/** Reads 16 bytes as Kafka prints a Uuid: 22 characters of unpadded base64url. */
export function readUuid(bytes: Uint8Array, at: number): string {
  if (bytes[at] === 0 && bytes[at + 8] === 0 && isZero(bytes, at, at + 16)) return ZERO_UUID
  return base64urlSlice.call(bytes, at, at + 16)
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return false
  return true
}

/** Writes 16 bytes. @throws TypeError when `uuid` is not 22 characters of base64url. */
export function writeUuid(bytes: Uint8Array, at: number, uuid: string): void {
  let position = at
  let bits = 0
  let bitCount = 0
  const valid = typeof uuid === 'string' && uuid.length === 22
  for (let i = 0; i < 22; i++) {
    const digit = valid ? base64urlDigit(uuid.charCodeAt(i)) : -1
    if (digit < 0) throw new TypeError(`expected a uuid of 22 base64url characters, got ${JSON.stringify(uuid)}`)
    bits = ((bits << 6) | digit) & 0xffff
    bitCount += 6
    if (bitCount >= 8) {
      bitCount -= 8
      bytes[position++] = bits >> bitCount
    }
  }
}

function base64urlDigit(char: number): number {
  if (char >= 0x61 && char <= 0x7a) return char - 71
  if (char >= 0x41 && char <= 0x5a) return char - 65
  if (char >= 0x30 && char <= 0x39) return char + 4
  if (char === 0x2d) return 62
  return char === 0x5f ? 63 : -1
}
