/** Records in this consumer's hands, each with its lock. */
import type { FetchedBatch } from '@millrace/protocol'
import { FetchedRecord } from '../../consumer/records/fetched-record.ts'
import type { RecordOrigin } from '../../consumer/records/record-origin.ts'
import type { ShareBatch, ShareRecord } from '../share-consumer.ts'
import type { Acquisition } from './acquisition.ts'

export class AcquiredRecord<K, V> extends FetchedRecord<K, V> implements ShareRecord<K, V> {
  readonly acquisition: Acquisition
  readonly deliveryCount: number
  isAcknowledged = false
  /** On the monotonic clock. */
  lockedUntilMs: number

  constructor(
    origin: RecordOrigin<K, V>,
    place: { readonly batch: FetchedBatch; readonly at: number },
    lock: { readonly acquisition: Acquisition; readonly deliveryCount: number; readonly lockedUntilMs: number },
  ) {
    super(origin, place.batch, place.at)
    this.acquisition = lock.acquisition
    this.deliveryCount = lock.deliveryCount
    this.lockedUntilMs = lock.lockedUntilMs
  }
}

/** Records of one partition that were acquired together, or part of them. Never empty. */
export class AcquiredBatch<K, V> implements ShareBatch<K, V> {
  readonly topic: string
  readonly partition: number
  readonly records: readonly AcquiredRecord<K, V>[]

  constructor(records: readonly AcquiredRecord<K, V>[]) {
    this.records = records
    const { topic, partition } = records[0]!
    this.topic = topic
    this.partition = partition
  }

  get count(): number {
    return this.records.length
  }

  [Symbol.iterator](): Iterator<AcquiredRecord<K, V>> {
    return this.records[Symbol.iterator]()
  }
}
