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
    if (this.#pending === null && this.#hasNext) return Promise.resolve(this.#take())
    // Steps asked for at once are taken one after the other.
    const step = this.#pending === null ? this.#step() : this.#pending.then(noop, noop).then(() => this.#step())
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

  get #hasNext(): boolean {
    return this.#index + 1 < this.#records.length && !this.#reader.isInterrupted
  }

  #take(): IteratorResult<ConsumerRecord<K, V>, undefined> {
    const index = ++this.#index
    this.#reader.begin(index, index)
    this.#polled()
    return { value: this.#records[index]!, done: false }
  }

  async #step(): Promise<IteratorResult<ConsumerRecord<K, V>, undefined>> {
    if (this.#hasNext) return this.#take()
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
    return this.#take()
  }
}

function noop(): void {}
