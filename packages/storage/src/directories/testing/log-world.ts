/** A LogManager on a simulated host, and what tests do with it. */
import { RecordBatchBuilder, forEachBatch, readRecords } from '@millrace/protocol'
import type { LogFields, Logger } from '@millrace/runtime'
import { simulation, type SimulatedHost, type Simulation } from '@millrace/runtime/testing'
import { defaultLogConfig, type LogConfig } from '../../log-config.ts'
import { LogManager } from '../../log-manager.ts'
import type { DirectoryFailure, LogManagerOptions } from '../../log-manager-options.ts'
import type { PartitionLog } from '../../partition-log.ts'
import { validateRecords } from '../../validation/index.ts'

export const topicId = 'Kz4yv2W1T8qY0AbCdEfGhA'
export const otherTopicId = 'Zz4yv2W1T8qY0AbCdEfGhA'

export interface LoggedLine {
  readonly level: string
  readonly message: string
  readonly fields: LogFields
}

export class LogWorld {
  readonly simulation: Simulation
  readonly host: SimulatedHost
  readonly lines: LoggedLine[] = []
  readonly failures: DirectoryFailure[] = []
  readonly replaced: PartitionLog[] = []
  readonly configs = new Map<string, Partial<LogConfig>>()

  constructor(seed = 1) {
    this.simulation = simulation(seed)
    this.host = this.simulation.host('broker')
  }

  /** Lets simulated time pass until the promise is settled. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.simulation.time.run(promise)
  }

  open(overrides: Partial<LogManagerOptions> = {}): Promise<LogManager> {
    return this.run(LogManager.open({ ...this.options(), ...overrides }))
  }

  options(): LogManagerOptions {
    const { clock, disk, random } = this.host
    return {
      clock,
      disk,
      random,
      logger: this.#logger({}),
      directories: ['/a'],
      nodeId: 1,
      clusterId: 'test-cluster',
      configFor: (topic) => ({ ...defaultLogConfig, ...this.configs.get(topic) }),
      onDirectoryFailure: (failure) => this.failures.push(failure),
      onLogReplaced: (log) => this.replaced.push(log),
    }
  }

  #logger(bound: LogFields): Logger {
    const at =
      (level: string) =>
      (message: string, fields: LogFields = {}) =>
        void this.lines.push({ level, message, fields: { ...bound, ...fields } })
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => this.#logger({ ...bound, ...fields }),
    }
  }

  /** Names below a directory, sorted. */
  names(path: string): string[] {
    return this.host.disk
      .listSync(path)
      .map(({ name }) => name)
      .toSorted()
  }

  /** Directories of partitions, the random part of marked ones cut out. */
  partitionNames(path: string): string[] {
    return this.host.disk
      .listSync(path)
      .filter(({ isDirectory }) => isDirectory)
      .map(({ name }) => name.replace(/\.[0-9a-f]{32}-/, '.*-'))
      .toSorted()
  }

  text(path: string): string {
    return new TextDecoder().decode(this.host.disk.readFileSync(path))
  }
}

/** Stages one batch; resolves with its first offset when it is written, and raises the high watermark as a single replica does. */
export function append(log: PartitionLog, values: readonly string[], leaderEpoch = 0): Promise<bigint> {
  const builder = new RecordBatchBuilder()
  for (const value of values) builder.append({ timestamp: 1000n, value: new TextEncoder().encode(value) })
  const batches = validateRecords(builder.build(), { origin: 'client', config: log.config, nowMs: 1000 })
  if (batches instanceof Promise) throw new Error('small batches are validated at once')
  return new Promise((resolve, reject) => {
    const { firstOffset, lastOffset } = log.append(batches, { leaderEpoch, origin: 'client' }, (error) => {
      if (error !== null) return reject(error)
      if (log.failure === null) log.setHighWatermark(lastOffset + 1n)
      resolve(firstOffset)
    })
  })
}

/** Values by offset, from the log start to the written end. */
export function readAll(log: PartitionLog): Map<bigint, string> {
  const values = new Map<bigint, string>()
  for (let offset = log.logStartOffset; offset < log.writtenEndOffset;) {
    const slice = log.locate(offset, { maxBytes: 1 << 20, minOneBatch: true, upTo: 'log-end' })
    const bytes = new Uint8Array(slice.length)
    slice.readSync(bytes)
    const before = offset
    forEachBatch(bytes, (at, sizeBytes) => {
      for (const record of readRecords(bytes.subarray(at, at + sizeBytes))) {
        if (record.offset < offset) continue
        values.set(record.offset, new TextDecoder().decode(record.value!))
        offset = record.offset + 1n
      }
    })
    if (offset === before) throw new Error(`nothing to read at ${offset}`)
  }
  return values
}
