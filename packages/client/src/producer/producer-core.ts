/** The parts of a producer, and how they hear of each other. The rules are in the parts; what the application sees is in `kafka-producer.ts`. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { ClientContext } from '../client-context.ts'
import { TelemetryPush } from '../observe/telemetry/telemetry-push.ts'
import { Accumulator } from './batches/accumulator.ts'
import { ForgottenSend, type Receiver } from './batches/acknowledgement.ts'
import { producerConfiguration, type ProducerConfiguration } from './configuration.ts'
import { Intake } from './intake/intake.ts'
import { Interceptors } from './intake/interceptors.ts'
import { ObservedIntake } from './intake/observed-intake.ts'
import type { producerOptions } from './options.ts'
import type { PartitionQueue } from './batches/partition-queue.ts'
import type { ProducerBatch } from './batches/producer-batch.ts'
import { ProducerIdentity } from './identity/producer-identity.ts'
import { ProducerMetrics } from './producer-metrics.ts'
import type { Identity } from './sending/sender-options.ts'
import { Sender } from './sending/sender.ts'
import { TransactionManager } from './transactions/transaction-manager.ts'
import { TransactionRunner } from './transactions/transaction-runner.ts'
import type { AnyRecord } from './intake/waiting-send.ts'

export class ProducerCore {
  readonly context: ClientContext<typeof producerOptions>
  readonly configuration: ProducerConfiguration
  readonly observedIntake: ObservedIntake
  readonly sender: Sender
  readonly metrics: ProducerMetrics
  /** Null without a transactional id. */
  readonly transactions: { readonly manager: TransactionManager; readonly runner: TransactionRunner } | null
  readonly telemetry: TelemetryPush | null
  /** Receives for all that is sent and forgotten. */
  readonly forgotten: Receiver
  readonly #accumulator: Accumulator
  readonly #intake: Intake
  readonly #interceptors: Interceptors

  /** @throws TypeError for settings that contradict each other. */
  constructor(context: ClientContext<typeof producerOptions>, place: string) {
    const { cluster, settings, world, metrics } = context
    const { logger } = settings
    const configuration = producerConfiguration(settings, place)
    const { transactionalId, clientId, bufferMemory, topic, tracing } = configuration
    this.context = context
    this.configuration = configuration
    this.#interceptors = new Interceptors(configuration.interceptors, logger)
    const interceptors = this.#interceptors
    const accumulator = new Accumulator({
      ...configuration,
      clock: world.clock,
      random: world.random,
      onSettled: interceptors.isEmpty ? null : (metadata, error) => interceptors.settled(metadata, error),
    })
    this.#accumulator = accumulator
    this.metrics = new ProducerMetrics(metrics, {
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
      metrics: this.metrics,
      onRefused: (record, error) => this.#refused(record, error),
    })
    this.observedIntake = new ObservedIntake({
      intake: this.#intake,
      interceptors,
      tracing: tracing === null ? null : { tracing, topic, logger },
    })
    this.forgotten = new ForgottenSend({ onError: configuration.onError, logger })
    const identity = configuration.isIdempotent
      ? new ProducerIdentity<ProducerBatch, PartitionQueue>({ isTransactional: transactionalId !== null })
      : null
    this.transactions =
      identity === null || transactionalId === null ? null : this.#transactional(identity, transactionalId)
    this.sender = new Sender({
      cluster,
      configuration,
      accumulator,
      identity,
      transactions: this.transactions?.manager ?? null,
      metrics: this.metrics,
      logger,
      intake: this.#intake,
    })
    accumulator.onBegun = (queue) => {
      this.transactions?.manager.touched(queue)
      this.sender.wake()
    }
    accumulator.loadsOf = (topic) => this.sender.loadsOf(topic)
    accumulator.onFilled = () => this.sender.wake()
    accumulator.onFreed = () => this.#intake.serveMemoryLine()
    const labels = transactionalId === null ? {} : { transactional_id: transactionalId }
    this.telemetry = configuration.enableMetricsPush ? new TelemetryPush({ cluster, metrics, labels }) : null
  }

  /** It is closed, or about to be. */
  get isClosing(): boolean {
    return this.sender.isClosing
  }

  /** @throws KafkaError when it is closing. */
  checkOpen(): void {
    if (this.isClosing) throw closedError()
  }

  /** Sends what waits, and resolves when everything sent before is settled. */
  async flush(): Promise<void> {
    this.#accumulator.beginFlush()
    try {
      this.sender.wake()
      await this.#intake.drained()
      this.sender.wake()
      await this.#accumulator.settled()
    } finally {
      this.#accumulator.endFlush()
    }
  }

  /** What is left fails. */
  async dispose(): Promise<void> {
    const error = closedError()
    this.transactions?.runner.close(error)
    this.#intake.refuseAll(error)
    this.transactions?.manager.close(error)
    this.#accumulator.failAll(error)
    this.#intake[Symbol.dispose]()
    await this.sender[Symbol.asyncDispose]()
    await this.telemetry?.[Symbol.asyncDispose]()
    await this.context.cluster[Symbol.asyncDispose]()
  }

  #transactional(identity: Identity, transactionalId: string): NonNullable<ProducerCore['transactions']> {
    const { cluster, world, settings } = this.context
    const { maxBlockMs } = settings
    const manager = new TransactionManager({
      ...this.configuration,
      cluster,
      identity,
      transactionalId,
      times: this.metrics.transactions,
      recordsSettled: async () => {
        await this.#intake.drained()
        await this.#accumulator.settled()
      },
      wake: () => this.sender.wake(),
    })
    const checkOpen = (): void => this.checkOpen()
    const runner = new TransactionRunner({
      manager,
      maxBlockMs,
      clock: world.clock,
      logger: settings.logger,
      checkOpen,
    })
    return { manager, runner }
  }

  /** A record never got into a batch. */
  #refused(record: AnyRecord, error: Error): void {
    this.metrics.refused()
    this.transactions?.manager.batchFailed(error)
    if (this.#interceptors.isEmpty) return
    // What an application sends may be no record at all.
    const given: Partial<AnyRecord> = record ?? {}
    const topic = given.topic ?? this.configuration.topic ?? ''
    const { partition = -1, timestamp = -1 } = given
    this.#interceptors.settled({ topic, partition, offset: -1n, timestamp }, error)
  }
}

export function closedError(): KafkaError {
  return new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, 'the producer is closed')
}
