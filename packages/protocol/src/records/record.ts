/** A record as an object, for everything that is not a hot path. */

export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}

export interface RecordView {
  readonly offset: bigint
  /** Milliseconds since 1970; -1n: none. */
  readonly timestamp: bigint
  /** A view into the batch, or into what it was unpacked to. */
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

/** What `append` of a builder takes; left out: no key, no headers. */
export interface NewRecord {
  readonly timestamp: bigint
  readonly key?: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: readonly RecordHeader[]
}

/** What `add` of a builder takes for keys and values: a text is written as UTF-8. */
export type RecordField = Uint8Array | string | null

export interface NewRecordHeader {
  readonly key: string
  readonly value: RecordField
}
