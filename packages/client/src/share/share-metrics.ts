/** What a share consumer counts, under the names of Kafka's. Once per answer. */
import type { Fetched } from '../consumer/fetch/fetch-counts.ts'
import { PollMetrics } from '../consumer/poll-metrics.ts'
import type { Metrics } from '../observe/metrics.ts'

const group = 'consumer-share-fetch-manager-metrics'

export class ShareMetrics {
  /** When records are given, and waited for. */
  readonly polls: PollMetrics
  readonly #records
  readonly #bytes
  readonly #fetches
  readonly #fetchSize
  readonly #recordsPerRequest
  readonly #latency
  readonly #throttleTime
  readonly #sent
  readonly #failed

  constructor(metrics: Metrics) {
    this.polls = new PollMetrics(metrics, 'consumer-share-metrics')
    this.#records = metrics.meter({ group, name: 'records-consumed' })
    this.#bytes = metrics.meter({ group, name: 'bytes-consumed' })
    this.#fetches = metrics.meter({ group, name: 'fetch' })
    this.#fetchSize = metrics.distribution({ group, name: 'fetch-size' })
    this.#recordsPerRequest = metrics.distribution({ group, name: 'records-per-request' })
    this.#latency = metrics.distribution({ group, name: 'fetch-latency' })
    this.#throttleTime = metrics.distribution({ group, name: 'fetch-throttle-time' })
    this.#sent = metrics.meter({ group, name: 'acknowledgements-send' })
    this.#failed = metrics.meter({ group, name: 'acknowledgements-error' })
  }

  fetched(answer: Fetched & { readonly recordsCount: number }): void {
    this.#throttleTime.record(answer.throttleTimeMs)
    this.#fetches.record()
    this.#latency.record(answer.latencyMs)
    this.#bytes.record(answer.sizeBytes)
    this.#fetchSize.record(answer.sizeBytes)
    this.#records.record(answer.recordsCount)
    this.#recordsPerRequest.record(answer.recordsCount)
  }

  acknowledged(count: number, isStored: boolean): void {
    this.#sent.record(count)
    if (!isStored) this.#failed.record(count)
  }
}
