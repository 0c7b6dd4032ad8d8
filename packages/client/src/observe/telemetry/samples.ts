/** From a client's metrics to the samples a cluster asked for. */
import type { Metrics } from '../metrics.ts'
import type { Sample } from './otlp.ts'

/** As Kafka's clients name metrics to a cluster: `producer-metrics`, `record-send-total` is `org.apache.kafka.producer.record.send.total`. */
export function telemetryName(group: string, name: string): string {
  return `org.apache.kafka.${dotted(group).replaceAll('.metrics', '')}.${dotted(name)}`
}

/** Which metrics are wanted: names begin with one of `requested`; `*` alone means all. */
export function isRequested(name: string, requested: readonly string[]): boolean {
  if (requested.length === 1 && requested[0] === '*') return true
  return requested.some((prefix) => name.startsWith(prefix))
}

/** Remembers what was told last, so that totals can be told as differences. */
export class Sampler {
  readonly #metrics: Metrics
  readonly #told = new Map<string, { readonly value: number; readonly atMs: number }>()
  #beganAtMs: number

  constructor(metrics: Metrics, nowMs: number) {
    this.#metrics = metrics
    this.#beganAtMs = nowMs
  }

  /** Differences begin anew. */
  reset(nowMs: number): void {
    this.#told.clear()
    this.#beganAtMs = nowMs
  }

  samples(requested: readonly string[], isDelta: boolean, nowMs: number): Sample[] {
    const samples: Sample[] = []
    for (const { group, name, tags, value, kind } of this.#metrics.allWithKinds()) {
      const told = telemetryName(group, name)
      if (!isRequested(told, requested) || Number.isNaN(value)) continue
      const sampleTags = ownTags(tags)
      if (kind === 'gauge') samples.push({ name: told, tags: sampleTags, value, sum: null })
      else
        samples.push({
          name: told,
          tags: sampleTags,
          ...this.#sum(`${told} ${JSON.stringify(tags)}`, value, isDelta, nowMs),
        })
    }
    return samples
  }

  #sum(identity: string, value: number, isDelta: boolean, nowMs: number): Pick<Sample, 'value' | 'sum'> {
    if (!isDelta) return { value, sum: { startMs: this.#beganAtMs, isDelta } }
    const before = this.#told.get(identity)
    this.#told.set(identity, { value, atMs: nowMs })
    return { value: value - (before?.value ?? 0), sum: { startMs: before?.atMs ?? this.#beganAtMs, isDelta } }
  }
}

/** The broker knows the client's id from the request. */
function ownTags(tags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tags)
      .map(([name, value]) => [name.toLowerCase().replaceAll('-', '_'), value] as const)
      .filter(([name]) => name !== 'client_id'),
  )
}

function dotted(name: string): string {
  return name.toLowerCase().replaceAll('-', '.')
}
