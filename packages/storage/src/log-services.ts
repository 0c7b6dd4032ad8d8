/** What all logs of a process share: one set per LogManager. */
import { BufferPool, type Clock, type Disk, type Random } from '@millrace/runtime'
import { FewAtOnce } from './few-at-once.ts'
import type { FilePool } from './file-pool.ts'
import { IndexBudget } from './formats/index-budget.ts'
import { BatchCursor } from './segments/batch-cursor.ts'
import { AppendRound } from './writing/append-round.ts'
import { SyncRound } from './writing/sync-round.ts'

export interface LogServices {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly files: FilePool
  readonly indexes: IndexBudget
  /** Writes at the end of a turn what was appended during it. */
  readonly appends: AppendRound
  /** Syncs together what waits to be synced. */
  readonly syncs: SyncRound
  /** Syncs nobody waits for, such as that of a rolled segment: few at once, so that they do not crowd out the others. */
  readonly backgroundSyncs: FewAtOnce
  /** Rewrites of small files: so many at once. */
  readonly rewrites: FewAtOnce
  /** Buffers of scans and recoveries. */
  readonly chunks: BufferPool
  /** For lookups that begin and end in one synchronous piece of work. */
  readonly cursor: BatchCursor
}

export interface LogServicesOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly files: FilePool
  /** Bytes of index kept in memory over all logs. Default 64 MiB. */
  readonly indexBudgetBytes?: number
}

const lookupBufferBytes = 64 * 1024
const keptChunkBytes = 8 * 1024 * 1024
const rewritesAtOnce = 16
const backgroundSyncsAtOnce = 2

export function createLogServices({ disk, clock, random, files, indexBudgetBytes }: LogServicesOptions): LogServices {
  return {
    disk,
    clock,
    random,
    files,
    indexes: new IndexBudget(indexBudgetBytes),
    appends: new AppendRound(clock),
    syncs: new SyncRound(clock),
    backgroundSyncs: new FewAtOnce(backgroundSyncsAtOnce),
    rewrites: new FewAtOnce(rewritesAtOnce),
    chunks: new BufferPool({ maxKeptBytes: keptChunkBytes }),
    cursor: new BatchCursor(new Uint8Array(lookupBufferBytes)),
  }
}
