/** Calls interceptors in order; one that throws is passed over. */
import type { Logger } from '@millrace/runtime'
import type { ConsumerRecord, TopicPartitionOffset } from '../record.ts'
import type { ConsumerInterceptor } from './interceptor.ts'

export class Interceptors {
  readonly #interceptors: readonly ConsumerInterceptor[]
  readonly #logger: Logger

  constructor(interceptors: readonly ConsumerInterceptor[], logger: Logger) {
    this.#interceptors = interceptors
    this.#logger = logger
  }

  /** What to give to the application; the same list when nobody had it otherwise. */
  consume<K, V>(records: readonly ConsumerRecord<K, V>[]): readonly ConsumerRecord<K, V>[] {
    let passed = records
    for (const interceptor of this.#interceptors) {
      try {
        passed = interceptor.onConsume?.(passed) ?? passed
      } catch (error) {
        this.#logger.warn('an interceptor threw in onConsume', { error })
      }
    }
    return passed
  }

  committed(offsets: readonly TopicPartitionOffset[]): void {
    for (const interceptor of this.#interceptors) {
      try {
        interceptor.onCommit?.(offsets)
      } catch (error) {
        this.#logger.warn('an interceptor threw in onCommit', { error })
      }
    }
  }
}
