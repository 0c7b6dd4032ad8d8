/** What a consumer counts, under the names of Kafka's. Once per answer or batch. */
import type { Metrics } from '../observe/metrics.ts'
import type { TopicPartition } from '../record.ts'
import type { AssignedPartition } from './positions/assigned-partition.ts'
import type { FetchedRecords } from './records/fetched-records.ts'

const fetching = 'consumer-fetch-manager-metrics'

type IsolationLevel = 'read_uncommitted' | 'read_committed'

export class ConsumerMetrics<K, V> {
  readonly #metrics: Metrics
  readonly #isolationLevel: IsolationLevel
  readonly #assigned = new Set<AssignedPartition<K, V>>()
  readonly #records
  readonly #bytes
  readonly #fetches
  readonly #fetchSize
  readonly #latency

  constructor(metrics: Metrics, isolationLevel: IsolationLevel) {
    this.#metrics = metrics
    this.#isolationLevel = isolationLevel
    this.#records = metrics.meter({ group: fetching, name: 'records-consumed' })
    this.#bytes = metrics.meter({ group: fetching, name: 'bytes-consumed' })
    this.#fetches = metrics.meter({ group: fetching, name: 'fetch' })
    this.#fetchSize = metrics.distribution({ group: fetching, name: 'fetch-size' })
    this.#latency = metrics.distribution({ group: fetching, name: 'fetch-latency' })
    metrics.gauge({ group: fetching, name: 'records-lag-max' }, () =>
      [...this.#assigned].reduce((max, partition) => {
        const lag = this.#lagOf(partition)
        return lag > max || Number.isNaN(max) ? lag : max
      }, NaN),
    )
    metrics.gauge({ group: 'consumer-coordinator-metrics', name: 'assigned-partitions' }, () => this.#assigned.size)
  }

  assigned(partition: AssignedPartition<K, V>): void {
    this.#assigned.add(partition)
    const tags = tagsOf(partition)
    this.#metrics.gauge({ group: fetching, name: 'records-lag', tags }, () => this.#lagOf(partition))
    this.#metrics.gauge({ group: fetching, name: 'records-lead', tags }, () => leadOf(partition))
  }

  unassigned(partition: AssignedPartition<K, V>): void {
    this.#assigned.delete(partition)
    this.#metrics.forget(tagsOf(partition))
  }

  /** An answer to a fetch. */
  fetched(sizeBytes: number, latencyMs: number): void {
    this.#fetches.record()
    this.#bytes.record(sizeBytes)
    this.#fetchSize.record(sizeBytes)
    this.#latency.record(latencyMs)
  }

  /** The application was given records. */
  given(records: FetchedRecords<K, V>): void {
    this.#records.record(records.count)
  }

  #lagOf(partition: AssignedPartition<K, V>): number {
    const lag = partition.lag(this.#isolationLevel)
    return lag === null ? NaN : Number(lag)
  }
}

/** Records before the position that are still in the log. */
function leadOf({ position, logStartOffset }: AssignedPartition<unknown, unknown>): number {
  return position === null || logStartOffset < 0n ? NaN : Number(position.offset - logStartOffset)
}

function tagsOf({ topic, partition }: TopicPartition): Record<string, string> {
  return { topic, partition: String(partition) }
}
