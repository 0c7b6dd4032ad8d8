// What a measure is.
import type { BrokerKind, RunningBroker } from '@millrace/interop/brokers'

export interface Sizes {
  /** Records of 1 KiB and of 100 B for produce and consume. */
  readonly records1KiB: number
  readonly records100B: number
  /** Records at 1,000 a second, the first third of them to warm up. */
  readonly latencyRecords: number
  readonly connections: number
  readonly topics: number
  readonly partitionsPerTopic: number
  /** Log to restart with, in bytes. */
  readonly logBytes: number
  /** Groups that join, shrink and leave one after the other, after a first one. */
  readonly groupCycles: number
  /** Single commits, one after the other, after the first ones. */
  readonly commits: number
  readonly idleGroups: number
  /** Offsets that the coordinator has to load, in groups of a thousand. */
  readonly loadedOffsets: number
  /** Time for memory to settle before it is read. */
  readonly settleMs: number
}

export const fullSizes: Sizes = {
  records1KiB: 2_000_000,
  records100B: 10_000_000,
  latencyRecords: 30_000,
  connections: 5000,
  topics: 100,
  partitionsPerTopic: 100,
  logBytes: 10e9,
  groupCycles: 5,
  commits: 40_000,
  idleGroups: 10_000,
  loadedOffsets: 1_000_000,
  settleMs: 8000,
}

/** For a look at whether all works: the figures mean nothing. */
export const quickSizes: Sizes = {
  records1KiB: 100_000,
  records100B: 500_000,
  latencyRecords: 3000,
  connections: 200,
  topics: 10,
  partitionsPerTopic: 20,
  logBytes: 200e6,
  groupCycles: 2,
  commits: 5000,
  idleGroups: 1000,
  loadedOffsets: 100_000,
  settleMs: 1000,
}

/** A number that a measure gives, and what becomes of it in the table. */
export interface Figure {
  readonly key: string
  readonly title: string
  /** Largest ratio to Apache Kafka that is wanted; null for figures that only explain others. */
  readonly target: number | null
  /** Shown beside the ratio when it does not depend much on the machine. */
  readonly unit?: 'CPU-s/GB' | 'ms' | 'CPU-s' | 'CPU-ms' | 'KiB'
}

export type Sample = Readonly<Record<string, number>>

export interface Environment {
  /** An empty folder for this run alone. */
  readonly directory: string
  readonly sizes: Sizes
  /**
   * Starts a broker on the data directory of this run, `properties` besides its defaults; it is gone when the run ends,
   * however it ends.
   */
  start(kind: BrokerKind, properties?: Readonly<Record<string, string>>): Promise<RunningBroker>
}

export interface Measure {
  readonly name: string
  readonly figures: readonly Figure[]
  /** Builds what its load needs. Safe to call again. */
  prepare?(): Promise<unknown>
  /** One run against one broker. */
  run(kind: BrokerKind, environment: Environment): Promise<Sample>
}
