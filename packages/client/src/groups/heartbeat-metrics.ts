/** Heartbeats of a member of a group, counted under the names of Kafka's consumers. */
import type { Clock } from '@millrace/runtime'
import { Distribution, type Metrics } from '../observe/metrics.ts'

export class HeartbeatMetrics {
  readonly #clock: Clock
  readonly #count
  readonly #time: Distribution
  /** On the monotonic clock; NaN: never. */
  #atMs = NaN

  /** `group`: as `consumer-coordinator-metrics`. */
  constructor(metrics: Metrics, { clock, group }: { readonly clock: Clock; readonly group: string }) {
    this.#clock = clock
    this.#count = metrics.meter({ group, name: 'heartbeat' })
    this.#time = new Distribution(clock)
    metrics.gauge({ group, name: 'heartbeat-response-time-max' }, (nowMs) => this.#time.max(nowMs))
    metrics.gauge({ group, name: 'last-heartbeat-seconds-ago' }, (nowMs) => secondsSince(this.#atMs, nowMs))
  }

  /** A heartbeat was answered. */
  beaten(latencyMs: number): void {
    const nowMs = this.#clock.monotonicMs()
    this.#count.record(1, nowMs)
    this.#time.record(latencyMs, nowMs)
    this.#atMs = nowMs - latencyMs
  }
}

/** -1 when it never was, as Kafka says. */
export function secondsSince(atMs: number, nowMs: number): number {
  return Number.isNaN(atMs) ? -1 : Math.floor((nowMs - atMs) / 1000)
}
