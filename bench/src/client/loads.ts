// What the clients are compared in, and what is wanted of ours (issue 5): CPU per record of the others in multiples of ours, at least.
import type { LoadKind } from './job.ts'

export interface Load {
  readonly title: string
  readonly kind: LoadKind
  readonly valueBytes: number
  readonly wanted: Readonly<Record<string, number>>
}

const arrays = { kafkajs: 4, platformatic: 2, librdkafka: 1 / 2.5 }
const concurrent = { kafkajs: 10, platformatic: 10 }
const singles = { kafkajs: 1, platformatic: 1 }
const consume = { kafkajs: 2, librdkafka: 1 / 2.5 }

export const loads: readonly Load[] = [
  { title: 'arrays, 100 B', kind: 'arrays', valueBytes: 100, wanted: arrays },
  { title: 'arrays, 1 KiB', kind: 'arrays', valueBytes: 1024, wanted: arrays },
  { title: '200 concurrent sends, 100 B', kind: 'concurrent', valueBytes: 100, wanted: concurrent },
  { title: '200 concurrent sends, 1 KiB', kind: 'concurrent', valueBytes: 1024, wanted: concurrent },
  { title: 'awaited sends, 100 B', kind: 'singles', valueBytes: 100, wanted: singles },
  { title: 'awaited sends, 1 KiB', kind: 'singles', valueBytes: 1024, wanted: singles },
  { title: 'consume, 100 B', kind: 'consume', valueBytes: 100, wanted: consume },
  { title: 'consume, 1 KiB', kind: 'consume', valueBytes: 1024, wanted: consume },
]
