/** Successive records of one partition, as `batches()` hands them out and the other ways of reading take them apart. */
import type { ConsumerRecord, TopicPartitionOffset } from '../../record.ts'
import type { ConsumerBatch } from '../consumer.ts'

/** The place in a partition where something begins or ends. */
export interface Place {
  readonly offset: bigint
  /** Of the record before it; -1: not known. */
  readonly leaderEpoch: number
}

export interface FetchedRecordsOptions<K, V> {
  readonly topic: string
  readonly partition: number
  /** At least one. */
  readonly records: readonly ConsumerRecord<K, V>[]
  readonly start: Place
  /** Behind the last record and what follows it that is not for the application. */
  readonly end: Place
  /** -1n: not known. */
  readonly highWatermark: bigint
}

export class FetchedRecords<K, V> implements ConsumerBatch<K, V> {
  readonly topic: string
  readonly partition: number
  readonly records: readonly ConsumerRecord<K, V>[]
  readonly start: Place
  readonly highWatermark: bigint
  readonly #end: Place

  constructor(options: FetchedRecordsOptions<K, V>) {
    this.topic = options.topic
    this.partition = options.partition
    this.records = options.records
    this.start = options.start
    this.#end = options.end
    this.highWatermark = options.highWatermark
  }

  get count(): number {
    return this.records.length
  }

  get firstOffset(): bigint {
    return this.records[0]!.offset
  }

  get lastOffset(): bigint {
    return this.records.at(-1)!.offset
  }

  get end(): TopicPartitionOffset {
    const { offset, leaderEpoch } = this.#end
    const { topic, partition } = this
    return leaderEpoch < 0 ? { topic, partition, offset } : { topic, partition, offset, leaderEpoch }
  }

  get lag(): bigint {
    const lag = this.highWatermark - this.#end.offset
    return lag < 0n ? 0n : lag
  }

  /** Where reading would go on if only the records before `index` were handled. */
  placeBefore(index: number): Place {
    if (index >= this.records.length) return this.#end
    if (index === 0) return this.start
    return { offset: this.records[index]!.offset, leaderEpoch: this.records[index - 1]!.leaderEpoch ?? -1 }
  }

  /** Those from `index` on. */
  from(index: number): FetchedRecords<K, V> {
    const { topic, partition, records, highWatermark } = this
    const start = this.placeBefore(index)
    return new FetchedRecords({ topic, partition, records: records.slice(index), start, end: this.#end, highWatermark })
  }

  /** The same stretch of the partition with other records in it. */
  with(records: readonly ConsumerRecord<K, V>[]): FetchedRecords<K, V> {
    const { topic, partition, start, highWatermark } = this
    return new FetchedRecords({ topic, partition, records, start, end: this.#end, highWatermark })
  }

  [Symbol.iterator](): Iterator<ConsumerRecord<K, V>> {
    return this.records[Symbol.iterator]()
  }
}
