/**
 * Gathers records into batches, one queue of them per partition, and counts the memory they take. Decides nothing about sending. Source of the
 * rules: Kafka's RecordAccumulator.
 */
import { BATCH_HEADER_SIZE, type NewRecordHeader, type RecordField } from '@millrace/protocol'
import { BufferPool, type Clock, type Random } from '@millrace/runtime'
import type { Receiver } from './acknowledgement.ts'
import { ProducerBatch, type BatchWatcher, type PackingOptions, type SettledListener } from './producer-batch.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { PartitionLoads } from '../partitioning/sticky-partition.ts'
import { TopicQueues } from './topic-queues.ts'

/** Smallest first buffer of a batch: most are small, and memory of many partitions adds up. */
const SMALLEST_BUFFER_BYTES = 512
/** Below this Node's own pool serves. */
const POOLED_FROM_BYTES = 4096
/** Buffers of settled batches that wait for the next ones, at most. */
const KEPT_BUFFER_BYTES = 8 * 1024 * 1024

export interface AccumulatorOptions {
  readonly clock: Clock
  readonly random: Random
  /** 0: a batch per record. */
  readonly batchSize: number
  readonly bufferMemory: number
  readonly deliveryTimeoutMs: number
  readonly packing: PackingOptions
  readonly onSettled: SettledListener | null
}

/**
 * Invariants: a batch is in `#incomplete` from its first record until it is settled; `#usedBytes` is the sum of what those are charged; a
 * queue is in `waitingQueues` exactly while batches wait in it.
 */
export class Accumulator {
  readonly topics = new Map<string, TopicQueues>()
  readonly waitingQueues = new Set<PartitionQueue>()
  readonly #options: AccumulatorOptions
  readonly #limitBytes: number
  readonly #incomplete = new Set<ProducerBatch>()
  /** Fresh memory for every batch would cost more than writing the records into it. */
  readonly #buffers: BufferPool
  #usedBytes = 0
  #flushes = 0
  /** On the monotonic clock; no batch expires before. */
  #nextExpiryMs = Infinity
  /** A batch was begun: it may have to be sent at the end of the turn, or after lingering. */
  onBegun: (queue: PartitionQueue) => void = () => {}
  /** A batch is full: it can be sent. */
  onFilled: () => void = () => {}
  /** How long queues of a topic are, for the partitioner; null: not to be used. */
  loadsOf: (topic: TopicQueues) => PartitionLoads | null = () => null
  /** Memory has become free. */
  onFreed: () => void = () => {}

  constructor(options: AccumulatorOptions) {
    this.#options = options
    // The header counts, as in Kafka; a batch takes at least one record.
    this.#limitBytes = Math.max(1, options.batchSize)
    this.#buffers = new BufferPool({ maxKeptBytes: Math.min(KEPT_BUFFER_BYTES, options.bufferMemory) })
  }

