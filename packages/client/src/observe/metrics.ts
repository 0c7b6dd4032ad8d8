/** Where a client counts what it does, under the names of Kafka's clients. One per client; recorded per batch or request, never per record. */
import type { Clock } from '@millrace/runtime'
import { Windowed } from './windowed.ts'

export interface ClientMetric {
  /** As `producer-metrics`. */
  readonly group: string
  readonly name: string
  readonly tags: Readonly<Record<string, string>>
  /** NaN where nothing has been measured yet. */
  readonly value: number
}

/** Of a metric: a running total, or a value that goes up and down. */
export type MetricKind = 'total' | 'gauge'

export interface MetricDefinition {
  /** As `producer-metrics`. */
  readonly group: string
  /** Without `-rate`, `-total`, `-avg`, `-max`, `-min`, `-time-ns-total`. */
  readonly name: string
  /** Beside the client's own. */
  readonly tags?: Readonly<Record<string, string>>
}

const NANOSECONDS_PER_MS = 1_000_000
const MS_PER_SECOND = 1000

interface Metric {
  readonly group: string
  readonly name: string
  readonly tags: Readonly<Record<string, string>>
  readonly kind: MetricKind
  readonly read: (nowMs: number) => number
}

/** How often something happens: `<name>-rate` a second, `<name>-total`. */
export class Meter {
  readonly #window: Windowed
  readonly #clock: Clock
  #total = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#window = new Windowed(clock.monotonicMs())
  }

  get total(): number {
    return this.#total
  }

  /** `nowMs` for those who have asked the clock already. */
  record(count = 1, nowMs = this.#clock.monotonicMs()): void {
    this.#total += count
    this.#window.record(count, nowMs)
  }

  rate(nowMs: number): number {
    return this.#window.rate(nowMs)
  }
}

/** How large or long something is: `<name>-avg`, and `<name>-max` or `<name>-min`. */
export class Distribution {
  readonly #window: Windowed
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
    this.#window = new Windowed(clock.monotonicMs())
  }

  /** `nowMs` for those who have asked the clock already. */
  record(value: number, nowMs = this.#clock.monotonicMs()): void {
    this.#window.record(value, nowMs)
  }

  average(nowMs: number): number {
    return this.#window.average(nowMs)
  }

  max(nowMs: number): number {
    return this.#window.max(nowMs)
  }

  min(nowMs: number): number {
    return this.#window.min(nowMs)
  }
}

/** How long something was waited for in all: `<name>-time-ns-total`. */
export class WaitTime {
  readonly #clock: Clock
  readonly #window: Windowed
  #totalMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#window = new Windowed(clock.monotonicMs())
  }

  get totalNs(): number {
    return this.#totalMs * NANOSECONDS_PER_MS
  }

  /** Which part of the last minute, from 0 to 1; more when it was waited several times at once. */
  ratio(nowMs: number): number {
    return this.#window.rate(nowMs) / MS_PER_SECOND
  }

  add(durationMs: number): void {
    this.#totalMs += durationMs
    this.#window.record(durationMs, this.#clock.monotonicMs())
  }

  /** Settles as `work`, which is measured however it ends. */
  async of<T>(work: Promise<T>): Promise<T> {
    const begunAtMs = this.#clock.monotonicMs()
    try {
      return await work
    } finally {
      this.add(this.#clock.monotonicMs() - begunAtMs)
    }
  }
}

export class Metrics {
  readonly #clock: Clock
  readonly #tags: Readonly<Record<string, string>>
  readonly #metrics = new Map<string, Metric>()
  readonly #meters = new Map<string, Meter>()
  readonly #distributions = new Map<string, Distribution>()

  /** `tags` are on every metric, as `client-id`. */
  constructor(clock: Clock, tags: Readonly<Record<string, string>>) {
    this.#clock = clock
    this.#tags = tags
  }

  /** The time that `record` takes. */
  nowMs(): number {
    return this.#clock.monotonicMs()
  }

