/** The producer: puts its parts together, and holds what an application calls. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Logger } from '@millrace/runtime'
import type { ClientContext } from '../client-context.ts'
import { abortable } from '../cluster/connections.ts'
import type { ClientMetric } from '../observe/metrics.ts'
import { clientInstanceIdOf, TelemetryPush } from '../observe/telemetry/telemetry-push.ts'
import type { Tracing } from '../observe/tracing.ts'
import type { RecordMetadata, TopicPartitionOffset } from '../record.ts'
import { Accumulator } from './accumulator.ts'
import { ArraySend, ForgottenSend, SingleSend, type Receiver } from './acknowledgement.ts'
import { producerConfiguration, type ProducerConfiguration } from './configuration.ts'
import { Intake } from './intake.ts'
import { Interceptors, TracedReceiver, type TraceOptions } from './interception.ts'
import type { producerOptions } from './options.ts'
import { OpenTransaction } from './transactions/open-transaction.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { ProducerBatch } from './producer-batch.ts'
import { ProducerIdentity } from './producer-identity.ts'
import { ProducerMetrics } from './producer-metrics.ts'
import type { GroupMetadata, PartitionDescription, Producer, SendOptions, Transaction } from './producer.ts'
import { Sender } from './sender.ts'
import { TransactionManager } from './transactions/transaction-manager.ts'
import { Turns } from './transactions/turns.ts'
import type { AnyRecord } from './waiting-send.ts'

export class KafkaProducer implements Producer<AnyRecord> {
  readonly #context: ClientContext<typeof producerOptions>
  readonly #configuration: ProducerConfiguration
  readonly #logger: Logger
  readonly #accumulator: Accumulator
  readonly #intake: Intake
  readonly #sender: Sender
  readonly #transactions: TransactionManager | null
  readonly #transactionTurns: Turns
  readonly #interceptors: Interceptors
  readonly #metrics: ProducerMetrics
  readonly #telemetry: TelemetryPush | null
  readonly #forgotten: ForgottenSend
  #closing: Promise<void> | null = null

  /** @throws TypeError for settings that contradict each other. */
  constructor(context: ClientContext<typeof producerOptions>, place: string) {
    const { cluster, settings, world, metrics } = context
    const configuration = producerConfiguration(settings, place)
    const { transactionalId, clientId, bufferMemory } = configuration
    this.#context = context
    this.#configuration = configuration
    this.#logger = settings.logger
    this.#interceptors = new Interceptors(configuration.interceptors, this.#logger)
    const interceptors = this.#interceptors
    const accumulator = new Accumulator({
      ...configuration,
      clock: world.clock,
      random: world.random,
      onSettled: interceptors.isEmpty ? null : (metadata, error) => interceptors.settled(metadata, error),
    })
    this.#accumulator = accumulator
    this.#metrics = new ProducerMetrics(metrics, {
      clientId,
      gauges: {
        bufferTotalBytes: () => bufferMemory,
        bufferAvailableBytes: () => Math.max(0, bufferMemory - accumulator.usedBytes),
        waitingSends: () => this.#intake.waitingCount,
        requestsInFlight: () => cluster.requestsInFlight,
      },
    })
    this.#intake = new Intake({
      cluster,
      configuration,
      accumulator,
      metrics: this.#metrics,
      onRefused: (record, error) => this.#refused(record, error),
    })
    const identity = configuration.isIdempotent
      ? new ProducerIdentity<ProducerBatch, PartitionQueue>({ isTransactional: transactionalId !== null })
      : null
    this.#transactions =
      identity === null || transactionalId === null
        ? null
        : new TransactionManager({
            ...configuration,
            cluster,
            identity,
            transactionalId,
            times: this.#metrics.transactions,
            recordsSettled: async () => {
              await this.#intake.drained()
              await accumulator.settled()
            },
            wake: () => this.#sender.wake(),
          })
    this.#sender = new Sender({
      cluster,
      configuration,
      accumulator,
      identity,
      transactions: this.#transactions,
      metrics: this.#metrics,
      logger: this.#logger,
      intake: this.#intake,
    })
    accumulator.onBegun = (queue) => {
      this.#transactions?.touched(queue)
      this.#sender.wake()
    }
    accumulator.loadsOf = (topic) => this.#sender.loadsOf(topic)
    accumulator.onFilled = () => this.#sender.wake()
    accumulator.onFreed = () => this.#intake.serveMemoryLine()
    this.#transactionTurns = new Turns(world.clock)
    this.#forgotten = new ForgottenSend((error) => this.#forgottenFailed(error))
    const labels = transactionalId === null ? {} : { transactional_id: transactionalId }
    this.#telemetry = configuration.enableMetricsPush ? new TelemetryPush({ cluster, metrics, labels }) : null
  }

  send(record: AnyRecord, options?: SendOptions): Promise<RecordMetadata> {
    const receiver = new SingleSend()
    this.#submit(record, receiver, options?.signal)
    return this.#handledByCommit(receiver.promise)
  }

  sendAll(records: readonly AnyRecord[], options?: SendOptions): Promise<readonly RecordMetadata[]> {
    const receiver = new ArraySend(records.length)
    const refusal = this.#whyNot()
    if (refusal !== null) {
      for (let slot = 0; slot < records.length; slot++) receiver.failed(slot, refusal)
      return this.#handledByCommit(receiver.promise)
    }
    let sent = records
    let told: Receiver = receiver
    if (!this.#interceptors.isEmpty) sent = sent.map((record) => this.#interceptors.sending(record))
    const { tracing } = this.#configuration
    if (tracing !== null) {
      const traced = new TracedReceiver(receiver)
      sent = sent.map((record, slot) => traced.trace(slot, record, this.#traceOptions(tracing, record)))
      told = traced
    }
    this.#intake.submitAll({ records: sent, receiver: told, signal: options?.signal })
    return this.#handledByCommit(receiver.promise)
  }

  sendAndForget(record: AnyRecord): void {
    const refusal = this.#whyNot()
    if (refusal !== null) throw refusal
    this.#submit(record, this.#forgotten, undefined)
  }

  async flush(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await abortable(this.#metrics.flush.of(this.#flush()), options.signal)
  }

  async partitionsFor(
    topic: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly PartitionDescription[]> {
    this.#checkOpen()
    const { maxBlockMs: timeoutMs, allowAutoCreateTopics: allowCreation } = this.#configuration
    const { metadata } = this.#context.cluster
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
    const transactions = this.#transactional('transaction')
    const { maxBlockMs, transactionalId } = this.#configuration
    const end = await this.#transactionTurns.take(
      maxBlockMs,
      `transactional id ${transactionalId}: another transaction of this producer was under way for ${maxBlockMs} ms (maxBlockMs); one can be at a time, and none inside another`,
    )
    try {
      this.#checkOpen()
      await transactions.settlePending()
      if (transactions.phase === 'uninitialized') await transactions.initialize()
      if (transactions.phase === 'abortable error') await transactions.abort()
      transactions.begin()
      const transaction = new OpenTransaction(this)
      let result: T
      try {
        result = await work(transaction)
      } catch (error) {
        await this.#abortAfter(transaction)
        throw error
      }
      if (transaction.isAborted) return result
      await this.#commit(transactions, transaction)
      return result
    } finally {
      end()
    }
  }

  async initTransactions(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await abortable(this.#transactional('initTransactions').initialize(), options.signal)
  }

  beginTransaction(): void {
    this.#transactional('beginTransaction').begin()
  }

  async sendOffsetsToTransaction(
    offsets: readonly TopicPartitionOffset[],
    group: GroupMetadata | string,
  ): Promise<void> {
    await this.#transactional('sendOffsetsToTransaction').sendOffsets(offsets, group)
  }

  async commitTransaction(): Promise<void> {
    await this.#transactional('commitTransaction').commit()
  }

  async abortTransaction(): Promise<void> {
    await this.#transactional('abortTransaction').abort()
  }

  metrics(): readonly ClientMetric[] {
    return this.#context.metrics.all()
  }

  clientInstanceId({
    timeoutMs = this.#context.settings.defaultApiTimeoutMs,
  }: { readonly timeoutMs?: number } = {}): Promise<string> {
    return clientInstanceIdOf(this.#telemetry, timeoutMs)
  }

  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.timeoutMs ?? null)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #submit(record: AnyRecord, receiver: Receiver, signal: AbortSignal | undefined): void {
    const refusal = this.#whyNot()
    if (refusal !== null) {
      receiver.failed(0, refusal)
      return
    }
    const { tracing } = this.#configuration
    let sent = this.#interceptors.isEmpty ? record : this.#interceptors.sending(record)
    let told = receiver
    if (tracing !== null) {
      const traced = new TracedReceiver(receiver)
      sent = traced.trace(0, sent, this.#traceOptions(tracing, sent))
      told = traced
    }
    this.#intake.submit(sent, told, signal)
  }

  /** In a transaction the commit fails with a record, so whoever sends without awaiting need not handle that twice. */
  #handledByCommit<T>(promise: Promise<T>): Promise<T> {
    if (this.#transactions?.isOpen === true) promise.catch(ignore)
    return promise
  }

  /** Why nothing can be sent now; null when it can. */
  #whyNot(): Error | null {
    if (this.#closing !== null) return closedError()
    if (this.#transactions === null) return null
    try {
      this.#transactions.checkSend()
      return null
    } catch (error) {
      return error as Error
    }
  }

  #traceOptions(tracing: Tracing, record: AnyRecord): TraceOptions {
    return { tracing, topic: this.#topicOf(record), logger: this.#logger }
  }

  #topicOf(record: AnyRecord): string {
    return record.topic ?? this.#configuration.topic ?? ''
  }

  async #flush(): Promise<void> {
    this.#accumulator.beginFlush()
    try {
      this.#sender.wake()
      await this.#intake.drained()
      this.#sender.wake()
      await this.#accumulator.settled()
    } finally {
      this.#accumulator.endFlush()
    }
  }

  /** `work` has thrown, which is what its caller is told; the next transaction finds out if there is more. */
  async #abortAfter(transaction: OpenTransaction): Promise<void> {
    if (transaction.isAborted) return
    try {
      await transaction.abort()
    } catch (error) {
      this.#logger.warn('a transaction could not be aborted', {
        transactionalId: this.#configuration.transactionalId,
        error,
      })
    }
  }

  async #commit(transactions: TransactionManager, transaction: OpenTransaction): Promise<void> {
    transaction.isEnded = true
    try {
      await transactions.commit()
    } catch (error) {
      if (transactions.phase === 'abortable error') {
        transaction.isEnded = false
        await this.#abortAfter(transaction)
      }
      throw error
    }
  }

  #refused(record: AnyRecord, error: Error): void {
    this.#metrics.refused()
    this.#transactions?.batchFailed(error)
    if (this.#interceptors.isEmpty) return
    const { partition = -1, timestamp = -1 } = record
    this.#interceptors.settled({ topic: this.#topicOf(record), partition, offset: -1n, timestamp }, error)
  }

  #forgottenFailed(error: Error): void {
    const { onError } = this.#configuration
    if (onError === null) {
      this.#logger.warn('a record could not be sent', { error })
      return
    }
    try {
      onError(error)
    } catch (failure) {
      this.#logger.error('onError of a producer has failed itself', { error: failure })
    }
  }

  async #close(timeoutMs: number | null): Promise<void> {
    const { cluster, world } = this.#context
    this.#sender.isClosing = true
    const enough = Promise.withResolvers<void>()
    const timer = timeoutMs === null ? null : world.clock.after(timeoutMs, () => enough.resolve())
    try {
      using _awake = cluster.holdProcess()
      await Promise.race([this.#finish(), enough.promise])
    } finally {
      timer?.cancel()
      const error = closedError()
      this.#transactionTurns.close(error)
      this.#intake.refuseAll(error)
      this.#transactions?.close(error)
      this.#accumulator.failAll(error)
      this.#intake[Symbol.dispose]()
      await this.#sender[Symbol.asyncDispose]()
      await this.#telemetry?.[Symbol.asyncDispose]()
      await cluster[Symbol.asyncDispose]()
    }
  }

  /** Sends what there is, and leaves no transaction open. */
  async #finish(): Promise<void> {
    const transactions = this.#transactions
    try {
      if (transactions === null || !transactions.isOpen || transactions.isCompleting) await this.#flush()
      if (transactions === null) return
      await transactions.settlePending()
      if (transactions.isOpen) await transactions.abort()
    } catch (error) {
      this.#logger.warn('closing a producer left its transaction open; the broker aborts it in time', { error })
    }
  }

  #transactional(operation: string): TransactionManager {
    this.#checkOpen()
    if (this.#transactions !== null) return this.#transactions
    throw new TypeError(`${operation} needs a producer with the option transactionalId`)
  }

  #checkOpen(): void {
    if (this.#closing !== null) throw closedError()
  }
}

function closedError(): KafkaError {
  return new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, 'the producer is closed')
}

function ignore(): void {}
