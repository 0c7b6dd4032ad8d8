import type { Logger } from '@millrace/runtime'
import type { Cluster } from '../../cluster/cluster.ts'
import type { Tracing } from '../../observe/tracing.ts'
import type { Consumer } from '../consumer.ts'
import type { RecordSource } from '../record-source.ts'
import type { Deserializers } from '../records/record-origin.ts'
import type { BytesProducer } from './failures/failure-sink.ts'

/** What the run takes of its consumer. */
export interface RunHost<K, V> {
  readonly consumer: Pick<Consumer<K, V>, 'subscription' | 'committed' | 'endOffsets' | 'beginningOffsets'>
  readonly source: RecordSource<K, V>
  readonly cluster: Cluster
  readonly settings: {
    readonly groupId: string | null
    readonly maxPollIntervalMs: number
    readonly enableAutoCommit: boolean | null
    readonly logger: Logger
    readonly tracing: Tracing | null
  }
  readonly deserializers: Deserializers<K, V>
  /** Whether this consumer reads the topic already. */
  readonly reads: (topic: string) => boolean
  /** Whether it subscribes to the topic by its name, not by a pattern. */
  readonly readsByName: (topic: string) => boolean
  /** Null when partitions are assigned by hand, and there is no subscription to widen. */
  readonly alsoSubscribe: ((topics: readonly string[]) => Disposable) | null
  /** An idempotent one that waits for all replicas. */
  readonly openProducer: () => BytesProducer
  /** One without a group, which reads committed records. */
  readonly openScanner: () => Pick<
    Consumer<Uint8Array, Uint8Array>,
    'assign' | 'seek' | 'batches' | 'close' | 'position'
  >
}
