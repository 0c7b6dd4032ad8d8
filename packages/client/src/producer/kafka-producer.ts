/** A producer, as the application sees it. */
import { abortable } from '../cluster/connections.ts'
import type { ClientMetric } from '../observe/metrics.ts'
import { clientInstanceIdOf } from '../observe/telemetry/telemetry-push.ts'
import type { RecordMetadata, TopicPartitionOffset } from '../record.ts'
import { ArraySend, SingleSend } from './batches/acknowledgement.ts'
import { closeProducer } from './close-producer.ts'
import { closedError, type ProducerCore } from './producer-core.ts'
import type { GroupMetadata, PartitionDescription, Producer, SendOptions, Transaction } from './producer.ts'
import type { AnyRecord } from './intake/waiting-send.ts'

export class KafkaProducer implements Producer<AnyRecord> {
  readonly #core: ProducerCore
  #closing: Promise<void> | null = null

  constructor(core: ProducerCore) {
    this.#core = core
  }

  send(record: AnyRecord, options?: SendOptions): Promise<RecordMetadata> {
    const receiver = new SingleSend()
    const signal = options?.signal ?? undefined
    const refusal = this.#whyNot() ?? whyNoSignal(signal)
    if (refusal === null) this.#core.observedIntake.submit(record, receiver, signal)
    else receiver.failed(0, refusal)
    return this.#handledByCommit(receiver.promise)
  }

  sendAll(given: readonly AnyRecord[], options?: SendOptions): Promise<readonly RecordMetadata[]> {
    if (!Array.isArray(given)) return Promise.reject(new TypeError('sendAll: expected a list of records'))
    // Some may have to wait, and the list is its owner's.
    const records: readonly AnyRecord[] = given.slice()
    const receiver = new ArraySend(records.length)
    const signal = options?.signal ?? undefined
    const refusal = this.#whyNot() ?? whyNoSignal(signal)
    if (refusal === null) this.#core.observedIntake.submitAll({ records, receiver, signal })
    else for (let slot = 0; slot < records.length; slot++) receiver.failed(slot, refusal)
    return this.#handledByCommit(receiver.promise)
  }

  sendAndForget(record: AnyRecord): void {
    const refusal = this.#whyNot()
    if (refusal !== null) throw refusal
    this.#core.observedIntake.submit(record, this.#core.forgotten, undefined)
  }

  async flush(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await abortable(this.#core.metrics.flush.of(this.#core.flush()), options.signal)
  }

  async partitionsFor(
    topic: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly PartitionDescription[]> {
    this.#core.checkOpen()
    if (typeof topic !== 'string')
      throw new TypeError(`partitionsFor: expected the name of a topic, but got ${typeof topic}`)
    const { maxBlockMs: timeoutMs, allowAutoCreateTopics: allowCreation } = this.#core.configuration
    const { metadata } = this.#core.context.cluster
    const image = await metadata.topic(topic, { timeoutMs, allowCreation, signal: options.signal })
    return image.partitions.map(({ leaderId, replicas, isr, offlineReplicas }, partition) => ({
      topic,
      partition,
      leaderId: leaderId < 0 ? null : leaderId,
      replicas,
      inSyncReplicas: isr,
      offlineReplicas,
    }))
  }

  async transaction<T>(work: (transaction: Transaction<AnyRecord>) => Promise<T>): Promise<T> {
    return await this.#transactional('transaction').runner.run(this, work)
  }

  async initTransactions(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await abortable(this.#transactional('initTransactions').manager.initialize(), options.signal)
  }

  beginTransaction(): void {
    this.#transactional('beginTransaction').manager.begin()
  }

  async sendOffsetsToTransaction(
    offsets: readonly TopicPartitionOffset[],
    group: GroupMetadata | string,
  ): Promise<void> {
    await this.#transactional('sendOffsetsToTransaction').manager.sendOffsets(offsets, group)
  }

  async commitTransaction(): Promise<void> {
    await this.#transactional('commitTransaction').manager.commit()
  }

  async abortTransaction(): Promise<void> {
    await this.#transactional('abortTransaction').manager.abort()
  }

  metrics(): readonly ClientMetric[] {
    return this.#core.context.metrics.all()
  }

  clientInstanceId({
    timeoutMs = this.#core.configuration.defaultApiTimeoutMs,
  }: { readonly timeoutMs?: number } = {}): Promise<string> {
    return clientInstanceIdOf(this.#core.telemetry, timeoutMs)
  }

  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs = null } = options
    if (timeoutMs !== null && !(typeof timeoutMs === 'number' && timeoutMs >= 0))
      return Promise.reject(
        new RangeError(`close: timeoutMs should be a number from 0 up, but is ${String(timeoutMs)}`),
      )
    this.#closing ??= closeProducer(this.#core, timeoutMs)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** In a transaction the commit fails with a record, so whoever sends without awaiting need not handle that twice. */
  #handledByCommit<T>(promise: Promise<T>): Promise<T> {
    if (this.#core.transactions?.manager.isOpen === true) promise.catch(ignore)
    return promise
  }

  /** Why nothing can be sent now; null when it can. */
  #whyNot(): Error | null {
    const { isClosing, transactions } = this.#core
    if (isClosing) return closedError()
    if (transactions === null) return null
    try {
      transactions.manager.checkSend()
      return null
    } catch (error) {
      return error as Error
    }
  }

  #transactional(operation: string): NonNullable<ProducerCore['transactions']> {
    const core = this.#core
    core.checkOpen()
    if (core.transactions !== null) return core.transactions
    throw new TypeError(`${operation} needs a producer with the option transactionalId`)
  }
}

/** Found out only when something has to wait, it would leave that waiting. */
function whyNoSignal(signal: AbortSignal | undefined): Error | null {
  if (signal === undefined || typeof (signal as Partial<AbortSignal>).addEventListener === 'function') return null
  return new TypeError('signal should be an AbortSignal')
}

function ignore(): void {}
