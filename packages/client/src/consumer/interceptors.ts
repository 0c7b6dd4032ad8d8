/** Calls interceptors in order; one that throws, or gives a promise, is passed over. */
import type { Logger } from '@millrace/runtime'
import { handleFailureOf, isThenable } from '../handle-failure.ts'
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
        const given = interceptor.onConsume?.(passed)
        if (isThenable(given)) {
          this.#failed('onConsume', new TypeError('it gave a promise; it should give the records themselves'))
          handleFailureOf(given, (error) => this.#failed('onConsume', error))
        } else passed = given ?? passed
      } catch (error) {
        this.#failed('onConsume', error)
      }
    }
    return passed
  }

  committed(offsets: readonly TopicPartitionOffset[]): void {
    for (const interceptor of this.#interceptors) {
      try {
        handleFailureOf(interceptor.onCommit?.(offsets), (error) => this.#failed('onCommit', error))
      } catch (error) {
        this.#failed('onCommit', error)
      }
    }
  }

  #failed(callback: string, error: unknown): void {
    this.#logger.warn(`an interceptor threw in ${callback}`, { error })
  }
}
