/** What the parts of the sender are given. */
import type { Logger } from '@millrace/runtime'
import type { Cluster } from '../../cluster/cluster.ts'
import type { Accumulator } from '../batches/accumulator.ts'
import type { ProducerConfiguration } from '../configuration.ts'
import type { Intake } from '../intake/intake.ts'
import type { PartitionQueue } from '../batches/partition-queue.ts'
import type { ProducerBatch } from '../batches/producer-batch.ts'
import type { ProducerIdentity } from '../identity/producer-identity.ts'
import type { ProducerMetrics } from '../producer-metrics.ts'

/** What the sender has to know of the transaction under way. */
export interface SenderTransactions {
  readonly transactionalId: string
  /** By the protocol of `transaction.version` 2. */
  readonly isVersion2: boolean
  /** Everything fails with it. */
  readonly fatalError: Error | null
  /** What was not sent yet fails with it: the transaction is to be aborted. */
  readonly abortError: Error | null
  /** It is being committed or aborted: nothing lingers. */
  readonly isCompleting: boolean
  /** Whether records of the partition may go out, as it is part of the transaction. */
  includes(queue: PartitionQueue): boolean
  batchFailed(error: Error): void
  /** Sequence numbers were lost. */
  lostTrack(): void
}

export type Identity = ProducerIdentity<ProducerBatch, PartitionQueue>

export interface SenderOptions {
  readonly cluster: Cluster
  readonly configuration: ProducerConfiguration
  readonly accumulator: Accumulator
  /** Null: not idempotent. */
  readonly identity: Identity | null
  readonly transactions: SenderTransactions | null
  readonly metrics: ProducerMetrics
  readonly logger: Logger
  readonly intake: Intake
}
