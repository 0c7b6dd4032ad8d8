/**
 * The way of a record from `send` into a batch: serialized, given a partition, appended. What cannot be batched at once waits, first come first
 * served: in the line of its topic while that is not known, in the line for memory while that is full. So records of one partition keep the
 * order of the calls. Nobody waits longer than maxBlockMs.
 */
import { handleFailureOf } from '../../handle-failure.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { Accumulator } from '../batches/accumulator.ts'
import type { Receiver } from '../batches/acknowledgement.ts'
import type { ProducerConfiguration } from '../configuration.ts'
import { MemoryLine } from './memory-line.ts'
import { partitionChooser, type PartitionChooser } from '../partitioning/partition-chooser.ts'
import type { ProducerMetrics } from '../producer-metrics.ts'
import { fieldWriter, headerFields, kindOf, type FieldWriter } from './record-fields.ts'
import { checkRecordSize } from './record-size.ts'
import { TopicInterest } from './topic-interest.ts'
import { isKnown, TopicLines } from './topic-lines.ts'
import type { TopicQueues } from '../batches/topic-queues.ts'
import type { AnyRecord, WaitingSend } from './waiting-send.ts'
import { WaitingSends, type Since, type Submission } from './waiting-sends.ts'

export interface IntakeOptions {
  readonly cluster: Cluster
  readonly configuration: ProducerConfiguration
  readonly accumulator: Accumulator
  readonly metrics: ProducerMetrics
  /** A record never got into a batch. */
  readonly onRefused: (record: AnyRecord, error: Error) => void
}

/** Invariant: while something waits for a topic, or for memory, what comes later for it waits behind. */
export class Intake implements Disposable {
  readonly #cluster: Cluster
  readonly #configuration: ProducerConfiguration
  readonly #accumulator: Accumulator
  readonly #onRefused: IntakeOptions['onRefused']
  readonly #writeKey: FieldWriter
  readonly #writeValue: FieldWriter
  readonly #choose: PartitionChooser
  readonly #interest: TopicInterest
  readonly #waiting: WaitingSends
  readonly #memoryLine: MemoryLine
  readonly #topicLines: TopicLines

