/**
 * The way of a record from `send` into a batch: serialized, given a partition, appended. What cannot be batched at once waits, first come first
 * served: in the line of its topic while that is not known, in the line for memory while that is full. So records of one partition keep the
 * order of the calls. Nobody waits longer than maxBlockMs.
 */
import { setMaxListeners } from 'node:events'
import {
  BATCH_HEADER_SIZE,
  ErrorCode,
  KafkaError,
  largestRecordSize,
  type NewRecordHeader,
  type RecordField,
} from '@millrace/protocol'
import type { Timer } from '@millrace/runtime'
import { backoffMs } from '../cluster/backoff.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Accumulator } from './accumulator.ts'
import type { Receiver } from './acknowledgement.ts'
import type { ProducerConfiguration } from './configuration.ts'
import type { PartitionChooser } from './partition-chooser.ts'
import { partitionChooser } from './partition-chooser.ts'
import { fieldWriter, headerFields, type FieldWriter } from './record-fields.ts'
import type { TopicQueues } from './topic-queues.ts'
import { WaitingSend, type AnyRecord } from './waiting-send.ts'

/** Longest UTF-8 form of a UTF-16 code unit. */
const MOST_BYTES_PER_UNIT = 3
/** More than what a batch of one record takes beside key, value and headers. */
const OVERHEAD_BYTES = 200

export interface IntakeOptions {
  readonly cluster: Cluster
  readonly configuration: ProducerConfiguration
  readonly accumulator: Accumulator
  /** A record never got into a batch. */
  readonly onRefused: (record: AnyRecord, error: Error) => void
}

export interface Submission {
  readonly records: readonly AnyRecord[]
  readonly receiver: Receiver
  readonly signal: AbortSignal | undefined
}

/** Since when the records of a submission wait. */
interface Since {
  /** On the monotonic clock. */
  readonly deadlineMs: number
  readonly serial: number
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
  /** Sends that wait for memory. */
  readonly #memoryLine: WaitingSend[] = []
  readonly #awaitedTopics = new Set<TopicQueues>()
  readonly #interest: ReturnType<Cluster['metadata']['watch']>
  readonly #watching: Disposable
  #deadlineTimer: Timer | null = null
  #waitingCount = 0
  #nextSerial = 0
  #hold: Disposable | null = null
  #isServingMemory = false

  constructor({ cluster, configuration, accumulator, onRefused }: IntakeOptions) {
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
    this.#interest = cluster.metadata.watch()
    this.#watching = cluster.metadata.onChange(() => this.#metadataChanged())
  }

  /** Sends that are not in a batch yet. */
  get waitingCount(): number {
    return this.#waitingCount
  }

  /** Whether others wait for the memory that batches take. */
  get isMemoryExhausted(): boolean {
    return this.#memoryLine.length > 0
  }

  /** Batches the record, or lets it wait. What goes wrong is told to the receiver. */
  submit(record: AnyRecord, receiver: Receiver, signal: AbortSignal | undefined): void {
    let topic: TopicQueues
    try {
      topic = this.#topicOf(record)
      if (signal?.aborted === true) throw signal.reason as Error
      if (
        topic.line.length === 0 &&
        this.#memoryLine.length === 0 &&
        !this.#accumulator.isFull &&
        isKnown(topic, record)
      ) {
        this.#place(topic, record, receiver, 0, this.#cluster.world.clock.now())
        return
      }
    } catch (error) {
      this.#refuse(record, receiver, 0, error as Error)
      return
    }
    const waiting = this.#waiting({ records: [record], receiver, signal }, 0, 1)
    if (topic.line.length > 0 || !isKnown(topic, record)) this.#queueForTopic(topic, waiting)
    else this.#queueForMemory(waiting)
  }

  /** The same for many records, the index of each its slot at the receiver. */
  submitAll(submission: Submission): void {
    const { records, receiver, signal } = submission
    if (signal?.aborted === true) {
      for (let at = 0; at < records.length; at++) this.#refuse(records[at]!, receiver, at, signal.reason as Error)
      return
    }
    const since = this.#since()
    const at = this.#memoryLine.length > 0 ? 0 : this.#placeAll(submission, 0, records.length, since)
    if (at < records.length) this.#queueForMemory(this.#waiting(submission, at, records.length, since))
  }

