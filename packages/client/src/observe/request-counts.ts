/** Requests and their answers, counted for a whole client or for one broker. Per request: six comparisons or so, and no clock. */
import type { Distribution, Meter, MetricDefinition, Metrics } from './metrics.ts'

export class RequestCounts {
  readonly #requests: Meter
  readonly #responses: Meter
  readonly #outgoingBytes: Meter
  readonly #incomingBytes: Meter
  readonly #size: Distribution
  readonly #latency: Distribution

  constructor(metrics: Metrics, definition: Omit<MetricDefinition, 'name'>) {
    this.#requests = metrics.meter({ ...definition, name: 'request' })
    this.#responses = metrics.meter({ ...definition, name: 'response' })
    this.#outgoingBytes = metrics.meter({ ...definition, name: 'outgoing-byte' })
    this.#incomingBytes = metrics.meter({ ...definition, name: 'incoming-byte' })
    this.#size = metrics.distribution({ ...definition, name: 'request-size' })
    this.#latency = metrics.distribution({ ...definition, name: 'request-latency' })
  }

  sent(sizeBytes: number, nowMs: number): void {
    this.#requests.record(1, nowMs)
    this.#outgoingBytes.record(sizeBytes, nowMs)
    this.#size.record(sizeBytes, nowMs)
  }

  answered(sizeBytes: number, latencyMs: number, nowMs: number): void {
    this.#responses.record(1, nowMs)
    this.#incomingBytes.record(sizeBytes, nowMs)
    this.#latency.record(latencyMs, nowMs)
  }
}
