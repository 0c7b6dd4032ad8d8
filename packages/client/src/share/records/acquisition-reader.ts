/**
 * From the bytes of an answer to records: those that were acquired, each with its delivery count. Every acquired offset is accounted for: it is a
 * record, or a gap, or rejected because its batch cannot be read.
 */
import { CodecWorker, ErrorCode, FetchedBatches, KafkaError, type FetchedBatch } from '@millrace/protocol'
import { RecordOrigin } from '../../consumer/records/record-origin.ts'
import type { Deserializer } from '../../serde/serde.ts'
import { AcknowledgeType } from '../acknowledgements/acknowledgement-set.ts'
import type { ShareConsumerSettings } from '../options.ts'
import { AcquiredRecord } from './acquired-record.ts'
import type { AcquiredPart, AcquiredRange, Acquisition } from './acquisition.ts'

/** Offsets that one answer may say were acquired in one partition: far above what brokers keep in flight, far below what would hurt. */
const maxAcquired = 1_000_000

export interface Acquired<K, V> {
  readonly records: AcquiredRecord<K, V>[]
  /** Acquired offsets that are no records for the application, with what is to be said of them. */
  readonly others: Map<bigint, AcknowledgeType>
  /** Why batches could not be read. */
  readonly errors: KafkaError[]
}

export class AcquisitionReader<K, V> implements AsyncDisposable {
  readonly #settings: ShareConsumerSettings
  /** Unpacks what is large. */
  readonly #codecs: CodecWorker
  readonly #origins = new Map<string, RecordOrigin<K, V>>()

  constructor(settings: ShareConsumerSettings) {
    this.#settings = settings
    this.#codecs = new CodecWorker({
      onTrouble: (error) => settings.logger.warn('the codec thread has ended', { error }),
    })
  }

  /** @throws KafkaError UNKNOWN_SERVER_ERROR for ranges that contradict themselves. */
  async read({ acquisition, bytes, ranges, lockedUntilMs }: AcquiredPart): Promise<Acquired<K, V>> {
    const origin = this.#originOf(acquisition)
    const left = offsetsIn(ranges, acquisition)
    const records: AcquiredRecord<K, V>[] = []
    const errors: KafkaError[] = []
    const others = new Map<bigint, AcknowledgeType>()
    const reject = (isUnreadable: (offset: bigint) => boolean): void => {
      for (const offset of left.keys()) {
        if (!isUnreadable(offset)) continue
        others.set(offset, AcknowledgeType.reject)
        left.delete(offset)
      }
    }
    const batches = new FetchedBatches({ bytes, checkCrcs: this.#settings.checkCrcs })
    for (;;) {
      let batch: FetchedBatch | null = null
      try {
        batch = batches.next()
        if (batch === null) break
        if (batch.isLarge) await batch.openWith(this.#codecs)
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
        if (batch === null) {
          reject(() => true)
          break
        }
        const { baseOffset, lastOffset } = batch
        reject((offset) => offset >= baseOffset && offset <= lastOffset)
      }
    }
    for (const offset of left.keys()) others.set(offset, AcknowledgeType.gap)
    return { records, others, errors }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#codecs[Symbol.asyncDispose]()
  }

  #originOf({ topic, partition }: Acquisition): RecordOrigin<K, V> {
    const name = `${topic}-${partition}`
    let origin = this.#origins.get(name)
    if (origin === undefined) {
      const { key, value } = this.#settings
      origin = new RecordOrigin(topic, partition, {
        key: key as Deserializer<K> | null,
        value: value as Deserializer<V> | null,
      })
      this.#origins.set(name, origin)
    }
    return origin
  }
}

/** The acquired offsets, with their delivery counts. */
function offsetsIn(ranges: readonly AcquiredRange[], acquisition: Acquisition): Map<bigint, number> {
  let count = 0n
  let end = -1n
  for (const { firstOffset, lastOffset } of ranges) {
    if (firstOffset <= end || lastOffset < firstOffset)
      throw wrongRanges(acquisition, `${firstOffset}-${lastOffset} behind ${end}`)
    end = lastOffset
    count += lastOffset - firstOffset + 1n
  }
  if (count > maxAcquired) throw wrongRanges(acquisition, `${count} offsets at once`)
  const offsets = new Map<bigint, number>()
  for (const { firstOffset, lastOffset, deliveryCount } of ranges)
    for (let offset = firstOffset; offset <= lastOffset; offset++) offsets.set(offset, deliveryCount)
  return offsets
}

function wrongRanges({ topic, partition }: Acquisition, what: string): KafkaError {
  return new KafkaError(
    ErrorCode.UNKNOWN_SERVER_ERROR,
    `the broker says that it acquired impossible offsets of ${topic}-${partition}: ${what}`,
  )
}
