/** Where markers go: the seam between a transaction's coordinator and the leaders of its partitions. */
import type { TransactionMarker } from '../runtime/shard-host.ts'
import type { TopicPartition } from './partition-set.ts'

export interface MarkerWriter {
  /**
   * Has the broker `leader` append the marker to the partitions, of which it is thought to be the leader. Resolves with an error code for
   * each, in their order, when each is on all in-sync replicas or has failed. Never rejects.
   */
  write(leader: number, marker: TransactionMarker, partitions: readonly TopicPartition[]): Promise<readonly number[]>
}
