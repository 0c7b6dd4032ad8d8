/** One partition of a coordinator's topic as a state machine, and what the runtime gives it. */
import type { Clock, Logger, Random } from '@millrace/runtime'
import type { MetadataImage } from '../../metadata/image.ts'
import type { Decision, ProducerIdentity } from './decision.ts'
import type { LoadedRecord } from './replayers.ts'
import type { ShardTimers } from './shard-timers.ts'

/** Who wrote a record, and where it lies. */
export interface RecordOrigin {
  readonly offset: bigint
  /** null outside of transactions. */
  readonly transaction: ProducerIdentity | null
}

export type TransactionResult = 'COMMIT' | 'ABORT'

/**
 * The state that the records of one partition add up to. Deterministic: the same records give the same state, whether they were just
 * appended or are read after a restart. Methods of its own decide requests (`Decision`).
 */
export interface CoordinatorShard {
  replay(record: LoadedRecord, origin: RecordOrigin): void
  /** The transaction of a producer that has pending records here has ended. For shards without transactional records there is nothing to do. */
  endTransaction?(producer: ProducerIdentity, result: TransactionResult): void
  /** All records are replayed: the place to start timers. Requests come after this. */
  loaded?(): void
  /** This broker does not coordinate the partition any more; timers are cancelled by the runtime. Who waits for an answer must be refused. */
  unloaded?(): void
  /** The cluster's metadata have changed; also called once before `loaded`. `changedTopics` null: any of them may have. */
  metadataChanged?(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void
}

/** What the runtime gives a shard. */
export interface ShardContext {
  readonly partition: number
  /** Leader epoch of the partition: what fences an older coordinator. */
  readonly epoch: number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly timers: ShardTimers
  readonly image: MetadataImage
  /** For what begins inside of the shard rather than with a request. Rejects as `CoordinatorRuntime.write`. */
  write<T>(decide: () => Decision<T>): Promise<T>
}
