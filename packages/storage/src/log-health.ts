/** Whether a log can be used, and what its failures mean to callers. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Logger } from '@millrace/runtime'

export interface LogHealthOptions {
  readonly log: { readonly name: string; readonly directory: string }
  readonly logger: Logger
  /** Called once, with the first failure. */
  readonly onFailure: (error: Error) => void
}

/** Invariant: once failed or closed, for ever. */
export class LogHealth {
  readonly #log: LogHealthOptions['log']
  readonly #logger: Logger
  readonly #onFailure: LogHealthOptions['onFailure']
  #failure: Error | null = null
  #isClosed = false

  constructor({ log, logger, onFailure }: LogHealthOptions) {
    this.#log = log
    this.#logger = logger
    this.#onFailure = onFailure
  }

  /** Why the log is unusable; null while it is well, and when it was closed well. */
  get failure(): Error | null {
    return this.#failure
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** @throws KafkaError KAFKA_STORAGE_ERROR. */
  assertUsable(): void {
    if (this.#failure !== null) throw this.#storageError(this.#failure)
    if (this.#isClosed) throw new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, `${this.#log.name} is closed`)
  }

  /** @throws KafkaError KAFKA_STORAGE_ERROR. */
  assertNotFailed(): void {
    if (this.#failure !== null) throw this.#storageError(this.#failure)
  }

  /** The log is finished. Returns what to tell the caller of what failed. */
  fail(error: Error): KafkaError {
    if (this.#failure === null) {
      this.#failure = error
      this.#logger.error('the log failed', { error })
      this.#onFailure(error)
    }
    return this.#storageError(error)
  }

  close(): void {
    this.#isClosed = true
  }

  /** Closed for a reason that is not the log's own: nobody is to be told. */
  abandon(reason: Error): void {
    this.#isClosed = true
    this.#failure ??= reason
  }

  /** Runs something that reads; the first error that is not the caller's fails the log. */
  reading<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      if (error instanceof KafkaError) throw error
      throw this.fail(error as Error)
    }
  }

  /** As `reading`; a log that was closed meanwhile does not fail by it. */
  async readingLater<T>(read: () => Promise<T>): Promise<T> {
    this.assertUsable()
    try {
      return await read()
    } catch (error) {
      if (error instanceof KafkaError || this.#isClosed) throw error
      throw this.fail(error as Error)
    }
  }

  /** Runs something that must not stop halfway: any error fails the log. */
  changing(change: () => void): void {
    try {
      change()
    } catch (error) {
      throw this.fail(error as Error)
    }
  }

  #storageError(cause: Error): KafkaError {
    if (cause instanceof KafkaError && cause.code === ErrorCode.KAFKA_STORAGE_ERROR) return cause
    const { name, directory } = this.#log
    return new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, `${name} in ${directory}: ${cause.message}`, { cause })
  }
}
