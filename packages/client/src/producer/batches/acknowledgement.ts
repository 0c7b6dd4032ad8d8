/**
 * Who is to be told what became of records. A record in a batch is known by its receiver and a slot of it, a number: so `sendAll` costs one
 * receiver for all its records, and no record has a closure of its own.
 */
import type { Logger } from '@millrace/runtime'
import { tell } from '../../handle-failure.ts'
import type { RecordMetadata } from '../../record.ts'

export interface Receiver {
  /** False: metadata are not made for it. */
  readonly wantsMetadata: boolean
  delivered(slot: number, metadata: RecordMetadata): void
  failed(slot: number, error: Error): void
}

/** Of `send`. */
export class SingleSend implements Receiver {
  readonly wantsMetadata = true
  readonly promise: Promise<RecordMetadata>
  #resolve!: (metadata: RecordMetadata) => void
  #reject!: (error: Error) => void

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  delivered(_slot: number, metadata: RecordMetadata): void {
    this.#resolve(metadata)
  }

  failed(_slot: number, error: Error): void {
    this.#reject(error)
  }
}

/** Of `sendAll`: a slot per record. Settled when all are, by the first failure if there was one. */
export class ArraySend implements Receiver {
  readonly wantsMetadata = true
  readonly promise: Promise<readonly RecordMetadata[]>
  readonly #metadata: RecordMetadata[] = []
  #left: number
  #hasFailed = false
  /** The first; what a serializer throws may be anything, null as well. */
  #error: Error | null = null
  #resolve!: (metadata: readonly RecordMetadata[]) => void
  #reject!: (error: Error) => void

  constructor(recordsCount: number) {
    // Slots are filled in any order.
    this.#metadata.length = recordsCount
    this.#left = recordsCount
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (recordsCount === 0) this.#resolve(this.#metadata)
  }

  delivered(slot: number, metadata: RecordMetadata): void {
    this.#metadata[slot] = metadata
    this.#settleOne()
  }

  failed(_slot: number, error: Error): void {
    if (!this.#hasFailed) this.#error = error
    this.#hasFailed = true
    this.#settleOne()
  }

  #settleOne(): void {
    if (--this.#left > 0) return
    if (this.#hasFailed) this.#reject(this.#error as Error)
    else this.#resolve(this.#metadata)
  }
}

/** Of `sendAndForget`: failures are for the application's `onError`, else for the log. */
export class ForgottenSend implements Receiver {
  readonly wantsMetadata = false
  readonly #onError: ((error: Error) => void) | null
  readonly #logger: Logger

  constructor({ onError, logger }: { readonly onError: ((error: Error) => void) | null; readonly logger: Logger }) {
    this.#onError = onError
    this.#logger = logger
  }

  delivered(): void {}

  failed(_slot: number, error: Error): void {
    const onError = this.#onError
    if (onError === null) this.#logger.warn('a record could not be sent', { error })
    else tell('onError', this.#logger, () => onError(error))
  }
}
