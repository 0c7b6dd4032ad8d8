/** What becomes of a batch after it was sent, or given up: delivered, split, sent again, or failed. */
import { ErrorCode, errorName, isRetriable, KafkaError } from '@millrace/protocol'
import { backoffMs } from '../../cluster/backoff.ts'
import type { PartitionAnswer } from './produce-exchange.ts'
import { expired, type ProducerBatch } from '../batches/producer-batch.ts'
import { refusal, refusedRecords } from './refusal.ts'
import type { SenderOptions } from './sender-options.ts'

/** Errors after which the metadata are to be asked for again. */
const staleMetadata = new Set<number>([
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.REPLICA_NOT_AVAILABLE,
  ErrorCode.NETWORK_EXCEPTION,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.LISTENER_NOT_FOUND,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.INCONSISTENT_TOPIC_ID,
])

const noDetail: Omit<PartitionAnswer, 'errorCode' | 'errorMessage'> = {
  index: -1,
  baseOffset: -1n,
  logAppendTimeMs: -1n,
  logStartOffset: -1n,
  recordErrors: [],
  currentLeader: { leaderId: -1, leaderEpoch: -1 },
}

export class BatchFates {
  readonly #options: SenderOptions
  /** The sender has to look again. */
  readonly #wake: () => void

  constructor(options: SenderOptions, wake: () => void) {
    this.#options = options
    this.#wake = wake
  }

  /** The records are written, the first at `baseOffset` (-1n: not told). */
  written(batch: ProducerBatch, baseOffset: bigint, logAppendTimeMs: number): void {
    const { identity, accumulator, metrics } = this.#options
    arrived(batch)
    if (!batch.isSettled) metrics.acknowledged(batch, baseOffset)
    if (batch.baseSequence >= 0) identity?.acked(batch.queue, batch, baseOffset)
    accumulator.deliver(batch, baseOffset, logAppendTimeMs)
  }

  /** There was no answer, as `errorCode` says. */
  unanswered(batch: ProducerBatch, errorCode: number, errorMessage: string, nowMs: number): void {
    this.refused(batch, { ...noDetail, errorCode, errorMessage }, nowMs)
  }

  /** An answer with an error: the batch is split, sent again, or failed. */
  refused(batch: ProducerBatch, answer: PartitionAnswer, nowMs: number): void {
    const { identity, configuration, cluster } = this.#options
    const { queue } = batch
    const { errorCode } = answer
    arrived(batch)
    if (staleMetadata.has(errorCode)) cluster.metadata.refreshSoon()
    if (batch.isSettled) return
    if (errorCode === ErrorCode.MESSAGE_TOO_LARGE && batch.recordsCount > 1) {
      this.#split(batch)
      return
    }
    const hasAttempts =
      batch.attempts <= configuration.retries && nowMs < batch.createdMs + configuration.deliveryTimeoutMs
    if (hasAttempts && (identity === null ? isRetriable(errorCode) : identity.canRetry(queue, batch, answer))) {
      this.#retry(batch, answer, nowMs)
      return
    }
    if (errorCode === ErrorCode.DUPLICATE_SEQUENCE_NUMBER) {
      // It is written, so long ago that the leader does not remember where.
      this.written(batch, -1n, -1)
      return
    }
    // Without attempts left it is not known whether an earlier one was written, and its numbers cannot be given to others.
    if (batch.attempts <= configuration.retries && !isRetriable(errorCode))
      this.#fail(batch, refusal(batch, answer), { errorCode, isRefused: true, answer })
    else this.#giveUp(batch, refusal(batch, answer), answer)
  }

  /** It cannot be put into a request that this broker understands. */
  notSendable(batch: ProducerBatch, error: Error): void {
    arrived(batch)
    this.#fail(batch, error, { errorCode: codeOf(error), isRefused: true })
  }

  /** It is past the delivery time-out. Taken out of its queue already. */
  expired(batch: ProducerBatch, nowMs: number): void {
    this.givenUp(batch, expired(batch, nowMs))
    this.#options.cluster.metadata.refreshSoon()
  }

  /** It is not tried any more, though the leader has not refused it. Taken out of its queue already. */
  givenUp(batch: ProducerBatch, error: Error): void {
    this.#giveUp(batch, error, null)
  }

  #split(batch: ProducerBatch): void {
    const { identity, accumulator, metrics } = this.#options
    identity?.untracked(batch.queue, batch)
    const parts = accumulator.splitAndPutBack(batch)
    if (identity !== null) for (const part of parts) batch.queue.sequences.track(part)
    metrics.split()
  }

  #retry(batch: ProducerBatch, { errorCode, errorMessage }: PartitionAnswer, nowMs: number): void {
    const { accumulator, cluster, configuration, metrics, logger } = this.#options
    const { topic, partition } = batch.queue
    const { attempts } = batch
    logger.debug('a batch is sent again', {
      topic: topic.name,
      partition,
      attempts,
      error: errorName(errorCode),
      message: errorMessage,
    })
    const { retryBackoffMs: initialMs, retryBackoffMaxMs: maxMs } = configuration
    batch.retryAtMs = nowMs + backoffMs(attempts, { initialMs, maxMs, random: cluster.world.random })
    accumulator.putBack(batch)
    metrics.retried(batch)
  }

  #giveUp(batch: ProducerBatch, error: Error, answer: PartitionAnswer | null): void {
    this.#fail(batch, error, { errorCode: answer?.errorCode ?? codeOf(error), isRefused: false, answer })
    if (batch.baseSequence >= 0) this.#options.identity?.becameUnresolved(batch.queue, batch)
  }

  #fail(
    batch: ProducerBatch,
    error: Error,
    {
      errorCode,
      isRefused,
      answer = null,
    }: { readonly errorCode: number; readonly isRefused: boolean; readonly answer?: PartitionAnswer | null },
  ): void {
    if (batch.isSettled) return
    const { identity, transactions, accumulator, metrics, logger } = this.#options
    logger.debug('a batch has failed', { topic: batch.queue.topic.name, partition: batch.queue.partition, error })
    metrics.failed(batch, error)
    transactions?.batchFailed(error)
    if (batch.baseSequence >= 0) identity?.failed(batch.queue, batch, errorCode, isRefused)
    accumulator.fail(batch, error, answer === null ? null : refusedRecords(batch, answer, error))
    this.#wake()
  }
}

/** It is not on its way any more. */
function arrived(batch: ProducerBatch): void {
  const { inFlight } = batch.queue
  const at = inFlight.indexOf(batch)
  if (at >= 0) inFlight.splice(at, 1)
}

function codeOf(error: Error): number {
  return error instanceof KafkaError ? error.code : ErrorCode.UNKNOWN_SERVER_ERROR
}