  get isFull(): boolean {
    return this.#usedBytes >= this.#options.bufferMemory
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get hasIncomplete(): boolean {
    return this.#incomplete.size > 0
  }

  get incompleteCount(): number {
    return this.#incomplete.size
  }

  get isFlushing(): boolean {
    return this.#flushes > 0
  }

  /** On the monotonic clock; Infinity: never. */
  get nextExpiryMs(): number {
    return this.#nextExpiryMs
  }

  topic(name: string): TopicQueues {
    let topic = this.topics.get(name)
    if (topic === undefined) {
      topic = new TopicQueues(name, { ...this.#options, loadsOf: (own) => this.loadsOf(own) })
      this.topics.set(name, topic)
    }
    return topic
  }

  /** Adds a record, to the last batch of the queue or a new one. Returns the bytes it takes. @throws KafkaError INVALID_TIMESTAMP. */
  append(
    queue: PartitionQueue,
    timestampMs: number,
    key: RecordField,
    value: RecordField,
    headers: readonly NewRecordHeader[] | undefined,
    receiver: Receiver,
    slot: number,
  ): number {
    const last = queue.last
    let size = last === null ? 0 : last.append(timestampMs, key, value, headers, receiver, slot)
    let batch = last
    if (size === 0) {
      if (last !== null) this.#close(last)
      batch = this.#newBatch(queue)
      size = batch.append(timestampMs, key, value, headers, receiver, slot)
      this.#begin(batch)
    }
    batch!.chargedBytes += size
    queue.queuedBytes += size
    this.#usedBytes += size
    if (batch!.isFull) this.onFilled()
    return size
  }

  /** Takes the first batch out of its queue, to be sent. */
  take(queue: PartitionQueue): ProducerBatch {
    const batch = queue.shift()!
    this.#close(batch)
    if (queue.waitingCount === 0) this.waitingQueues.delete(queue)
    return batch
  }

  /** It has to be sent again. */
  putBack(batch: ProducerBatch): void {
    batch.queue.putBack(batch)
    this.waitingQueues.add(batch.queue)
  }

  /** Puts what the batch holds back in smaller ones. Returns them in order. */
  splitAndPutBack(batch: ProducerBatch): readonly ProducerBatch[] {
    const { compression } = batch.queue.topic
    compression.reset(batch.compressionRatio)
    const parts = batch.split(this.#limitBytes)
    this.#incomplete.delete(batch)
    for (const part of parts.toReversed()) this.putBack(part)
    for (const part of parts) this.#incomplete.add(part)
    return parts
  }

  deliver(batch: ProducerBatch, baseOffset: bigint, logAppendTimeMs: number): void {
    if (batch.isSettled) return
    this.#settled(batch)
    batch.deliver(baseOffset, logAppendTimeMs, this.#options.onSettled)
    const buffer = batch.takeBuffer()
    if (buffer !== null && buffer.length >= POOLED_FROM_BYTES) this.#buffers.release(buffer)
    this.onFreed()
  }

  fail(batch: ProducerBatch, error: Error, records: Parameters<ProducerBatch['fail']>[2] = null): void {
    if (batch.isSettled) return
    this.#settled(batch)
    batch.fail(error, this.#options.onSettled, records)
    this.onFreed()
  }

  /** Takes a batch out of its queue, to be failed. */
  remove(batch: ProducerBatch): void {
    batch.queue.remove(batch)
    if (batch.queue.waitingCount === 0) this.waitingQueues.delete(batch.queue)
  }

  /** Fails all batches that were never sent. */
  failUnsent(error: Error): void {
    // Who is told may send again at once, and would be told again at once.
    const queues = [...this.waitingQueues]
    for (const queue of queues) {
      for (const batch of queue.takeUnsent()) this.fail(batch, error)
      if (queue.waitingCount === 0) this.waitingQueues.delete(queue)
    }
  }

  /** Fails everything, sent or not. */
  failAll(error: Error): void {
    const batches = [...this.#incomplete]
    for (const batch of batches) {
      this.remove(batch)
      batch.queue.sequences.remove(batch)
      this.fail(batch, error)
    }
  }

  /** Those past the delivery time-out, taken out of their queues; still to be failed. */
  takeExpired(nowMs: number): readonly ProducerBatch[] {
    if (nowMs < this.#nextExpiryMs) return []
    const { deliveryTimeoutMs } = this.#options
    const expired: ProducerBatch[] = []
    this.#nextExpiryMs = Infinity
    for (const batch of this.#incomplete) {
      const expiryMs = batch.createdMs + deliveryTimeoutMs
      if (expiryMs <= nowMs) expired.push(batch)
      else this.#nextExpiryMs = Math.min(this.#nextExpiryMs, expiryMs)
    }
    for (const batch of expired) this.remove(batch)
    return expired
  }

  /** None lingers until `endFlush`. */
  beginFlush(): void {
    this.#flushes++
  }

  endFlush(): void {
    this.#flushes--
  }

  /** Resolves when every batch there is now is settled. */
  settled(): Promise<void> {
    if (this.#incomplete.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const watcher: BatchWatcher = { left: this.#incomplete.size, done: resolve }
      for (const batch of this.#incomplete) batch.watchers = [...batch.watchers, watcher]
    })
  }

  #newBatch(queue: PartitionQueue): ProducerBatch {
    const { clock, packing } = this.#options
    const limitBytes =
      packing.compression === 0
        ? this.#limitBytes
        : BATCH_HEADER_SIZE + queue.topic.compression.fillBytes(Math.max(1, this.#limitBytes - BATCH_HEADER_SIZE))
    const wanted = Math.max(
      SMALLEST_BUFFER_BYTES,
      Math.min(limitBytes, queue.typicalBatchBytes + (queue.typicalBatchBytes >> 3)),
    )
    return new ProducerBatch(queue, {
      createdMs: clock.monotonicMs(),
      limitBytes,
      packing,
      buffer: wanted < POOLED_FROM_BYTES ? Buffer.allocUnsafe(wanted) : this.#buffers.acquire(wanted),
    })
  }

  #begin(batch: ProducerBatch): void {
    const { queue } = batch
    queue.push(batch)
    queue.topic.lastUsedMs = batch.createdMs
    this.#incomplete.add(batch)
    this.waitingQueues.add(queue)
    this.#nextExpiryMs = Math.min(this.#nextExpiryMs, batch.createdMs + this.#options.deliveryTimeoutMs)
    this.onBegun(queue)
  }

  #close(batch: ProducerBatch): void {
    if (batch.attempts === 0) batch.queue.typicalBatchBytes = batch.chargedBytes + BATCH_HEADER_SIZE
    batch.close()
  }

  #settled(batch: ProducerBatch): void {
    this.#incomplete.delete(batch)
    this.#usedBytes -= batch.chargedBytes
    batch.queue.queuedBytes -= batch.chargedBytes
  }
}
