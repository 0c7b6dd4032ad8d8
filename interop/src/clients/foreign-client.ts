// What the checks need to know about a client that is not ours.
import type { WriterLimits } from '../corpus.ts'
import type { ReaderLimits } from '../expect.ts'

export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Codec = (typeof codecs)[number]

/** An open client: a program, or a command-line tool behind the same call. */
export interface Session extends AsyncDisposable {
  /** Runs one operation (interop/README.md lists them). @throws ClientError */
  call(op: string, fields?: Readonly<Record<string, unknown>>): Promise<unknown>
}

export interface ForeignClient {
  readonly name: string
  readonly version: string
  /** Installs the client. Safe to call again. */
  prepare(): Promise<void>
  open(bootstrap: string): Session
  /** Operations besides produce and consume that its interface has. */
  readonly operations: readonly string[]
  readonly writes: {
    readonly codecs: readonly Codec[]
    /** Further ways to produce: acks, idempotence, another interface of the client. Written uncompressed. */
    readonly modes: readonly string[]
    readonly records: 'corpus' | 'lines'
    readonly limits: WriterLimits
  }
  /** null: the client cannot read a partition without a group. */
  readonly reads: {
    readonly codecs: readonly Codec[]
    readonly modes: readonly string[]
    readonly limits: ReaderLimits
  } | null
}

export const anyRecord: WriterLimits = {
  nullHeaderValues: true,
  repeatedHeaders: true,
  nullValues: true,
  emptyKeys: true,
  emptyValues: true,
}