  constructor({ cluster, configuration, accumulator, metrics, onRefused }: IntakeOptions) {
    this.#cluster = cluster
    this.#configuration = configuration
    this.#accumulator = accumulator
    this.#onRefused = onRefused
    this.#writeKey = fieldWriter(configuration.key)
    this.#writeValue = fieldWriter(configuration.value)
    this.#choose = partitionChooser({
      partitioner: configuration.partitioner,
      ignoreKeys: configuration.partitionerIgnoreKeys,
      random: cluster.world.random,
    })
    this.#interest = new TopicInterest({ ...configuration, cluster, accumulator })
    this.#waiting = new WaitingSends({
      ...configuration,
      cluster,
      memoryWait: metrics.memoryWait,
      refuse: (record, receiver, slot, error) => this.#refuse(record, receiver, slot, error),
    })
    this.#memoryLine = new MemoryLine({
      ...configuration,
      clock: cluster.world.clock,
      waiting: this.#waiting,
      place: (send) => this.#placeAll(send, send.at, send.end, send),
      onExhausted: (recordsCount) => metrics.foundNoMemory(recordsCount),
    })
    this.#topicLines = new TopicLines({
      ...configuration,
      cluster,
      interest: this.#interest,
      waiting: this.#waiting,
      metadataWait: metrics.metadataWait,
      go: (topic, send) => this.#topicKnown(topic, send),
    })
  }

  /** Sends that are not in a batch yet. */
  get waitingCount(): number {
    return this.#waiting.count
  }

  /** Whether others wait for the memory that batches take. */
  get isMemoryExhausted(): boolean {
    return !this.#memoryLine.isEmpty
  }

  /** Batches the record, or lets it wait. What goes wrong is told to the receiver. */
  submit(record: AnyRecord, receiver: Receiver, signal: AbortSignal | undefined): void {
    let topic: TopicQueues
    let own: AnyRecord
    try {
      topic = this.#topicOf(record)
      if (signal?.aborted === true) throw signal.reason as Error
      if (topic.line.length === 0 && this.#hasMemory && isKnown(topic, record)) {
        this.#place(topic, record, receiver, 0, this.#cluster.world.clock.now())
        return
      }
      own = ownCopy(record)
    } catch (error) {
      this.#refuse(record, receiver, 0, error as Error)
      return
    }
    const submission = { records: [own], receiver, signal }
    if (topic.line.length > 0 || !isKnown(topic, own)) this.#topicLines.join(topic, submission, 0)
    else this.#memoryLine.join(submission, 0, 1)
  }

  /** The same for many records, the index of each its slot at the receiver. */
  submitAll(submission: Submission): void {
    const { records, receiver, signal } = submission
    if (signal?.aborted === true) {
      for (let at = 0; at < records.length; at++) this.#refuse(records[at]!, receiver, at, signal.reason as Error)
      return
    }
    const since = this.#waiting.since()
    const at = this.#memoryLine.isEmpty ? this.#placeAll(submission, 0, records.length, since) : 0
    if (at < records.length) this.#memoryLine.join(submission, at, records.length, since)
  }

  /** Resolves when all that waits now is batched or refused. */
  drained(): Promise<void> {
    return this.#waiting.drained()
  }

  /** Memory has become free. */
  serveMemoryLine(): void {
    this.#memoryLine.serve()
  }

  /** Refuses all that waits. */
  refuseAll(error: Error): void {
    this.#waiting.refuseAll(error)
  }

  [Symbol.dispose](): void {
    this.#interest[Symbol.dispose]()
    this.#memoryLine[Symbol.dispose]()
  }

  /** And nobody waits for it. */
  get #hasMemory(): boolean {
    return this.#memoryLine.isEmpty && !this.#accumulator.isFull
  }

  /** Returns the index of the first record for which there is no memory. Those of unknown topics get in line for these. */
  #placeAll(submission: Submission, from: number, to: number, since: Since): number {
    const { records, receiver } = submission
    const nowMs = this.#cluster.world.clock.now()
    for (let at = from; at < to; at++) {
      if (this.#accumulator.isFull) return at
      const record = records[at]!
      try {
        const topic = this.#topicOf(record)
        if (topic.line.length === 0 && isKnown(topic, record)) this.#place(topic, record, receiver, at, nowMs)
        else this.#topicLines.join(topic, submission, at, since)
      } catch (error) {
        this.#refuse(record, receiver, at, error as Error)
      }
    }
    return to
  }

  /** Into a batch. @throws what is wrong with the record. */
  #place(topic: TopicQueues, record: AnyRecord, receiver: Receiver, slot: number, nowMs: number): void {
    if (record.value === undefined)
      throw new TypeError(
        `a record to ${topic.name} has no value; null says that it shall have none, which deletes its key in compacted topics`,
      )
    const key = this.#writeKey(record.key, topic.keyContext)
    const value = this.#writeValue(record.value, topic.valueContext)
    const headers = record.headers === undefined ? undefined : headerFields(record.headers)
    checkRecordSize(topic.name, key, value, headers, this.#configuration)
    const timestamp = record.timestamp ?? nowMs
    if (!(Number.isSafeInteger(timestamp) && timestamp >= 0))
      throw new RangeError(
        `the timestamp of a record to ${topic.name} should be whole milliseconds from 0 up, but is ${timestamp}`,
      )
    const partition = record.partition ?? this.#choose(topic, key, value)
    const queue = topic.queue(partition)
    const size = this.#accumulator.append(queue, timestamp, key, value, headers, receiver, slot)
    if (record.partition === undefined && (key === null || this.#configuration.partitionerIgnoreKeys))
      topic.sticky.produced(partition, size, queue.last === null || queue.last.isFull)
  }

  #topicOf(record: AnyRecord): TopicQueues {
    if (typeof record !== 'object' || record === null)
      throw new TypeError(`a record should be an object with a topic and a value, but is ${kindOf(record)}`)
    const name = record.topic ?? this.#configuration.topic
    if (typeof name !== 'string' || name === '')
      throw new TypeError('a record names no topic, and the producer has none (option topic)')
    const { partition } = record
    if (partition !== undefined && !(Number.isInteger(partition) && partition >= 0)) {
      handleFailureOf(partition, ignore)
      throw new RangeError(
        `the partition of a record to ${name} should be a whole number from 0 up, but is ${String(partition)}`,
      )
    }
    return this.#interest.topic(name)
  }

  /** A send that has waited for its topic, for one record, goes on. */
  #topicKnown(topic: TopicQueues, send: WaitingSend): void {
    if (!this.#hasMemory) {
      this.#memoryLine.joinFromTopic(send)
      return
    }
    this.#waiting.left(send)
    const record = send.records[send.at]!
    try {
      this.#place(topic, record, send.receiver, send.at, this.#cluster.world.clock.now())
    } catch (error) {
      this.#refuse(record, send.receiver, send.at, error as Error)
    }
  }

  #refuse(record: AnyRecord, receiver: Receiver, slot: number, error: Error): void {
    receiver.failed(slot, error)
    // What serializers throw, and the reasons of signals, may be anything.
    const isError = (error as unknown) instanceof Error
    this.#onRefused(record, isError ? error : new Error('a record could not be sent', { cause: error }))
  }
}

function ignore(): void {}

/** Of a record that has to wait, as its owner may use the object for the next one. */
function ownCopy({ topic, partition, key, value, headers, timestamp }: AnyRecord): AnyRecord {
  return { topic, partition, key, value, headers, timestamp } as AnyRecord
}
