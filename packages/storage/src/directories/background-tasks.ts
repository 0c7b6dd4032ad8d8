/** What goes on by itself: retention, flushes, checkpoints, expiry of producer ids. Each goes through all logs with rests in between. */
import type { Logger } from '@millrace/runtime'
import type { LogManagerIntervals } from '../log-manager-options.ts'
import type { LogServices } from '../log-services.ts'
import { isDiskFailure } from './io-error.ts'
import type { LogBooks } from './log-books.ts'
import type { CheckpointName } from './directory-checkpoints.ts'
import type { HostedLog } from './log-directory.ts'
import { forEachPaced } from './pace.ts'
import { PeriodicTask } from './periodic-task.ts'

export interface BackgroundTasksOptions {
  readonly services: LogServices
  readonly logger: Logger
  readonly intervals: LogManagerIntervals
  readonly books: LogBooks
}

/** Used when `log.flush.scheduler.interval.ms` says never. */
const fallbackFlushCheckMs = 1000
/**
 * A log with more than this above its recovery point is synced when recovery points are checkpointed. By then the system has written most of
 * it back, so the sync is cheap, and after a crash of the system little has to be read.
 */
const maxUnsyncedBytes = 32 * 1024 * 1024
const flushConcurrency = 2

export class BackgroundTasks implements AsyncDisposable {
  readonly #options: BackgroundTasksOptions
  readonly #tasks: PeriodicTask[] = []
  /** Size of each log when it was last synced here. */
  readonly #syncedSize = new WeakMap<HostedLog, number>()

  constructor(options: BackgroundTasksOptions) {
    this.#options = options
    const { services, intervals } = options
    const { clock } = services
    this.#every(intervals.retentionCheckMs, 'retention', () =>
      this.#forEach(1, ({ log }) => {
        // Of compacted logs the cleaner sees to it, between two rounds. Without a cleaner nobody does, as in Kafka.
        if (!log.config.cleanupPolicies.compact) log.applyRetention(clock.now())
      }),
    )
    const isNever = intervals.flushCheckMs >= Number.MAX_SAFE_INTEGER
    this.#every(isNever ? fallbackFlushCheckMs : intervals.flushCheckMs, 'flush', () => this.#flushDue())
    this.#every(intervals.recoveryPointCheckpointMs, 'recovery point checkpoint', async () => {
      await this.#forEach(flushConcurrency, (hosted) => this.#syncIfMuch(hosted))
      for (const directory of options.books.directories) await directory.unsettled.settle()
      await this.#checkpoint('recovery-point')
    })
    this.#every(intervals.logStartOffsetCheckpointMs, 'log start offset checkpoint', () =>
      this.#checkpoint('log-start-offset'),
    )
    this.#every(intervals.highWatermarkCheckpointMs, 'high watermark checkpoint', () =>
      this.#checkpoint('high-watermark'),
    )
    this.#every(intervals.producerIdExpirationCheckMs, 'producer id expiry', () =>
      this.#forEach(1, ({ log }) => log.removeExpiredProducers(clock.now())),
    )
  }

  #every(intervalMs: number, name: string, run: () => Promise<void>): void {
    const { services, logger, intervals } = this.#options
    this.#tasks.push(
      new PeriodicTask({
        clock: services.clock,
        initialDelayMs: Math.min(intervals.initialTaskDelayMs, intervalMs),
        intervalMs,
        run,
        onError: (error) => logger.error('Background task failed', { task: name, error }),
      }),
    )
  }

  /** An error of one log does not keep the task from the others. */
  async #forEach(concurrency: number, work: (hosted: HostedLog) => Promise<void> | void): Promise<void> {
    const { services, logger, books } = this.#options
    const guarded = async (hosted: HostedLog): Promise<void> => {
      if (!hosted.directory.isOnline) return
      try {
        await work(hosted)
      } catch (error) {
        if (isDiskFailure(error)) hosted.directory.fail(error)
        else logger.error('Background task failed for a log', { log: hosted.log.directory, error })
      }
    }
    await forEachPaced([...books], { clock: services.clock, concurrency }, guarded)
  }

  async #flushDue(): Promise<void> {
    const { services, books } = this.#options
    const nowMs = services.clock.monotonicMs()
    const due: HostedLog[] = []
    for (const hosted of books) if (nowMs - hosted.lastFlushMs >= hosted.log.config.flushMs) due.push(hosted)
    if (due.length === 0) return
    await forEachPaced(due, { clock: services.clock, concurrency: flushConcurrency }, async (hosted) => {
      hosted.lastFlushMs = nowMs
      if (hosted.log.recoveryPoint < hosted.log.logEndOffset)
        await hosted.directory.guardAsync(() => hosted.log.flush())
    })
  }

  async #syncIfMuch(hosted: HostedLog): Promise<void> {
    const { log } = hosted
    const unsynced = log.sizeBytes - (this.#syncedSize.get(hosted) ?? 0)
    // Smaller than at the last sync: retention or truncation has cut it.
    if (unsynced < 0) this.#syncedSize.set(hosted, log.sizeBytes)
    if (unsynced < maxUnsyncedBytes) return
    const size = log.sizeBytes
    if (log.recoveryPoint < log.logEndOffset) await log.flush()
    this.#syncedSize.set(hosted, size)
  }

  async #checkpoint(name: CheckpointName): Promise<void> {
    for (const directory of this.#options.books.directories) await directory.checkpoints.write(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#tasks.map((task) => task[Symbol.asyncDispose]()))
  }
}
