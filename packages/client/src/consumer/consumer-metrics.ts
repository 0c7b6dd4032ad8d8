/** What a consumer counts, under the names of Kafka's. Once per answer or batch. */
import type { Metrics } from '../observe/metrics.ts'
import type { Assignment } from './positions/assignment.ts'
import type { FetchedRecords } from './records/fetched-records.ts'

const fetching = 'consumer-fetch-manager-metrics'

export class ConsumerMetrics<K, V> {
  readonly #records
  readonly #bytes
  readonly #fetches
  readonly #fetchSize
  readonly #latency

  constructor(metrics: Metrics, assignment: Assignment<K, V>, isolationLevel: 'read_uncommitted' | 'read_committed') {
    this.#records = metrics.meter({ group: fetching, name: 'records-consumed' })
    this.#bytes = metrics.meter({ group: fetching, name: 'bytes-consumed' })
    this.#fetches = metrics.meter({ group: fetching, name: 'fetch' })
    this.#fetchSize = metrics.distribution({ group: fetching, name: 'fetch-size' })
    this.#latency = metrics.distribution({ group: fetching, name: 'fetch-latency' })
    metrics.gauge({ group: fetching, name: 'records-lag-max' }, () => {
      let max = NaN
      for (const partition of assignment) {
        const lag = partition.lag(isolationLevel)
        if (lag !== null && !(max > Number(lag))) max = Number(lag)
      }
      return max
    })
    metrics.gauge({ group: 'consumer-coordinator-metrics', name: 'assigned-partitions' }, () => assignment.size)
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
}