  /** The same one for the same definition. */
  meter(definition: MetricDefinition): Meter {
    const identity = identityOf(definition)
    let meter = this.#meters.get(identity)
    if (meter === undefined) {
      const made = new Meter(this.#clock)
      meter = made
      this.#meters.set(identity, made)
      this.#add(definition, '-rate', 'gauge', (nowMs) => made.rate(nowMs))
      this.#add(definition, '-total', 'total', () => made.total)
    }
    return meter
  }

  /** With `-avg` and `-max`. The same one for the same definition. */
  distribution(definition: MetricDefinition): Distribution {
    return this.#distribution(definition, 'max')
  }

  /** With `-avg` and `-min`. The same one for the same definition. */
  distributionFromBelow(definition: MetricDefinition): Distribution {
    return this.#distribution(definition, 'min')
  }

  /** Under that name alone. */
  average(definition: MetricDefinition): Distribution {
    const made = new Distribution(this.#clock)
    this.gauge(definition, (nowMs) => made.average(nowMs))
    return made
  }

  waitTime(definition: MetricDefinition): WaitTime {
    const made = new WaitTime(this.#clock)
    this.#add(definition, '-time-ns-total', 'total', () => made.totalNs)
    return made
  }

  /** A value that is read when somebody asks; `name` is whole. */
  gauge(definition: MetricDefinition, read: (nowMs: number) => number): void {
    this.#add(definition, '', 'gauge', read)
  }

  /** Forgets all metrics with these tags (and perhaps more): of a partition that is not ours any more. */
  forget(tags: Readonly<Record<string, string>>): void {
    const wanted = Object.entries(tags)
    for (const [identity, metric] of this.#metrics)
      if (wanted.every(([name, value]) => metric.tags[name] === value)) this.#metrics.delete(identity)
    for (const registry of [this.#meters, this.#distributions])
      for (const identity of registry.keys()) {
        const own = tagsOf(identity)
        if (wanted.every(([name, value]) => own[name] === value)) registry.delete(identity)
      }
  }

  all(): readonly ClientMetric[] {
    const nowMs = this.#clock.monotonicMs()
    return [...this.#metrics.values()].map(({ group, name, tags, read }) => ({ group, name, tags, value: read(nowMs) }))
  }

  /** As `all`, with what kind each is. */
  allWithKinds(): readonly (ClientMetric & { readonly kind: MetricKind })[] {
    const nowMs = this.#clock.monotonicMs()
    return [...this.#metrics.values()].map(({ group, name, tags, kind, read }) => ({
      group,
      name,
      tags,
      kind,
      value: read(nowMs),
    }))
  }

  /** A running total that is read when somebody asks; `name` is whole. */
  total(definition: MetricDefinition, read: () => number): void {
    this.#add(definition, '', 'total', read)
  }

  #distribution(definition: MetricDefinition, extreme: 'min' | 'max'): Distribution {
    const identity = identityOf(definition)
    let distribution = this.#distributions.get(identity)
    if (distribution === undefined) {
      const made = new Distribution(this.#clock)
      distribution = made
      this.#distributions.set(identity, made)
      this.#add(definition, '-avg', 'gauge', (nowMs) => made.average(nowMs))
      this.#add(definition, `-${extreme}`, 'gauge', (nowMs) => made[extreme](nowMs))
    }
    return distribution
  }

  #add(definition: MetricDefinition, suffix: string, kind: MetricKind, read: (nowMs: number) => number): void {
    const { group, tags = {} } = definition
    const name = definition.name + suffix
    this.#metrics.set(identityOf({ group, name, tags }), { group, name, kind, read, tags: { ...this.#tags, ...tags } })
  }
}

function identityOf({ group, name, tags = {} }: MetricDefinition): string {
  return JSON.stringify([group, name, tags])
}

function tagsOf(identity: string): Readonly<Record<string, string>> {
  return (JSON.parse(identity) as [string, string, Record<string, string>])[2]
}
