/**
 * How the application and its records wait for each other, under the names that Kafka has for `poll()`: here that is the moment at which records are
 * given, once per batch.
 */
import { secondsSince } from '../groups/heartbeat-metrics.ts'
import type { Metrics } from '../observe/metrics.ts'

export class PollMetrics {
  readonly #metrics: Metrics
  readonly #between
  readonly #idleRatio
  /** On the monotonic clock; NaN: never. */
  #givenAtMs = NaN
  /** NaN: the application has records in hand. */
  #waitsSinceMs = NaN

  /** `group`: as `consumer-metrics`. */
  constructor(metrics: Metrics, group: string) {
    this.#metrics = metrics
    this.#between = metrics.distribution({ group, name: 'time-between-poll' })
    this.#idleRatio = metrics.average({ group, name: 'poll-idle-ratio-avg' })
    metrics.gauge({ group, name: 'last-poll-seconds-ago' }, (nowMs) => this.#secondsAgo(nowMs))
  }

  /** The application has nothing in hand, and waits for records. To be called again as often as one likes. */
  waits(): void {
    if (Number.isNaN(this.#waitsSinceMs)) this.#waitsSinceMs = this.#metrics.nowMs()
  }

  given(nowMs: number): void {
    const waitedMs = Number.isNaN(this.#waitsSinceMs) ? 0 : nowMs - this.#waitsSinceMs
    const sinceLastMs = Number.isNaN(this.#givenAtMs) ? waitedMs : nowMs - this.#givenAtMs
    this.#idleRatio.record(sinceLastMs === 0 ? 0 : waitedMs / sinceLastMs, nowMs)
    if (!Number.isNaN(this.#givenAtMs)) this.#between.record(sinceLastMs, nowMs)
    this.#givenAtMs = nowMs
    this.#waitsSinceMs = NaN
  }

  /** Who waits is asking all the time. */
  #secondsAgo(nowMs: number): number {
    if (!Number.isNaN(this.#waitsSinceMs)) return 0
    return secondsSince(this.#givenAtMs, nowMs)
  }
}
