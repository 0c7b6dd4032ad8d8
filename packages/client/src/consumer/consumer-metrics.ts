/** What a consumer counts, under the names of Kafka's. Once per answer or batch. */
import type { Distribution, Meter, Metrics, WaitTime } from '../observe/metrics.ts'
import type { TopicPartition } from '../record.ts'
import type { FetchCounts, Fetched } from './fetch/fetch-counts.ts'
import { PollMetrics } from './poll-metrics.ts'
import type { AssignedPartition } from './positions/assigned-partition.ts'
import type { RebalanceEvent } from './rebalances.ts'
import type { FetchedRecords } from './records/fetched-records.ts'

const consuming = 'consumer-metrics'
const coordinating = 'consumer-coordinator-metrics'
const fetching = 'consumer-fetch-manager-metrics'

type IsolationLevel = 'read_uncommitted' | 'read_committed'

/** Of a partition that is ours. */
interface Distances {
  readonly lag: Distribution
  readonly lead: Distribution
}

interface TopicCounts {
  readonly bytes: Meter
  readonly size: Distribution
  readonly records: Meter
  readonly recordsPerRequest: Distribution
}

export class ConsumerMetrics<K, V> implements FetchCounts {
  /** When records are given, and waited for. */
  readonly polls: PollMetrics
  readonly commitSync: WaitTime
  readonly committed: WaitTime
  readonly #metrics: Metrics
  readonly #isolationLevel: IsolationLevel
  readonly #assigned = new Map<AssignedPartition<K, V>, Distances>()
  readonly #topics = new Map<string, TopicCounts>()
  readonly #records
  readonly #recordsPerRequest
  readonly #bytes
  readonly #fetches
  readonly #fetchSize
  readonly #latency
  readonly #throttleTime
  readonly #listenerTime: Readonly<Record<RebalanceEvent, Distribution>>

  constructor(metrics: Metrics, isolationLevel: IsolationLevel) {
    this.#metrics = metrics
    this.#isolationLevel = isolationLevel
    this.polls = new PollMetrics(metrics, consuming)
    this.commitSync = metrics.waitTime({ group: consuming, name: 'commit-sync' })
    this.committed = metrics.waitTime({ group: consuming, name: 'committed' })
    this.#records = metrics.meter({ group: fetching, name: 'records-consumed' })
    this.#recordsPerRequest = metrics.distribution({ group: fetching, name: 'records-per-request' })
    this.#bytes = metrics.meter({ group: fetching, name: 'bytes-consumed' })
    this.#fetches = metrics.meter({ group: fetching, name: 'fetch' })
    this.#fetchSize = metrics.distribution({ group: fetching, name: 'fetch-size' })
    this.#latency = metrics.distribution({ group: fetching, name: 'fetch-latency' })
    this.#throttleTime = metrics.distribution({ group: fetching, name: 'fetch-throttle-time' })
    metrics.gauge({ group: fetching, name: 'records-lag-max' }, () =>
      this.#extreme((partition) => this.#lagOf(partition), Math.max),
    )
    metrics.gauge({ group: fetching, name: 'records-lead-min' }, () => this.#extreme(leadOf, Math.min))
    metrics.gauge({ group: coordinating, name: 'assigned-partitions' }, () => this.#assigned.size)
    this.#listenerTime = {
      assigned: metrics.distribution({ group: coordinating, name: 'partition-assigned-latency' }),
      revoked: metrics.distribution({ group: coordinating, name: 'partition-revoked-latency' }),
      lost: metrics.distribution({ group: coordinating, name: 'partition-lost-latency' }),
    }
  }

  assigned(partition: AssignedPartition<K, V>): void {
    const metrics = this.#metrics
    const tags = tagsOf(partition)
    this.#assigned.set(partition, {
      lag: metrics.distribution({ group: fetching, name: 'records-lag', tags }),
      lead: metrics.distributionFromBelow({ group: fetching, name: 'records-lead', tags }),
    })
    metrics.gauge({ group: fetching, name: 'records-lag', tags }, () => this.#lagOf(partition))
    metrics.gauge({ group: fetching, name: 'records-lead', tags }, () => leadOf(partition))
    metrics.gauge({ group: fetching, name: 'preferred-read-replica', tags }, () => partition.preferredReplica)
  }

