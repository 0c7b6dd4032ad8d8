/** `for await (const batch of consumer.batches())`. */
import type { ConsumerBatch } from '../consumer.ts'
import { LoopReader, type LoopReaderOptions } from './loop-reader.ts'

export class BatchLoop<K, V> implements AsyncIterableIterator<ConsumerBatch<K, V>> {
  readonly #reader: LoopReader<K, V>
  #isDone = false
  #pending: Promise<IteratorResult<ConsumerBatch<K, V>, undefined>> | null = null

  constructor(options: LoopReaderOptions<K, V>) {
    this.#reader = new LoopReader(options)
  }

  next(): Promise<IteratorResult<ConsumerBatch<K, V>, undefined>> {
    const step = this.#pending === null ? this.#step() : this.#pending.then(noop, noop).then(() => this.#step())
    this.#pending = step
    const settled = (): void => {
      if (this.#pending === step) this.#pending = null
    }
    step.then(settled, settled)
    return step
  }

  return(): Promise<IteratorResult<ConsumerBatch<K, V>, undefined>> {
    this.#isDone = true
    this.#reader.leave()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async #step(): Promise<IteratorResult<ConsumerBatch<K, V>, undefined>> {
    if (this.#isDone) return { value: undefined, done: true }
    try {
      const batch = await this.#reader.next()
      if (batch !== null) {
        this.#reader.begin(0, batch.count - 1)
        return { value: batch, done: false }
      }
    } catch (error) {
      this.#isDone = true
      throw error
    }
    this.#isDone = true
    return { value: undefined, done: true }
  }
}

function noop(): void {}
