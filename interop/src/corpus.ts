// The records that every client writes and every client must read back byte for byte.

export interface Header {
  readonly name: string
  readonly value: Buffer | null
}

export interface TestRecord {
  /** ms since 1970. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

/** What a writing client's interface can express; what it cannot is left out of its records. */
export interface WriterLimits {
  /** A header may have a null value. */
  readonly nullHeaderValues: boolean
  /** The same header name twice, in order. */
  readonly repeatedHeaders: boolean
  /** A null value. */
  readonly nullValues: boolean
  /** An empty key differs from a null one. */
  readonly emptyKeys: boolean
  /** An empty value differs from a null one. */
  readonly emptyValues: boolean
}

/** Deterministic bytes that do not compress. */
function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = seed >>> 0
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

/**
 * The corpus. Timestamps start at `startMs` and rise by 7 ms, but for one record that is 5 s ahead of its neighbours:
 * the record with the largest timestamp is not the last one.
 */
export function corpus(startMs: number, limits: WriterLimits): TestRecord[] {
  const records: TestRecord[] = []
  const add = (key: Buffer | null, value: Buffer | null, headers: Header[] = []) =>
    records.push({ timestamp: startMs + records.length * 7, key, value, headers })
  const text = (content: string) => Buffer.from(content)

  add(text('key'), text('value'))
  add(null, text('no key'))
  if (limits.emptyKeys) add(text(''), text('an empty key'))
  if (limits.nullValues) add(text('no value'), null)
  if (limits.emptyValues) add(text('an empty value'), text(''))
  add(text('ключ 🗝'), text('значение ✓ 値'))
  add(Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i)), noise(1000, 1))
  add(text('headers'), text('three'), [
    { name: 'first', value: text('1') },
    { name: 'ünïcode', value: text('✓') },
    { name: 'binary', value: Buffer.from([0, 255, 128, 10]) },
  ])
  add(text('headers'), text('empty'), [{ name: 'empty', value: text('') }])
  if (limits.repeatedHeaders)
    add(text('headers'), text('repeated'), [
      { name: 'again', value: text('1') },
      { name: 'again', value: text('2') },
    ])
  if (limits.nullHeaderValues) add(text('headers'), text('null'), [{ name: 'none', value: null }])
  add(text('large, compressible'), Buffer.alloc(300_000, 'All work and no play makes Jack a dull boy. '))
  add(text('large, random'), noise(100_000, 2))
  for (let i = 0; i < 60; i++) add(text(`k${i % 7}`), text(`small record ${i} ${'x'.repeat(i)}`))
  const ahead = records.length - 20
  records[ahead] = { ...records[ahead]!, timestamp: records[ahead]!.timestamp + 5000 }
  return records
}

/** Printable records with a key and one common header, for tools that read lines. */
export function lines(): TestRecord[] {
  return Array.from({ length: 50 }, (_, i) => ({
    timestamp: 0,
    key: Buffer.from(`key${i % 5}`),
    value: Buffer.from(`line ${i} ${'é✓'.repeat(i)}`),
    headers: [{ name: 'source', value: Buffer.from('lines') }],
  }))
}
