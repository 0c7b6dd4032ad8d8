/**
 * `for await (const record of consumer)`. The iterator is written by hand: records that are there already cost one promise each, and no more turns of the
 * microtask queue than the loop itself takes.
 */
import type { ConsumerRecord } from '../../record.ts'
import { LoopReader, type LoopReaderOptions } from './loop-reader.ts'

const noRecords: readonly never[] = []

export class RecordLoop<K, V> implements AsyncIterableIterator<ConsumerRecord<K, V>> {
  readonly #reader: LoopReader<K, V>
  readonly #polled: () => void
  #records: readonly ConsumerRecord<K, V>[] = noRecords
  #index = -1
  #isDone = false
  /** Of a step that waits. */
  #pending: Promise<IteratorResult<ConsumerRecord<K, V>, undefined>> | null = null

  constructor(options: LoopReaderOptions<K, V>) {
    this.#reader = new LoopReader(options)
    this.#polled = () => options.source.polled()
  }

  next(): Promise<IteratorResult<ConsumerRecord<K, V>, undefined>> {
    const index = this.#index + 1
    if (index < this.#records.length && !this.#reader.isInterrupted && this.#pending === null) {
      this.#index = index
      this.#reader.begin(index, index)
      this.#polled()
      return Promise.resolve({ value: this.#records[index]!, done: false })
    }
    // Steps asked for at once are taken one after the other.
    const step = this.#pending === null ? this.#step() : this.#pending.then(noop, noop).then(() => this.next())
    this.#pending = step
    const settled = (): void => {
      if (this.#pending === step) this.#pending = null
    }
    step.then(settled, settled)
    return step
  }

  return(): Promise<IteratorResult<ConsumerRecord<K, V>, undefined>> {
    this.#isDone = true
    this.#records = noRecords
    this.#reader.leave()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async #step(): Promise<IteratorResult<ConsumerRecord<K, V>, undefined>> {
    this.#records = noRecords
    this.#index = -1
    if (this.#isDone) return { value: undefined, done: true }
    let batch
    try {
      batch = await this.#reader.next()
    } catch (error) {
      this.#isDone = true
      throw error
    }
    if (batch === null) {
      this.#isDone = true
      return { value: undefined, done: true }
    }
    this.#records = batch.records
    this.#index = 0
    this.#reader.begin(0, 0)
    return { value: batch.records[0]!, done: false }
  }
}

function noop(): void {}
