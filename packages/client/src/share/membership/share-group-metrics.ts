/** What a member of a share group counts, under the names of Kafka's share consumer. */
import type { Clock } from '@millrace/runtime'
import { HeartbeatMetrics } from '../../groups/heartbeat-metrics.ts'
import { Meter, type Metrics } from '../../observe/metrics.ts'

const group = 'consumer-share-coordinator-metrics'
const SECONDS_PER_HOUR = 3600

export class ShareGroupMetrics {
  readonly #heartbeats: HeartbeatMetrics
  readonly #rebalances: Meter

  constructor(metrics: Metrics, clock: Clock) {
    this.#heartbeats = new HeartbeatMetrics(metrics, { clock, group })
    this.#rebalances = new Meter(clock)
    metrics.total({ group, name: 'rebalance-total' }, () => this.#rebalances.total)
    metrics.gauge(
      { group, name: 'rebalance-rate-per-hour' },
      (nowMs) => this.#rebalances.rate(nowMs) * SECONDS_PER_HOUR,
    )
  }

  beaten(latencyMs: number): void {
    this.#heartbeats.beaten(latencyMs)
  }

  /** The coordinator has said anew what may be read. */
  rebalanced(): void {
    this.#rebalances.record()
  }
}
