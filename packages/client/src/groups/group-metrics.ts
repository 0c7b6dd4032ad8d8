/** What a member of a group counts, under the names of Kafka's consumer. */
import type { Clock } from '@millrace/runtime'
import { Meter, type Distribution, type Metrics } from '../observe/metrics.ts'
import { HeartbeatMetrics, secondsSince } from './heartbeat-metrics.ts'

const group = 'consumer-coordinator-metrics'
const SECONDS_PER_HOUR = 3600

export class GroupMetrics {
  readonly #clock: Clock
  readonly #heartbeats: HeartbeatMetrics
  readonly #joins
  readonly #joinTime
  readonly #syncs
  readonly #syncTime
  readonly #rebalances: Meter
  readonly #rebalanceLatency
  readonly #failedRebalances: Meter
  #rebalanceMs = 0
  /** On the monotonic clock; NaN: never. */
  #rebalancedAtMs = NaN
  #rebalanceBegunAtMs = NaN

  constructor(metrics: Metrics, clock: Clock) {
    this.#clock = clock
    this.#heartbeats = new HeartbeatMetrics(metrics, { clock, group })
    this.#joins = metrics.meter({ group, name: 'join' })
    this.#joinTime = metrics.distribution({ group, name: 'join-time' })
    this.#syncs = metrics.meter({ group, name: 'sync' })
    this.#syncTime = metrics.distribution({ group, name: 'sync-time' })
    this.#rebalanceLatency = metrics.distribution({ group, name: 'rebalance-latency' })
    this.#rebalances = new Meter(clock)
    this.#failedRebalances = new Meter(clock)
    const gauge = (name: string, read: (nowMs: number) => number): void => metrics.gauge({ group, name }, read)
    metrics.total({ group, name: 'rebalance-total' }, () => this.#rebalances.total)
    gauge('rebalance-rate-per-hour', (nowMs) => this.#rebalances.rate(nowMs) * SECONDS_PER_HOUR)
    metrics.total({ group, name: 'rebalance-latency-total' }, () => this.#rebalanceMs)
    metrics.total({ group, name: 'failed-rebalance-total' }, () => this.#failedRebalances.total)
    gauge('failed-rebalance-rate-per-hour', (nowMs) => this.#failedRebalances.rate(nowMs) * SECONDS_PER_HOUR)
    gauge('last-rebalance-seconds-ago', (nowMs) => secondsSince(this.#rebalancedAtMs, nowMs))
  }

  /** A heartbeat was answered. */
  beaten(latencyMs: number): void {
    this.#heartbeats.beaten(latencyMs)
  }

  /** Resolves as `joining`, which is measured. */
  async join<T>(joining: Promise<T>): Promise<T> {
    return await this.#timed(joining, this.#joins, this.#joinTime)
  }

  async sync<T>(syncing: Promise<T>): Promise<T> {
    return await this.#timed(syncing, this.#syncs, this.#syncTime)
  }

  /** One that begins again before it has ended is the same. */
  rebalanceBegins(): void {
    if (Number.isNaN(this.#rebalanceBegunAtMs)) this.#rebalanceBegunAtMs = this.#clock.monotonicMs()
  }

  rebalanceEnds(): void {
    const nowMs = this.#clock.monotonicMs()
    const latencyMs = nowMs - this.#rebalanceBegunAtMs
    if (Number.isNaN(latencyMs)) return
    this.#rebalanceBegunAtMs = NaN
    this.#rebalancedAtMs = nowMs
    this.#rebalances.record()
    this.#rebalanceLatency.record(latencyMs)
    this.#rebalanceMs += latencyMs
  }

  /** What comes next is still the same rebalance. */
  rebalanceFails(): void {
    this.#failedRebalances.record()
  }

  async #timed<T>(answer: Promise<T>, meter: Meter, time: Distribution): Promise<T> {
    const begunAtMs = this.#clock.monotonicMs()
    const answered = await answer
    meter.record()
    time.record(this.#clock.monotonicMs() - begunAtMs)
    return answered
  }
}
