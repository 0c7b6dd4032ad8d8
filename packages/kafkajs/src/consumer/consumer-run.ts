/**
 * One run of a KafkaJS consumer: from `run` to `stop`, or until it crashes for good. After a failure it goes on reading as often as the program wants;
 * then it crashes, leaves the group, and begins anew unless the program does not want that either.
 */
import type { TopicPartition, TopicPartitionOffset } from '@millrace/client'
import { pauseMs } from '../retry.ts'
import { translateError } from '../translate-error.ts'
import { consumerEventNames as names } from './consumer-events.ts'
import { ConsumerSession, type ConsumerSessionOptions } from './consumer-session.ts'
import type { SeekTarget } from './places.ts'
import { crashFrom, isWorthRepeating, isWorthRestarting } from './run-failures.ts'
import { StartingPlaces } from './starting-places.ts'

export interface ConsumerRunOptions extends Omit<
  ConsumerSessionOptions,
  'places' | 'stopping' | 'onJoined' | 'onTrouble'
> {
  /** By topic whether to begin at the beginning. */
  readonly topics: ReadonlyMap<string, boolean>
}

export class ConsumerRun {
  readonly #options: ConsumerRunOptions
  readonly #joined = Promise.withResolvers<void>()
  readonly #stopping = new AbortController()
  /** Outlive a crash: what the program wants of partitions that are not assigned yet. */
  readonly #places: StartingPlaces
  /** Never rejects. */
  readonly ended: Promise<void>
  #session: ConsumerSession

  constructor(options: ConsumerRunOptions) {
    this.#options = options
    this.#places = new StartingPlaces(options.topics)
    this.#session = this.#begin()
    this.ended = this.#run()
  }

  /** Resolves with the first assignment, or the first crash: what comes of that is told by events, as with KafkaJS. */
  get joined(): Promise<void> {
    return this.#joined.promise
  }

  assignment(): readonly TopicPartition[] {
    return this.#session.assignment()
  }

  /** Finishes what is being handled, commits, and leaves the group. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.ended
  }

  seek({ topic, partition }: TopicPartition, target: SeekTarget): void {
    this.#session.seek({ topic, partition }, target)
  }

  applyPauses(): void {
    this.#session.applyPauses()
  }

  async commit(offsets: readonly TopicPartitionOffset[]): Promise<void> {
    await this.#session.commit(offsets)
  }

  async #run(): Promise<void> {
    for (;;) {
      this.#options.events.emit(names.CONNECT)
      const crash = await this.#readUntilCrash()
      await this.#session.close()
      if (crash === null) break
      if (!(await this.#restarts(crash))) return
      this.#session = this.#begin()
    }
    this.#joined.resolve()
  }

  #begin(): ConsumerSession {
    return new ConsumerSession({
      ...this.#options,
      places: this.#places,
      stopping: this.#stopping.signal,
      onJoined: () => this.#joined.resolve(),
      onTrouble: (error) => this.#troubled(error),
    })
  }

  /** Goes on after failures as long as that is worth while. Null when stopped. */
  async #readUntilCrash(): Promise<Error | null> {
    const { retry, logger, config } = this.#options
    let attempt = 1
    while (!this.#stopping.signal.aborted) {
      const failure = await this.#session.readUntilFailure(() => {
        attempt = 1
      })
      if (failure === null) return null
      if (isWorthRepeating(failure) && attempt <= retry.retries) {
        logger.debug('Error while handling messages, trying again', { error: failure.message, retryCount: attempt })
        await this.#pause(pauseMs(attempt++, retry))
        continue
      }
      const crash = crashFrom(failure, { retryCount: attempt - 1, retryTime: pauseMs(attempt, retry) })
      logger.error(`Crash: ${crash.name}: ${crash.message}`, { groupId: config.groupId, stack: crash.stack })
      return crash
    }
    return null
  }

  /** Resolves with true when it is time to begin anew. */
  async #restarts(crash: Error): Promise<boolean> {
    const { retry, logger, config, events } = this.#options
    const { groupId } = config
    events.emit(names.STOP)
    events.emit(names.DISCONNECT)
    const restart = isWorthRestarting(crash) && (await this.#mayRestart(crash))
    events.emit(names.CRASH, { error: crash, groupId, restart })
    this.#joined.resolve()
    if (!restart || this.#stopping.signal.aborted) return false
    const { retryTime = retry.initialRetryTime } = crash as { retryTime?: number }
    logger.error(`Restarting the consumer in ${Math.round(retryTime)}ms`, { groupId })
    await this.#pause(retryTime)
    return true
  }

  async #mayRestart(crash: Error): Promise<boolean> {
    const { restartOnFailure } = this.#options.retry
    if (restartOnFailure === undefined) return true
    try {
      return await restartOnFailure(crash)
    } catch (error) {
      this.#options.logger.error(
        'Caught error when invoking user-provided "restartOnFailure" callback. Defaulting to restarting.',
        { error: translateError(error).message, cause: crash.message },
      )
      return true
    }
  }

  /** Ends early when stopped. */
  #pause(ms: number): Promise<void> {
    const { signal } = this.#stopping
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        resolve()
      }
      const timer = setTimeout(end, ms)
      signal.addEventListener('abort', end)
    })
  }

  #troubled(error: unknown): void {
    const { message } = translateError(error)
    this.#options.logger.warn(message, { groupId: this.#options.config.groupId })
  }
}
