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
  /** Without `-rate`, `-total`, `-avg`, `-max`. */
  readonly name: string
  /** Beside the client's own. */
  readonly tags?: Readonly<Record<string, string>>
}

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

  record(count = 1): void {
    this.#total += count
    this.#window.record(count, this.#clock.monotonicMs())
  }

  rate(nowMs: number): number {
    return this.#window.rate(nowMs)
  }
}

/** How large or long something is: `<name>-avg`, `<name>-max`. */
export class Distribution {
  readonly #window: Windowed
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
    this.#window = new Windowed(clock.monotonicMs())
  }

  record(value: number): void {
    this.#window.record(value, this.#clock.monotonicMs())
  }

  average(nowMs: number): number {
    return this.#window.average(nowMs)
  }

  max(nowMs: number): number {
    return this.#window.max(nowMs)
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

  /** The same one for the same definition. */
  distribution(definition: MetricDefinition): Distribution {
    const identity = identityOf(definition)
    let distribution = this.#distributions.get(identity)
    if (distribution === undefined) {
      const made = new Distribution(this.#clock)
      distribution = made
      this.#distributions.set(identity, made)
      this.#add(definition, '-avg', 'gauge', (nowMs) => made.average(nowMs))
      this.#add(definition, '-max', 'gauge', (nowMs) => made.max(nowMs))
    }
    return distribution
  }

  /** A value that is read when somebody asks; `name` is whole. */
  gauge(definition: MetricDefinition, read: () => number): void {
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
