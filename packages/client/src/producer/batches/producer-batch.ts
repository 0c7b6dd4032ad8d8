/**
 * Records of one partition on their way to its leader: filled record by record, closed, packed (compressed), sent as often as it takes, and
 * settled once. Who is to be told is kept beside the bytes, without an object per record.
 */
import {
  BATCH_HEADER_SIZE,
  ErrorCode,
  KafkaError,
  RecordBatchBuilder,
  recordsCount as countOf,
  setBatchProducer,
  splitBatch,
  type NewRecordHeader,
  type RecordField,
} from '@millrace/protocol'
import type { RecordMetadata } from '../../record.ts'
import type { Receiver } from './acknowledgement.ts'
import { BatchReceivers } from './batch-receivers.ts'
import { noProducer, type ProducerIdAndEpoch, type Sequenced } from '../identity/partition-sequences.ts'
import type { PartitionQueue } from './partition-queue.ts'

export interface PackingOptions {
  /** Codec number, see `Compression`. */
  readonly compression: number
  readonly compressionLevel: number | undefined
}

/** Is told of every record that is settled, after its receiver. */
export type SettledListener = (metadata: RecordMetadata, error: Error | null) => void

/** Counts batches down; see `Accumulator.whenSettled`. */
export interface BatchWatcher {
  left: number
  readonly done: () => void
}

/** Error of a record when others in its batch were refused (KIP-467). */
export interface RecordErrors {
  errorOf(index: number): Error
}

export class ProducerBatch implements Sequenced {
  readonly queue: PartitionQueue
  /** The place among the batches of its queue; parts of a batch share it. */
  readonly serial: number
  /** On the monotonic clock: what lingering and the delivery time-out count from. */
  readonly createdMs: number
  readonly #packing: PackingOptions
  /** Uncompressed. */
  readonly #limitBytes: number
  readonly #isPart: boolean
  readonly #receivers: BatchReceivers
  #builder: RecordBatchBuilder | null
  /** What it was given to write into; null when it was given none, or that did not suffice. */
  #buffer: Uint8Array | null
  #isClosed = false
  /** What became of the records when they were compressed. */
  #packed: Uint8Array | null = null
  /** With header, once it was sent. */
  #bytes: Uint8Array | null = null
  #isHeaderStale = true
  #largestRecordBytes = 0
  #compressionRatio = 1
  #producer = noProducer
  #baseSequence = -1
  #isResequenced = false
  #isSettled = false
  /** Bytes of records, as the bound on memory counts them. */
  chargedBytes = 0
  /** How often it was sent. */
  attempts = 0
  /** On the monotonic clock: not before that again. */
  retryAtMs = 0
  /** Of the leader it was last sent to; a later one need not wait for `retryAtMs`. */
  sentLeaderEpoch = -1
  isPacking = false
  watchers: BatchWatcher[] = []

