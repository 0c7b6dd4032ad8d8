/** From an answer to ShareFetch to records: those among the bytes that were acquired, each with its delivery count. */
import { ErrorCode, FetchedBatches, KafkaError, type CodecWorker, type FetchedBatch } from '@millrace/protocol'
import { FetchedRecord } from '../consumer/records/fetched-record.ts'
import type { RecordOrigin } from '../consumer/records/record-origin.ts'
import { AcknowledgeType } from './acknowledgement-batches.ts'
import type { ShareRecord } from './share-consumer.ts'

/** Offsets that one answer may say were acquired in one partition: far above what brokers keep in flight, far below what would hurt. */
const maxAcquired = 1_000_000

/** Where records were acquired, and so where they are acknowledged. */
export interface Acquisition {
  readonly nodeId: number
  /** Of the share session; another life of it does not know these locks. */
  readonly sessionLife: number
  readonly topicId: string
  readonly topic: string
  readonly partition: number
}

/** A record in this consumer's hands. */
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

export interface AcquiredRange {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  readonly deliveryCount: number
}

export interface AcquiredInput<K, V> {
  readonly origin: RecordOrigin<K, V>
  readonly acquisition: Acquisition
  readonly lockedUntilMs: number
  readonly bytes: Uint8Array
  readonly ranges: readonly AcquiredRange[]
  readonly checkCrcs: boolean
  /** Unpacks what is large. */
  readonly codecs: CodecWorker
}

export interface Acquired<K, V> {
  readonly records: AcquiredRecord<K, V>[]
  /** Acquired offsets that are no records for the application: gaps, and records of batches that cannot be read, which are rejected. */
  readonly others: Map<bigint, AcknowledgeType>
  /** Why batches could not be read. */
  readonly errors: KafkaError[]
}

/** @throws KafkaError UNKNOWN_SERVER_ERROR for ranges that contradict themselves. */
export async function acquiredRecords<K, V>(input: AcquiredInput<K, V>): Promise<Acquired<K, V>> {
  const { origin, acquisition, lockedUntilMs, bytes, checkCrcs, codecs } = input
  const ranges = checkedRanges(input)
  const records: AcquiredRecord<K, V>[] = []
  const errors: KafkaError[] = []
  /** What is acquired and neither a record nor a gap yet. */
  const left = new Map<bigint, number>()
  for (const { firstOffset, lastOffset, deliveryCount } of ranges)
    for (let offset = firstOffset; offset <= lastOffset; offset++) left.set(offset, deliveryCount)
  const others = new Map<bigint, AcknowledgeType>()
  const reject = (first: bigint, last: bigint): void => {
    for (const offset of left.keys()) {
      if (offset < first || offset > last) continue
      others.set(offset, AcknowledgeType.reject)
      left.delete(offset)
    }
  }
  const batches = new FetchedBatches({ bytes, checkCrcs })
  for (;;) {
    let batch: FetchedBatch | null = null
    try {
      batch = batches.next()
      if (batch === null) break
      if (batch.isLarge) await batch.openWith(codecs)
      else batch.open()
      for (let at = batch.first; at >= 0; at = batch.after(at)) {
        const offset = batch.offsetOf(at)
        const deliveryCount = left.get(offset)
        if (deliveryCount === undefined) continue
        left.delete(offset)
        records.push(new AcquiredRecord(origin, { batch, at }, { acquisition, deliveryCount, lockedUntilMs }))
      }
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      errors.push(error)
      // As Kafka does: whoever gets a corrupt batch next could not read it either.
      if (batch !== null) {
        reject(batch.baseOffset, batch.lastOffset)
      } else {
        reject(ranges[0]?.firstOffset ?? 0n, ranges.at(-1)?.lastOffset ?? -1n)
        break
      }
    }
  }
  for (const offset of left.keys()) others.set(offset, AcknowledgeType.gap)
  return { records, others, errors }
}

function checkedRanges<K, V>({ ranges, acquisition }: AcquiredInput<K, V>): readonly AcquiredRange[] {
  let count = 0n
  let end = -1n
  for (const { firstOffset, lastOffset } of ranges) {
    if (firstOffset <= end || lastOffset < firstOffset)
      throw wrongRanges(acquisition, `${firstOffset}-${lastOffset} behind ${end}`)
    end = lastOffset
    count += lastOffset - firstOffset + 1n
  }
  if (count > maxAcquired) throw wrongRanges(acquisition, `${count} offsets at once`)
  return ranges
}

function wrongRanges({ topic, partition }: Acquisition, what: string): KafkaError {
  return new KafkaError(
    ErrorCode.UNKNOWN_SERVER_ERROR,
    `the broker says that it acquired impossible offsets of ${topic}-${partition}: ${what}`,
  )
}
