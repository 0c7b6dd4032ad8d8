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

/** A session of its own process, which can be killed. */
export interface Process extends Session {
  /** SIGKILL. */
  kill(): Promise<void>
}

/**
 * Ways to commit: one call for all positions, the same without waiting in between, each partition by itself with metadata, or
 * only on its own.
 */
export type CommitStyle = 'sync' | 'async' | 'partition' | 'auto'

/** One way in which a client can be a member of a consumer group. */
export interface Membership {
  readonly protocol: 'classic' | 'consumer'
  readonly assignor: string
  /** Partitions that a member keeps are not revoked in a rebalance, and the client says which are. */
  readonly isCooperative?: boolean
  /** It subscribes to a pattern. */
  readonly pattern?: boolean
  /** Where it differs from what the client does otherwise. */
  readonly isStatic?: boolean
}

export interface Groups {
  readonly memberships: readonly Membership[]
  readonly commits: readonly CommitStyle[]
  /**
   * Whether metadata goes with a commit. The Python binding of librdkafka sends the zero byte at the end of a C string too;
   * franz-go writes its own when it is given none.
   */
  readonly metadata: 'none' | 'exact' | 'zero-terminated' | 'own by default'
  readonly autoCommits: boolean
  /** Its members may have an instance id, and do not leave the group then when they are closed. */
  readonly isStatic: boolean
}

export interface Transactions {
  /** How it joins the group of that loop. */
  readonly membership: Membership
  /**
   * Whether it reads the committed view as a member of a group. @platformatic/kafka shows an aborted transaction when the same answer
   * has a later one of the same producer: it keeps one for each.
   */
  readonly readsCommittedView: boolean
}

export interface ForeignClient {
  readonly name: string
  readonly version: string
  /** Installs the client. Safe to call again. */
  prepare(): Promise<void>
  open(bootstrap: string): Process
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
    /** It shows control records or aborted ones when it reads a partition. */
    readonly isBlindToTransactions?: boolean
  } | null
  readonly groups: Groups | null
  readonly transactions: Transactions | null
}

export const anyRecord: WriterLimits = {
  nullHeaderValues: true,
  repeatedHeaders: true,
  nullValues: true,
  emptyKeys: true,
  emptyValues: true,
}
