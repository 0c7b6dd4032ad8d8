/** Calls interceptors in order, each with what the one before made of the record; one that throws, or returns nothing, is passed over. */
import type { Logger } from '@millrace/runtime'
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
        present = given ?? present
      } catch (error) {
        this.#logger.warn('an interceptor has failed on sending a record', { error })
      }
    }
    return present
  }

  settled(metadata: RecordMetadata, error: Error | null): void {
    for (const interceptor of this.#interceptors) {
      try {
        interceptor.onAcknowledgement?.(metadata, error)
      } catch (failure) {
        this.#logger.warn('an interceptor has failed on an acknowledgement', { error: failure })
      }
    }
  }
}
