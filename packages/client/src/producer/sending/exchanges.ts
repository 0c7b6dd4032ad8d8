/** Requests with batches, one after the other, and what their answers mean for the batches. */
import type { BrokerConnection } from '@millrace/network'
import { ErrorCode, KafkaError, Produce, type RequestInput, type Response } from '@millrace/protocol'
import type { BatchFates } from './batch-fates.ts'
import { PRODUCE_LANE, type BrokerLink } from './broker-link.ts'
import { matchAnswer, produceRequest, produceVersion, type PartitionAnswer } from './produce-exchange.ts'
import type { ProducerBatch } from '../batches/producer-batch.ts'
import type { SenderOptions } from './sender-options.ts'

type ProduceAnswer = Response<typeof Produce>

/** A request on its way. */
interface Exchange {
  readonly link: BrokerLink
  readonly batches: readonly ProducerBatch[]
  readonly version: number
  readonly request: RequestInput<typeof Produce>
}

export class Exchanges {
  readonly #options: SenderOptions
  readonly #fates: BatchFates
  /** There is room for another request. */
  readonly #onEnded: () => void

  constructor(options: SenderOptions, fates: BatchFates, onEnded: () => void) {
    this.#options = options
    this.#fates = fates
    this.#onEnded = onEnded
  }

  send(link: BrokerLink, connection: BrokerConnection, batches: readonly ProducerBatch[], nowMs: number): void {
    const { configuration, transactions, metrics } = this.#options
    const options = {
      acks: configuration.acks,
      timeoutMs: configuration.requestTimeoutMs,
      compression: configuration.packing.compression,
      transactionalId: transactions?.transactionalId ?? null,
      isVersion2: transactions?.isVersion2 ?? false,
    }
    for (const batch of batches) {
      batch.attempts++
      batch.sentLeaderEpoch = batch.queue.topic.leaderEpochOf(batch.queue.partition)
      batch.queue.inFlight.push(batch)
    }
    let exchange: Exchange
    try {
      const version = produceVersion(connection.versionOf(Produce), batches, options)
      exchange = { link, batches, version, request: produceRequest(batches, options) }
    } catch (error) {
      for (const batch of batches) this.#fates.notSendable(batch, error as Error)
      return
    }
    metrics.sent(batches, nowMs)
    link.inFlight++
    const { request, version } = exchange
    const answer: Promise<ProduceAnswer | null> =
      configuration.acks === 0
        ? connection.sendUnanswered(Produce, request, { version }).then(() => null)
        : connection.send(Produce, request, { version })
    answer
      .then(
        (answered) => this.#answered(exchange, answered),
        (error: unknown) => this.#unanswered(exchange, connection, error as Error),
      )
      .catch((error: unknown) => this.#options.logger.error('an answer to Produce was not understood', { error }))
  }

  #answered({ link, batches, version, request }: Exchange, answer: ProduceAnswer | null): void {
    const { cluster, metrics } = this.#options
    const nowMs = this.#nowMs()
    link.inFlight--
    this.#onEnded()
    if (answer === null) {
      for (const batch of batches) this.#fates.written(batch, -1n, -1)
      return
    }
    metrics.answered(answer.throttleTimeMs)
    cluster.throttle(link.nodeId, PRODUCE_LANE, answer.throttleTimeMs)
    matchAnswer(batches, { request, answer, version }, (batch, partition) => {
      if (partition === null)
        this.#fates.unanswered(batch, ErrorCode.NETWORK_EXCEPTION, 'the answer left it out', nowMs)
      else if (partition.errorCode === ErrorCode.NONE)
        this.#fates.written(batch, partition.baseOffset, Number(partition.logAppendTimeMs))
      else {
        this.#noteLeader(batch, partition, answer)
        this.#fates.refused(batch, partition, nowMs)
      }
    })
  }

  #unanswered({ link, batches }: Exchange, connection: BrokerConnection, error: Error): void {
    link.inFlight--
    this.#onEnded()
    const code = error instanceof KafkaError ? error.code : null
    // What swallowed this request may swallow the next, and an answer that cannot be read leaves the next ones in doubt.
    if (code === ErrorCode.REQUEST_TIMED_OUT || code === ErrorCode.CORRUPT_MESSAGE)
      void connection[Symbol.asyncDispose]()
    const nowMs = this.#nowMs()
    for (const batch of batches) {
      if (code === null) this.#fates.notSendable(batch, error)
      else {
        const errorCode = code === ErrorCode.CORRUPT_MESSAGE ? ErrorCode.NETWORK_EXCEPTION : code
        this.#fates.unanswered(batch, errorCode, error.message, nowMs)
      }
    }
  }

  /** KIP-951. */
  #noteLeader(batch: ProducerBatch, { errorCode, currentLeader }: PartitionAnswer, answer: ProduceAnswer): void {
    if (errorCode !== ErrorCode.NOT_LEADER_OR_FOLLOWER && errorCode !== ErrorCode.FENCED_LEADER_EPOCH) return
    if (currentLeader.leaderId < 0 || currentLeader.leaderEpoch < 0) return
    const { topic, partition } = batch.queue
    const endpoints = answer.nodeEndpoints.map(({ nodeId, host, port, rack }) => ({ id: nodeId, host, port, rack }))
    this.#options.cluster.metadata.leaderMoved({ topic: topic.name, partition, ...currentLeader }, endpoints)
  }

  #nowMs(): number {
    return this.#options.cluster.world.clock.monotonicMs()
  }
}