  /** Resolves when all that waits now is batched or refused. */
  async drained(): Promise<void> {
    const later = this.#nextSerial
    for (;;) {
      const waiting = this.#allWaiting().filter(({ serial }) => serial < later)
      if (waiting.length === 0) return
      await Promise.all(waiting.map((send) => send.left()))
    }
  }

  /** Memory has become free. */
  serveMemoryLine(): void {
    // Settling batches of those served frees memory too.
    if (this.#isServingMemory) return
    this.#isServingMemory = true
    try {
      while (this.#memoryLine.length > 0 && !this.#accumulator.isFull) {
        const send = this.#memoryLine[0]!
        send.at = this.#placeAll(send, send.at, send.end, send)
        if (send.at < send.end) break
        this.#memoryLine.shift()
        this.#left(send)
      }
    } finally {
      this.#isServingMemory = false
    }
  }

  /** Refuses all that waits. */
  refuseAll(error: Error): void {
    for (const send of this.#allWaiting()) this.#refuseWaiting(send, error)
  }

  [Symbol.dispose](): void {
    this.#interest[Symbol.dispose]()
    this.#watching[Symbol.dispose]()
    this.#deadlineTimer?.cancel()
  }

  /** Returns the index of the first record for which there is no memory. Those of unknown topics get in line for these. */
  #placeAll({ records, receiver, signal }: Submission, from: number, to: number, since: Since): number {
    const nowMs = this.#cluster.world.clock.now()
    for (let at = from; at < to; at++) {
      if (this.#accumulator.isFull) return at
      const record = records[at]!
      try {
        const topic = this.#topicOf(record)
        if (topic.line.length === 0 && isKnown(topic, record)) this.#place(topic, record, receiver, at, nowMs)
        else this.#queueForTopic(topic, this.#waiting({ records, receiver, signal }, at, at + 1, since))
      } catch (error) {
        this.#refuse(record, receiver, at, error as Error)
      }
    }
    return to
  }

  /** Into a batch. @throws what is wrong with the record. */
  #place(topic: TopicQueues, record: AnyRecord, receiver: Receiver, slot: number, nowMs: number): void {
    const key = this.#writeKey(record.key, topic.keyContext)
    const value = this.#writeValue(record.value, topic.valueContext)
    const headers = record.headers === undefined ? undefined : headerFields(record.headers)
    this.#checkSize(topic, key, value, headers)
    const timestamp = record.timestamp ?? nowMs
    if (!Number.isSafeInteger(timestamp))
      throw new RangeError(
        `the timestamp of a record to ${topic.name} should be whole milliseconds, but is ${timestamp}`,
      )
    const partition = record.partition ?? this.#choose(topic, key, value)
    const queue = topic.queue(partition)
    const size = this.#accumulator.append(queue, timestamp, key, value, headers, receiver, slot)
    if (record.partition === undefined && (key === null || this.#configuration.partitionerIgnoreKeys))
      topic.sticky.produced(partition, size, queue.last === null || queue.last.isFull)
  }

  #checkSize(
    { name }: TopicQueues,
    key: RecordField,
    value: RecordField,
    headers: readonly NewRecordHeader[] | undefined,
  ): void {
    const { maxRequestSize, bufferMemory } = this.#configuration
    const limit = Math.min(maxRequestSize, bufferMemory)
    // Exact sizes of texts cost time, and nearly all records are far from the limit.
    if (headers === undefined && mostBytes(key) + mostBytes(value) + OVERHEAD_BYTES <= limit) return
    const size = largestRecordSize(key, value, headers) + BATCH_HEADER_SIZE
    if (size > limit)
      throw new KafkaError(
        ErrorCode.MESSAGE_TOO_LARGE,
        `a record to ${name} takes up to ${size} bytes, more than ${maxRequestSize <= bufferMemory ? 'maxRequestSize' : 'bufferMemory'} (${limit}) allows`,
      )
  }

  #topicOf(record: AnyRecord): TopicQueues {
    const name = record.topic ?? this.#configuration.topic
    if (typeof name !== 'string' || name === '')
      throw new TypeError('a record names no topic, and the producer has none (option topic)')
    const { partition } = record
    if (partition !== undefined && !(Number.isInteger(partition) && partition >= 0))
      throw new RangeError(
        `the partition of a record to ${name} should be a whole number from 0 up, but is ${partition}`,
      )
    const { topics } = this.#accumulator
    return topics.get(name) ?? this.#newTopic(name)
  }

  #newTopic(name: string): TopicQueues {
    const topic = this.#accumulator.topic(name)
    topic.use(this.#cluster.metadata.image.topics.get(name) ?? null)
    topic.lastUsedMs = this.#nowMs()
    this.#interest.set(this.#wantedTopics())
    return topic
  }

  #metadataChanged(): void {
    const { image } = this.#cluster.metadata
    for (const topic of this.#accumulator.topics.values()) topic.use(image.topics.get(topic.name) ?? null)
    this.#interest.set(this.#wantedTopics())
  }

  /** Topics not used for long are not asked for again. Their sequence numbers are kept. */
  *#wantedTopics(): Generator<string> {
    const since = this.#nowMs() - this.#configuration.metadataMaxIdleMs
    for (const topic of this.#accumulator.topics.values()) {
      const isUsed = topic.lastUsedMs >= since || topic.line.length > 0
      if (isUsed || topic.queues.some((queue) => queue !== undefined && queue.queuedBytes > 0)) yield topic.name
    }
  }

