/** Calls interceptors in order, each with what the one before made of the record; one that throws, or returns nothing or a promise, is passed over. */
import type { Logger } from '@millrace/runtime'
import { handleFailureOf, isThenable } from '../../handle-failure.ts'
import type { ProducerRecord, RecordMetadata } from '../../record.ts'
import type { ProducerInterceptor } from '../interceptor.ts'
import type { AnyRecord } from './waiting-send.ts'

export class Interceptors {
  readonly #interceptors: readonly ProducerInterceptor[]
  readonly #logger: Logger

  constructor(interceptors: readonly ProducerInterceptor[], logger: Logger) {
    this.#interceptors = interceptors
    this.#logger = logger
  }

  get isEmpty(): boolean {
    return this.#interceptors.length === 0
  }

  /** The record to be sent instead. */
  sending(record: AnyRecord): AnyRecord {
    let present = record
    for (const interceptor of this.#interceptors) {
      try {
        const given = interceptor.onSend?.(present as ProducerRecord<unknown, unknown>) as AnyRecord | undefined
        if (isThenable(given)) {
          this.#failed('sending a record', new TypeError('onSend gave a promise; it should give the record itself'))
          handleFailureOf(given, (error) => this.#failed('sending a record', error))
        } else present = given ?? present
      } catch (error) {
        this.#failed('sending a record', error)
      }
    }
    return present
  }

  settled(metadata: RecordMetadata, error: Error | null): void {
    for (const interceptor of this.#interceptors) {
      try {
        handleFailureOf(interceptor.onAcknowledgement?.(metadata, error), this.#acknowledgementFailed)
      } catch (failure) {
        this.#acknowledgementFailed(failure)
      }
    }
  }

  readonly #acknowledgementFailed = (error: unknown): void => this.#failed('an acknowledgement', error)

  #failed(on: string, error: unknown): void {
    this.#logger.warn(`an interceptor has failed on ${on}`, { error })
  }
}
