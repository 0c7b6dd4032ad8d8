/**
 * Compacts logs: takes the one with the largest dirty part, again and again, as many at once as there are threads. Between two logs it applies
 * retention to the compacted ones, which the retention task leaves to it. Source: Kafka's LogCleaner, LogCleanerManager.
 *
 * A log of which a copy is being made in another directory is left alone: both would read and write the same bytes at the same time.
 */
import type { Logger } from '@millrace/runtime'
import { isDiskFailure } from '../directories/io-error.ts'
import type { LogBooks } from '../directories/log-books.ts'
import type { HostedLog } from '../directories/log-directory.ts'
import { forEachPaced } from '../directories/pace.ts'
import { dirtyRatio, type CleanableRange } from '../log-cleaning.ts'
import type { LogServices } from '../log-services.ts'
import type { CleanerConfig } from './cleaner-config.ts'
import { CleaningStoppedError, LocalHand, type CleanerHand } from './cleaner-hand.ts'
import { CleaningRound } from './cleaning-round.ts'
import { NoThreadError, ThreadHand } from './thread-hand.ts'
import { Throttle } from './throttle.ts'

export interface LogCleanerOptions {
  readonly services: LogServices
  readonly books: LogBooks
  readonly logger: Logger
  /** Asked for again and again; the sizes of threads and buffers, at the next log. */
  readonly config: () => CleanerConfig
}

/** One log being cleaned. */
interface Work {
  readonly hand: CleanerHand
  isStopped: boolean
}

interface Candidate {
  readonly hosted: HostedLog
  readonly range: CleanableRange
}

/** No room for the cleaned copy: the log is as it was, and may be cleaned when there is room again. */
const outOfSpaceCodes = new Set<unknown>(['ENOSPC', 'EDQUOT'])

/** Invariant: a log is in `#underWay` while a thread cleans it, and in at most one. */
export class LogCleaner implements AsyncDisposable {
  readonly #options: LogCleanerOptions
  readonly #throttle: Throttle
  readonly #stop = new AbortController()
  readonly #underWay = new Map<HostedLog, Work>()
  /** The end of each thread, by its number. */
  readonly #threads = new Map<number, Promise<void>>()
  #canHaveThreads = true

  constructor(options: LogCleanerOptions) {
    this.#options = options
    this.#throttle = new Throttle(options.services.clock, () => options.config().maxBytesPerSecond)
    this.configChanged()
  }

