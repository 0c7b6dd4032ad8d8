// Comparing what a client read with what was written. Each failure says what was expected, what came, and where.
import type { Header, TestRecord } from './corpus.ts'

export interface ReadRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

/** What a reading client's interface cannot tell apart. */
export interface ReaderLimits {
  /** A header value ends at its first zero byte. */
  readonly headersEndAtZero: boolean
  /** An empty key or value is shown as null. */
  readonly emptyAsNull: boolean
  /** A null key or value is shown as empty. */
  readonly nullAsEmpty: boolean
}

export const exactReader: ReaderLimits = { headersEndAtZero: false, emptyAsNull: false, nullAsEmpty: false }

export function expectEqual(actual: unknown, expected: unknown, where: string): void {
  const [a, e] = [JSON.stringify(actual) ?? 'nothing', JSON.stringify(expected) ?? 'nothing']
  if (a === e) return
  // From a little before the first difference on: long answers differ in one place.
  let difference = 0
  while (a[difference] === e[difference]) difference++
  const around = (text: string) => {
    const start = Math.max(0, difference - 30)
    const end = difference + 50
    return `${start > 0 ? '…' : ''}${text.slice(start, end)}${end < text.length ? '…' : ''}`
  }
  throw new Error(`${where}: expected ${around(e)}, got ${around(a)}`)
}

/** The same items in any order. */
export function expectSameItems(actual: readonly unknown[], expected: readonly unknown[], where: string): void {
  const sorted = (items: readonly unknown[]) => items.map((item) => JSON.stringify(item)).toSorted()
  const parse = (items: readonly string[]) => items.map((item) => JSON.parse(item) as unknown)
  expectEqual(parse(sorted(actual)), parse(sorted(expected)), where)
}

export function expectTrue(condition: boolean, message: string): void {
  if (!condition) throw new Error(message)
}

const show = (bytes: Buffer | null) =>
  bytes === null ? 'null' : `${bytes.length} bytes ${JSON.stringify(bytes.toString('latin1').slice(0, 24))}`

function sameBytes(read: Buffer | null, written: Buffer | null, limits: ReaderLimits): boolean {
  let expected = written
  if (limits.emptyAsNull && expected?.length === 0) expected = null
  if (limits.nullAsEmpty && expected === null) expected = Buffer.alloc(0)
  return read === null || expected === null ? read === expected : read.equals(expected)
}

/** What timestamps must be: those written, or the clock's at the time of writing. */
export type Timestamps = 'as written' | { readonly fromMs: number }

export interface Expected {
  readonly records: readonly TestRecord[]
  readonly firstOffset: number
  readonly timestamps: Timestamps
}

export function expectRecords(
  read: readonly ReadRecord[],
  expected: Expected,
  limits: ReaderLimits,
  where: string,
): void {
  expectEqual(read.length, expected.records.length, `${where}: records`)
  for (const [i, written] of expected.records.entries()) {
    const got = read[i]!
    const at = `${where}, record ${i}`
    expectEqual(got.offset, expected.firstOffset + i, `${at}: offset`)
    if (expected.timestamps === 'as written') expectEqual(got.timestamp, written.timestamp, `${at}: timestamp`)
    else {
      const { fromMs } = expected.timestamps
      const isRecent = got.timestamp >= fromMs && got.timestamp <= Date.now()
      expectTrue(isRecent, `${at}: timestamp ${got.timestamp} is not between ${fromMs} and now`)
    }
    for (const part of ['key', 'value'] as const)
      if (!sameBytes(got[part], written[part], limits))
        throw new Error(`${at}: ${part}: expected ${show(written[part])}, got ${show(got[part])}`)
    expectEqual(
      got.headers.map(({ name }) => name),
      written.headers.map(({ name }) => name),
      `${at}: header names`,
    )
    for (const [h, { name, value }] of written.headers.entries()) {
      const zero = limits.headersEndAtZero ? (value?.indexOf(0) ?? -1) : -1
      const shown = zero < 0 ? value : value!.subarray(0, zero)
      const { value: readValue } = got.headers[h]!
      if (!sameBytes(readValue, shown, limits))
        throw new Error(`${at}: header ${name}: expected ${show(shown)}, got ${show(readValue)}`)
    }
  }
}
