/** A log under simulated time on a simulated disk, for tests: opened, closed, crashed and opened again. */
import {
  RecordBatchBuilder,
  readRecords,
  forEachBatch,
  type NewRecord,
  type RecordBatchOptions,
} from '@millrace/protocol'
import { silentLogger } from '@millrace/runtime'
import { simulation, type SimulatedHost, type Simulation } from '@millrace/runtime/testing'
import { FilePool } from '../file-pool.ts'
import { defaultLogConfig, type LogConfig } from '../log-config.ts'
import { createLogServices, type LogServices } from '../log-services.ts'
import { PartitionLog } from '../partition-log.ts'
import type { Appended, AppendOptions, ExistingPartitionLog, LocateOptions } from '../partition-log-options.ts'
import { validateRecords, type ValidatedBatches } from '../validation/index.ts'

export interface StoredRecord {
  readonly offset: bigint
  readonly timestamp: bigint
  readonly value: string
}

const directory = '/logs/topic-0'
const encoder = new TextEncoder()
const decoder = new TextDecoder()

export class LogBench {
  readonly simulation: Simulation
  readonly host: SimulatedHost
  services!: LogServices
  log!: PartitionLog
  config: LogConfig
  failure: Error | null = null
  #bootId: string | null = null

  constructor(config: Partial<LogConfig> = {}, seed = 1) {
    this.simulation = simulation(seed)
    this.host = this.simulation.host('broker')
    this.config = { ...defaultLogConfig, ...config }
    this.host.disk.makeDirectorySync(directory)
    this.host.disk.syncDirectorySync('/')
    this.host.disk.syncDirectorySync('/logs')
    this.#start()
    this.log = PartitionLog.create(this.#options())
  }

  get directory(): string {
    return directory
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.simulation.time.run(promise)
  }

  /** Lets the turn end and everything asynchronous with it. */
  settle(ms = 1000): Promise<void> {
    return this.simulation.time.advance(ms)
  }

  batch(records: readonly NewRecord[] | readonly string[], options: RecordBatchOptions = {}): Uint8Array {
    const builder = new RecordBatchBuilder(options)
    for (const record of records)
      builder.append(
        typeof record === 'string'
          ? { timestamp: BigInt(this.host.clock.now()), value: encoder.encode(record) }
          : record,
      )
    return builder.build()
  }

  validated(bytes: Uint8Array, origin: AppendOptions['origin'] = 'client'): ValidatedBatches {
    const batches = validateRecords(bytes, { origin, config: this.config, nowMs: this.host.clock.now() })
    if (batches instanceof Promise) throw new Error('expected validation at once')
    return batches
  }

  /** Appends one batch and waits until it is acknowledged. */
  async append(
    records: readonly NewRecord[] | readonly string[],
    batch: RecordBatchOptions = {},
    options: Partial<AppendOptions> = {},
  ): Promise<Appended> {
    const { appended, written } = this.start(this.batch(records, batch), options)
    await this.run(written)
    return appended
  }

  /** Appends without waiting. */
  start(bytes: Uint8Array, options: Partial<AppendOptions> = {}): { appended: Appended; written: Promise<void> } {
    const { promise: written, resolve, reject } = Promise.withResolvers<void>()
    written.catch(() => {})
    const appended = this.log.append(
      this.validated(bytes, options.origin),
      { leaderEpoch: 0, origin: 'client', ...options },
      (error) => (error === null ? resolve() : reject(error)),
    )
    return { appended, written }
  }

  commit(): void {
    this.log.setHighWatermark(this.log.writtenEndOffset)
  }

  /** All records from `offset` on that one fetch returns. */
  fetch(offset: bigint, options: Partial<LocateOptions> = {}): StoredRecord[] {
    const slice = this.log.locate(offset, { maxBytes: 1 << 20, minOneBatch: true, upTo: 'log-end', ...options })
    const bytes = new Uint8Array(slice.length)
    slice.readSync(bytes)
    return recordsOf(bytes).filter((record) => record.offset >= offset)
  }

  /** All records of the log, by fetches of `maxBytes`. */
  readAll(maxBytes = 1 << 20): StoredRecord[] {
    const all: StoredRecord[] = []
    let next = this.log.logStartOffset
    while (next < this.log.writtenEndOffset) {
      const records = this.fetch(next, { maxBytes })
      if (records.length === 0) break
      all.push(...records)
      next = records.at(-1)!.offset + 1n
    }
    return all
  }

  async reopen(): Promise<void> {
    await this.run(this.log.close())
    await this.#reopen(true)
  }

  /** The process is killed; completed writes stay. */
  async kill(): Promise<void> {
    this.host.crashProcess()
    await this.#reopen(false)
  }

  /** Power failure: what was not synced may be lost. */
  async crash(keep: 'random' | 'nothing' = 'random'): Promise<void> {
    this.host.crash(keep)
    await this.#reopen(false)
  }

  async #reopen(wasCleanShutdown: boolean): Promise<void> {
    const { recoveryCheckpoint: recoveryPoint, logStartOffset, highWatermark } = this.log
    const trustPageCache = this.#bootId === this.host.disk.bootId()
    await this.open({ recoveryPoint, logStartOffset, highWatermark, wasCleanShutdown, trustPageCache })
  }

  /** Opens the directory as a new process would. */
  async open(found: Partial<ExistingPartitionLog>): Promise<void> {
    this.#start()
    this.log = await this.run(
      PartitionLog.open({
        recoveryPoint: 0n,
        logStartOffset: 0n,
        highWatermark: 0n,
        wasCleanShutdown: false,
        trustPageCache: false,
        ...this.#options(),
        ...found,
      }),
    )
  }

  #start(): void {
    const { disk, clock, random } = this.host.runtime
    this.failure = null
    this.#bootId = disk.bootId()
    this.services = createLogServices({
      disk,
      clock,
      random,
      files: new FilePool({ disk, maxOpenFiles: 4 }),
      indexBudgetBytes: 4096,
    })
  }

  #options() {
    return {
      services: this.services,
      logger: silentLogger,
      directory,
      topic: 'topic',
      partition: 0,
      config: this.config,
      onFailure: (error: Error) => {
        this.failure = error
      },
    }
  }
}

export function recordsOf(bytes: Uint8Array): StoredRecord[] {
  const records: StoredRecord[] = []
  forEachBatch(bytes, (at) => {
    for (const { offset, timestamp, value } of readRecords(bytes, at))
      records.push({ offset, timestamp, value: value === null ? '' : decoder.decode(value) })
  })
  return records
}