  /** `threads` may have changed. One too many ends after the log it is at. */
  configChanged(): void {
    if (this.#stop.signal.aborted) return
    for (let number = 0; number < this.#options.config().threads; number++)
      if (!this.#threads.has(number)) this.#threads.set(number, this.#work(number))
  }

  /** Ends the cleaning of a log that is needed for something else. What was put in place stays. */
  abort(hosted: HostedLog): void {
    const work = this.#underWay.get(hosted)
    if (work === undefined) return
    work.isStopped = true
    void work.hand[Symbol.asyncDispose]()
  }

  async #work(number: number): Promise<void> {
    const { services, config, logger } = this.#options
    const { signal } = this.#stop
    let hand: CleanerHand | null = null
    try {
      // Whoever starts a broker waits for it: the first look can be a moment later.
      for (let hasCleaned = false; ;) {
        if (!hasCleaned) {
          // Nothing to do: the memory and the thread are not kept for that.
          await hand?.[Symbol.asyncDispose]()
          hand = null
          await services.clock.sleep(config().backoffMs, signal)
        }
        if (number >= config().threads) break
        hand ??= this.#newHand()
        const outcome = await this.#cleanFilthiest(hand)
        hasCleaned = outcome === 'cleaned'
        if (outcome === 'stopped') {
          await hand[Symbol.asyncDispose]()
          hand = null
        }
        await this.#applyRetention()
      }
    } catch (error) {
      if (!signal.aborted) logger.error('a thread of the log cleaner has ended', { error })
    } finally {
      await hand?.[Symbol.asyncDispose]()
      this.#threads.delete(number)
    }
  }

  #newHand(): CleanerHand {
    const { services, config } = this.#options
    const { clock, disk } = services
    const options = { clock, throttle: this.#throttle }
    if (!disk.isVisibleToThreads || !this.#canHaveThreads) return new LocalHand(services, options)
    const isThrottled = () => config().maxBytesPerSecond < Number.MAX_VALUE
    return new ThreadHand({ ...options, isThrottled })
  }

  async #cleanFilthiest(hand: CleanerHand): Promise<'cleaned' | 'nothing' | 'stopped'> {
    const { services, logger, config } = this.#options
    const chosen = await this.#choose()
    if (chosen === null || this.#stop.signal.aborted) return 'nothing'
    const { hosted } = chosen
    const work: Work = { hand, isStopped: false }
    this.#underWay.set(hosted, work)
    const isStopped = () => work.isStopped || this.#stop.signal.aborted
    const about = logger.child({ partition: `${hosted.log.topic}-${hosted.log.partition}` })
    const round = new CleaningRound({ ...chosen, hand, config: config(), services, logger: about, isStopped })
    try {
      await round.run()
      return 'cleaned'
    } catch (error) {
      return this.#failed(hosted, error, isStopped(), about)
    } finally {
      this.#underWay.delete(hosted)
      await hosted.directory.checkpoints.write('cleaner')
    }
  }

  /** An error of one log does not keep the cleaner from the others. */
  #failed(hosted: HostedLog, error: unknown, isStopped: boolean, logger: Logger): 'nothing' | 'stopped' {
    const { log, directory } = hosted
    if (error instanceof CleaningStoppedError || isStopped || log.isClosed || log.failure !== null) return 'stopped'
    if (error instanceof NoThreadError) {
      logger.warn('logs are cleaned without a thread of their own', { error })
      this.#canHaveThreads = false
      return 'stopped'
    }
    if (outOfSpaceCodes.has((error as { code?: unknown }).code)) {
      logger.warn('there is no room on the disk to clean the log', { error })
      return 'nothing'
    }
    if (isDiskFailure(error)) {
      directory.fail(error)
      return 'nothing'
    }
    logger.warn('cleaning the log failed; it is not cleaned before the next start', { error })
    log.cleaning.isUncleanable = true
    return 'nothing'
  }

  /** The log with the largest dirty ratio of those that are dirty enough, or have been for too long. */
  async #choose(): Promise<Candidate | null> {
    const nowMs = this.#options.services.clock.now()
    let filthiest: Candidate | null = null
    await this.#forEachCompacted((hosted) => {
      const range = hosted.log.cleaning.range(nowMs)
      const isDue =
        range.totalBytes > 0 &&
        ((range.overdueMs > 0 && range.cleanableBytes > 0) ||
          dirtyRatio(range) > hosted.log.config.minCleanableDirtyRatio)
      if (isDue && (filthiest === null || dirtyRatio(range) > dirtyRatio(filthiest.range)))
        filthiest = { hosted, range }
    })
    const chosen = filthiest as Candidate | null
    if (chosen === null) return null
    // Others had a turn since it was looked at.
    const { hosted } = chosen
    const range = this.#mayClean(hosted) ? hosted.log.cleaning.range(nowMs) : null
    return range === null || range.cleanableBytes === 0 ? null : { hosted, range }
  }

  /** What `cleanup.policy` and the log start let go of compacted logs. */
  async #applyRetention(): Promise<void> {
    const { clock } = this.#options.services
    await this.#forEachCompacted(({ log }) => void log.applyRetention(clock.now()))
  }

  async #forEachCompacted(work: (hosted: HostedLog) => void): Promise<void> {
    const { services, books, logger } = this.#options
    await forEachPaced([...books.current], { clock: services.clock, concurrency: 1 }, (hosted) => {
      if (this.#stop.signal.aborted || !this.#mayClean(hosted)) return
      try {
        work(hosted)
      } catch (error) {
        if (isDiskFailure(error)) return hosted.directory.fail(error)
        logger.error('a log cannot be looked at for cleaning', { log: hosted.log.directory, error })
        hosted.log.cleaning.isUncleanable = true
      }
    })
  }

  #mayClean(hosted: HostedLog): boolean {
    const { log, directory } = hosted
    const { current, futures } = this.#options.books
    return (
      log.config.cleanupPolicies.compact &&
      !log.cleaning.isUncleanable &&
      directory.isOnline &&
      !log.isClosed &&
      log.failure === null &&
      !this.#underWay.has(hosted) &&
      current.get(log.topic, log.partition) === hosted &&
      futures.get(log.topic, log.partition) === undefined
    )
  }

  /** What is under way ends, and nothing is begun any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new CleaningStoppedError('the log cleaner is closed'))
    for (const hosted of this.#underWay.keys()) this.abort(hosted)
    await Promise.all(this.#threads.values())
  }
}