  unassigned(partition: AssignedPartition<K, V>): void {
    this.#assigned.delete(partition)
    this.#metrics.forget(tagsOf(partition))
  }

  answered({ sizeBytes, latencyMs, throttleTimeMs }: Fetched): void {
    const nowMs = this.#metrics.nowMs()
    this.#fetches.record(1, nowMs)
    this.#bytes.record(sizeBytes, nowMs)
    this.#fetchSize.record(sizeBytes, nowMs)
    this.#latency.record(latencyMs, nowMs)
    this.#throttleTime.record(throttleTimeMs, nowMs)
  }

  brought(recordsCount: number): void {
    this.#recordsPerRequest.record(recordsCount)
  }

  broughtOf(topic: string, { sizeBytes, recordsCount }: { sizeBytes: number; recordsCount: number }): void {
    const nowMs = this.#metrics.nowMs()
    const counts = this.#topic(topic)
    counts.bytes.record(sizeBytes, nowMs)
    counts.size.record(sizeBytes, nowMs)
    counts.recordsPerRequest.record(recordsCount, nowMs)
  }

  /** The application was given records of the partition. */
  given({ topic, count }: FetchedRecords<K, V>, partition: AssignedPartition<K, V> | undefined): void {
    const nowMs = this.#metrics.nowMs()
    this.polls.given(nowMs)
    this.#records.record(count, nowMs)
    this.#topic(topic).records.record(count, nowMs)
    const distances = partition === undefined ? undefined : this.#assigned.get(partition)
    if (partition === undefined || distances === undefined) return
    const lag = this.#lagOf(partition)
    if (!Number.isNaN(lag)) distances.lag.record(lag, nowMs)
    const lead = leadOf(partition)
    if (!Number.isNaN(lead)) distances.lead.record(lead, nowMs)
  }

  /** A listener of rebalances has returned. */
  listened(event: RebalanceEvent, durationMs: number): void {
    this.#listenerTime[event].record(durationMs)
  }

  /** NaN when nothing is known of any. */
  #extreme(
    distanceOf: (partition: AssignedPartition<K, V>) => number,
    choose: (one: number, other: number) => number,
  ): number {
    let extreme = NaN
    for (const partition of this.#assigned.keys()) {
      const distance = distanceOf(partition)
      if (!Number.isNaN(distance)) extreme = Number.isNaN(extreme) ? distance : choose(extreme, distance)
    }
    return extreme
  }

  #lagOf(partition: AssignedPartition<K, V>): number {
    const lag = partition.lag(this.#isolationLevel)
    return lag === null ? NaN : Number(lag)
  }

  #topic(topic: string): TopicCounts {
    let counts = this.#topics.get(topic)
    if (counts === undefined) {
      const definition = { group: fetching, tags: { topic } }
      const metrics = this.#metrics
      counts = {
        bytes: metrics.meter({ ...definition, name: 'bytes-consumed' }),
        size: metrics.distribution({ ...definition, name: 'fetch-size' }),
        records: metrics.meter({ ...definition, name: 'records-consumed' }),
        recordsPerRequest: metrics.distribution({ ...definition, name: 'records-per-request' }),
      }
      this.#topics.set(topic, counts)
    }
    return counts
  }
}

/** Records before the position that are still in the log. */
function leadOf({ position, logStartOffset }: AssignedPartition<unknown, unknown>): number {
  return position === null || logStartOffset < 0n ? NaN : Number(position.offset - logStartOffset)
}

function tagsOf({ topic, partition }: TopicPartition): Record<string, string> {
  return { topic, partition: String(partition) }
}