  constructor(
    queue: PartitionQueue,
    {
      createdMs,
      limitBytes,
      packing,
      buffer,
    }: {
      readonly createdMs: number
      readonly limitBytes: number
      readonly packing: PackingOptions
      readonly buffer: Uint8Array
    },
    part: { readonly bytes: Uint8Array; readonly whole: ProducerBatch; readonly from: number } | null = null,
  ) {
    this.queue = queue
    this.serial = part === null ? queue.newSerial() : part.whole.serial
    this.createdMs = createdMs
    this.#limitBytes = limitBytes
    this.#packing = packing
    this.#isPart = part !== null
    this.#buffer = part === null ? buffer : null
    if (part === null) {
      this.#builder = new RecordBatchBuilder({ ...packing, buffer } as ConstructorParameters<
        typeof RecordBatchBuilder
      >[0])
      this.#receivers = new BatchReceivers()
    } else {
      const { bytes, whole, from } = part
      const to = from + countOf(bytes, 0)
      this.#builder = null
      this.#bytes = bytes
      this.#isClosed = true
      this.#receivers = whole.#receivers.slice(from, to)
      this.#largestRecordBytes = whole.#largestRecordBytes
      this.#compressionRatio = whole.#compressionRatio
    }
  }

  get recordsCount(): number {
    return this.#receivers.count
  }

  get largestRecordBytes(): number {
    return this.#largestRecordBytes
  }

  /** Of what would be sent: exact once it is packed. */
  get sizeBytes(): number {
    if (this.#bytes !== null) return this.#bytes.length
    return this.#packed === null ? this.#builder!.sizeBytes : BATCH_HEADER_SIZE + this.#packed.length
  }

  get isFull(): boolean {
    return this.#isClosed || this.#builder!.sizeBytes >= this.#limitBytes
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  get producer(): ProducerIdAndEpoch {
    return this.#producer
  }

  get baseSequence(): number {
    return this.#baseSequence
  }

  get isResequenced(): boolean {
    return this.#isResequenced
  }

  /** What is to be compressed: null when nothing is, or it is done. */
  get recordsToPack(): Uint8Array | null {
    return this.#packing.compression === 0 || this.#packed !== null || this.#bytes !== null
      ? null
      : this.#builder!.records
  }

  /** The bytes that the record takes; 0, taking nothing, when there is no room for it. @throws KafkaError INVALID_TIMESTAMP. */
  append(
    timestampMs: number,
    key: RecordField,
    value: RecordField,
    headers: readonly NewRecordHeader[] | undefined,
    receiver: Receiver,
    slot: number,
  ): number {
    if (this.#isClosed) return 0
    const size = this.#builder!.add(timestampMs, key, value, headers, this.#limitBytes)
    if (size === 0) return 0
    this.#receivers.add(receiver, slot, timestampMs)
    if (size > this.#largestRecordBytes) this.#largestRecordBytes = size
    return size
  }

  /** Takes no more records. */
  close(): void {
    this.#isClosed = true
  }

  /** Compressed size of its records over their size; 1 before they are compressed. */
  get compressionRatio(): number {
    return this.#compressionRatio
  }

  /** Its records, compressed. */
  packed(bytes: Uint8Array): void {
    this.#compressionRatio = bytes.length / Math.max(1, this.#builder!.records.length)
    this.#packed = bytes
  }

  assign(producer: ProducerIdAndEpoch, baseSequence: number): void {
    this.#producer = producer
    this.#baseSequence = baseSequence
    this.#isHeaderStale = true
  }

  reassign(producer: ProducerIdAndEpoch, baseSequence: number): void {
    this.assign(producer, baseSequence)
    this.#isResequenced = true
  }

  /** The batch as it goes out, with whom it is from. */
  finish(isTransactional: boolean): Uint8Array {
    this.close()
    this.#isResequenced = false
    if (this.#bytes !== null && !this.#isHeaderStale) return this.#bytes
    const producer = {
      producerId: this.#producer.id,
      producerEpoch: this.#producer.epoch,
      baseSequence: this.#baseSequence,
      isTransactional,
    }
    if (this.#bytes === null) {
      this.#bytes = this.#builder!.build(producer, this.#packed)
      if (this.#builder!.buffer !== this.#buffer) this.#buffer = null
      this.#builder = null
      this.#packed = null
    } else setBatchProducer(this.#bytes, 0, producer)
    this.#isHeaderStale = false
    return this.#bytes
  }

  /**
   * The broker finds it too large: the same records in smaller batches, numbered as they were. `batchSize` is tried first, then half of what
   * was too large, and so on down to single records.
   */
  split(batchSize: number): ProducerBatch[] {
    const target = this.#isPart ? Math.max(this.#largestRecordBytes, this.sizeBytes >> 1) : batchSize
    const parts: ProducerBatch[] = []
    let from = 0
    for (const bytes of splitBatch(this.#bytes!, 0, target, this.#packing.compressionLevel)) {
      const part = new ProducerBatch(
        this.queue,
        { createdMs: this.createdMs, limitBytes: 0, packing: this.#packing, buffer: bytes },
        { bytes, whole: this, from },
      )
      if (this.#baseSequence >= 0) part.assign(this.#producer, (this.#baseSequence + from) % 0x8000_0000)
      from += part.recordsCount
      part.watchers = this.watchers
      part.chargedBytes = Math.floor((this.chargedBytes * part.recordsCount) / this.recordsCount)
      parts.push(part)
    }
    parts[0]!.chargedBytes += this.chargedBytes - parts.reduce((sum, { chargedBytes }) => sum + chargedBytes, 0)
    for (const watcher of this.watchers) watcher.left += parts.length - 1
    this.#isSettled = true
    return parts
  }

  /** The records are written, the first at `baseOffset` (-1n: not told). `logAppendTimeMs` -1: they keep their own timestamps. */
  deliver(baseOffset: bigint, logAppendTimeMs: number, onSettled: SettledListener | null): void {
    if (!this.#settle()) return
    const { topic, partition } = this.queue
    const step = baseOffset < 0n ? 0n : 1n
    let offset = baseOffset
    this.#receivers.forEach((_index, receiver, slot, timestampMs) => {
      if (receiver.wantsMetadata || onSettled !== null) {
        const timestamp = logAppendTimeMs >= 0 ? logAppendTimeMs : timestampMs
        const metadata = { topic: topic.name, partition, offset, timestamp }
        receiver.delivered(slot, metadata)
        onSettled?.(metadata, null)
      }
      offset += step
    })
    this.#receivers.clear()
    this.#tellWatchers()
  }

  /**
   * The buffer that it was given, if nobody can be reading it any more: the batch was sent once, and its broker has answered, or the system has its
   * bytes. After other attempts a connection that is being torn down may still hold them. To be called once.
   */
  takeBuffer(): Uint8Array | null {
    const buffer = this.attempts === 1 ? this.#buffer : null
    this.#buffer = null
    return buffer
  }

  /** The records are not written, or nobody knows. */
  fail(error: Error, onSettled: SettledListener | null, records: RecordErrors | null = null): void {
    if (!this.#settle()) return
    const { topic, partition } = this.queue
    this.#receivers.forEach((index, receiver, slot, timestamp) => {
      const own = records === null ? error : records.errorOf(index)
      receiver.failed(slot, own)
      onSettled?.({ topic: topic.name, partition, offset: -1n, timestamp }, own)
    })
    this.#receivers.clear()
    this.#tellWatchers()
  }

  #settle(): boolean {
    if (this.#isSettled) return false
    this.#isSettled = true
    return true
  }

  #tellWatchers(): void {
    for (const watcher of this.watchers) if (--watcher.left === 0) watcher.done()
  }
}

/** What became of records that expired. */
export function expired(batch: ProducerBatch, nowMs: number): KafkaError {
  const { topic, partition } = batch.queue
  const passed = Math.round(nowMs - batch.createdMs)
  const reason =
    batch.attempts === 0
      ? topic.leaderOf(partition) < 0
        ? 'the partition has no leader'
        : 'they could not be sent; its broker may be unreachable, or slower than they came'
      : `they were sent ${batch.attempts === 1 ? 'once' : `${batch.attempts} times`} without success, so whether they were written is not known`
  return new KafkaError(
    ErrorCode.REQUEST_TIMED_OUT,
    `${batch.recordsCount} record(s) for ${topic.name}-${partition} were given up ${passed} ms after they were batched (deliveryTimeoutMs): ${reason}`,
  )
}