  #waiting(
    { records, receiver, signal }: Submission,
    at: number,
    end: number,
    { deadlineMs, serial } = this.#since(),
  ): WaitingSend {
    return new WaitingSend({ records, at, end, receiver, deadlineMs, serial, signal })
  }

  #allWaiting(): WaitingSend[] {
    return [...this.#memoryLine, ...[...this.#awaitedTopics].flatMap(({ line }) => line)]
  }

  #queueForMemory(send: WaitingSend): void {
    this.#join(this.#memoryLine, send)
    this.#armDeadline()
  }

  #queueForTopic(topic: TopicQueues, send: WaitingSend): void {
    topic.lastUsedMs = this.#nowMs()
    this.#join(topic.line, send)
    if (this.#awaitedTopics.has(topic)) return
    this.#awaitedTopics.add(topic)
    void this.#awaitTopic(topic)
  }

  #join(line: WaitingSend[], send: WaitingSend): void {
    lineUp(line, send)
    this.#waitingCount++
    this.#hold ??= this.#cluster.holdProcess()
    const { signal } = send
    if (signal === undefined) return
    // Many may wait with one signal, which is no leak.
    setMaxListeners(0, signal)
    const onAbort = (): void => this.#refuseWaiting(send, signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    send.onLeft = () => signal.removeEventListener('abort', onAbort)
  }

  #left(send: WaitingSend): void {
    if (--this.#waitingCount === 0) {
      this.#hold?.[Symbol.dispose]()
      this.#hold = null
    }
    send.onLeft?.()
  }

  #refuseWaiting(send: WaitingSend, error: Error): void {
    const index = send.line.indexOf(send)
    if (index < 0) return
    send.line.splice(index, 1)
    for (let at = send.at; at < send.end; at++) this.#refuse(send.records[at]!, send.receiver, at, error)
    this.#left(send)
  }

  #refuse(record: AnyRecord, receiver: Receiver, slot: number, error: Error): void {
    receiver.failed(slot, error)
    this.#onRefused(record, error)
  }

  /** Until nothing waits for the topic. */
  async #awaitTopic(topic: TopicQueues): Promise<void> {
    const { line } = topic
    for (let attempt = 1; line.length > 0; attempt++) {
      const head = line[0]!
      try {
        await this.#makeKnown(topic, head, attempt)
      } catch (error) {
        this.#cannotKnow(topic, head, error as Error)
      }
      this.#serveTopicLine(topic)
    }
    this.#awaitedTopics.delete(topic)
  }

  /** Waits for what `head` wants, or a step towards it. @throws when it cannot be had in its time. */
  async #makeKnown(topic: TopicQueues, head: WaitingSend, attempt: number): Promise<void> {
    const { metadata, world, signal, settings } = this.#cluster
    const timeoutMs = Math.max(0, head.deadlineMs - this.#nowMs())
    this.#interest.set(this.#wantedTopics())
    if (topic.image === null) {
      const allowCreation = this.#configuration.allowAutoCreateTopics
      topic.use(await metadata.topic(topic.name, { timeoutMs, allowCreation, signal }))
      return
    }
    const { partition } = head.records[head.at]!
    if (isKnown(topic, head.records[head.at]!)) return
    if (timeoutMs === 0)
      throw new KafkaError(
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        `${topic.name} has ${topic.partitionsCount} partitions, numbered from 0; after ${this.#configuration.maxBlockMs} ms there still was no partition ${partition}`,
      )
    const { retryBackoffMs: initialMs, retryBackoffMaxMs: maxMs } = settings
    if (attempt > 1)
      await world.clock.sleep(
        Math.min(timeoutMs, backoffMs(attempt - 1, { initialMs, maxMs, random: world.random })),
        signal,
      )
    try {
      await metadata.refresh(signal)
    } catch (error) {
      if (!(error instanceof KafkaError && error.retriable)) throw error
    }
  }

  /** The topic, or the partition that `head` wants, could not be had in its time; the topic is missing for those who came with it too. */
  #cannotKnow(topic: TopicQueues, head: WaitingSend, error: Error): void {
    const isPassing = error instanceof KafkaError && error.retriable
    const isTopicMissing = topic.image === null
    for (const send of topic.line.slice()) {
      if (!isPassing) this.#refuseWaiting(send, error)
      else if (send === head || (isTopicMissing && send.deadlineMs <= head.deadlineMs))
        this.#refuseWaiting(send, this.#waitedInVain(error))
    }
  }

  #waitedInVain(error: KafkaError): KafkaError {
    const { maxBlockMs } = this.#configuration
    return new KafkaError(error.code, `${error.message} (gave up after maxBlockMs, ${maxBlockMs} ms)`, { cause: error })
  }

  #serveTopicLine(topic: TopicQueues): void {
    const { line } = topic
    while (line.length > 0) {
      const send = line[0]!
      const record = send.records[send.at]!
      if (!isKnown(topic, record)) return
      line.shift()
      if (this.#memoryLine.length > 0 || this.#accumulator.isFull) {
        lineUp(this.#memoryLine, send)
        this.#armDeadline()
        continue
      }
      this.#left(send)
      try {
        this.#place(topic, record, send.receiver, send.at, this.#cluster.world.clock.now())
      } catch (error) {
        this.#refuse(record, send.receiver, send.at, error as Error)
      }
    }
  }

  /** Refuses those at the head of the line for memory whose time is over. */
  #armDeadline(): void {
    const head = this.#memoryLine[0]
    if (head === undefined || this.#deadlineTimer !== null) return
    this.#deadlineTimer = this.#cluster.world.clock.after(Math.max(0, head.deadlineMs - this.#nowMs()), () => {
      this.#deadlineTimer = null
      const nowMs = this.#nowMs()
      const { bufferMemory, maxBlockMs } = this.#configuration
      while (this.#memoryLine.length > 0 && this.#memoryLine[0]!.deadlineMs <= nowMs)
        this.#refuseWaiting(
          this.#memoryLine[0]!,
          new KafkaError(
            ErrorCode.REQUEST_TIMED_OUT,
            `no memory for the record within ${maxBlockMs} ms (maxBlockMs): ${bufferMemory} bytes (bufferMemory) wait to be acknowledged; the brokers take records more slowly than they come`,
          ),
        )
      this.#armDeadline()
    })
  }

  #since(): Since {
    return { deadlineMs: this.#nowMs() + this.#configuration.maxBlockMs, serial: this.#nextSerial++ }
  }

  #nowMs(): number {
    return this.#cluster.world.clock.monotonicMs()
  }
}

/** Before those submitted later, which may have come to this line first. */
function lineUp(line: WaitingSend[], send: WaitingSend): void {
  let at = line.length
  while (at > 0 && line[at - 1]!.serial > send.serial) at--
  line.splice(at, 0, send)
  send.line = line
}

/** Whether the partition that the record wants, or any, is known. */
function isKnown({ partitionsCount }: TopicQueues, { partition }: AnyRecord): boolean {
  return partition === undefined ? partitionsCount > 0 : partition < partitionsCount
}

function mostBytes(value: RecordField): number {
  if (value === null) return 0
  return typeof value === 'string' ? value.length * MOST_BYTES_PER_UNIT : value.length
}
