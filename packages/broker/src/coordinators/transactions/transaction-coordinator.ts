/**
 * Coordinates the transactions of the transactional ids that fall on the partitions of `__transaction_state` which this broker leads (KIP-98,
 * KIP-890). Rules are pure functions (init-producer-id.ts, add-partitions.ts, end-transaction.ts); here they meet the log, the time and the
 * producer ids.
 */
import { ErrorCode, KafkaError, transactionStateRecords } from '@millrace/protocol'
import type { Timer } from '@millrace/runtime'
import type { MetadataImage } from '../../metadata/image.ts'
import type { BrokerServices } from '../../server/broker-services.ts'
import { runtimeServices, type Coordinator } from '../coordinator.ts'
import { CoordinatorRuntime } from '../runtime/coordinator-runtime.ts'
import type { ProducerIdentity } from '../runtime/decision.ts'
import { addPartitions, verifyPartitions, type AddRequest, type VerifyRequest } from './add-partitions.ts'
import { endTransaction, fence, type EndRequest } from './end-transaction.ts'
import { initProducerId, type InitRequest } from './init-producer-id.ts'
import type { MarkerWriter } from './marker-writer.ts'
import type { TransactionCoordination } from './partition-verification.ts'
import { TransactionShard, type Rule, type Ruling } from './transaction-shard.ts'
import { completed, type Transaction } from './transaction.ts'
import { become, NEEDS_PRODUCER_ID, refuse } from './verdict.ts'
import { TRANSACTION_STATE_TOPIC } from '../../controller/topic-names.ts'

/** NONE with an identity, or an error with -1n and -1. */
export interface IdentityAnswer extends ProducerIdentity {
  readonly errorCode: number
}

/** No timeout: for two-phase commits, which are not served; but their records may be in the log. */
const neverMs = 0x7fffffff

export class TransactionCoordinator implements Coordinator, TransactionCoordination {
  readonly #services: BrokerServices
  readonly #runtime: CoordinatorRuntime<TransactionShard>
  readonly #timers = new Set<Timer>()
  #isClosed = false

  constructor(services: BrokerServices, writer: MarkerWriter) {
    const { config } = services
    this.#services = services
    this.#runtime = new CoordinatorRuntime({
      ...runtimeServices(services),
      topic: TRANSACTION_STATE_TOPIC,
      plannedPartitions: () => config.get('transaction.state.log.num.partitions'),
      types: transactionStateRecords,
      makeShard: (context) => new TransactionShard(context, writer),
      loadBufferBytes: config.get('transaction.state.log.load.buffer.size'),
      writeTimeoutMs: () => config.get('request.timeout.ms'),
      compression: () => 0,
    })
    this.#repeat(config.get('transaction.abort.timed.out.transaction.cleanup.interval.ms'), (partition) =>
      this.#abortTimedOut(partition),
    )
    this.#repeat(config.get('transaction.remove.expired.transaction.cleanup.interval.ms'), (partition) =>
      this.#expire(partition),
    )
  }

  apply(image: MetadataImage, changedTopics: ReadonlySet<string> | null): void {
    this.#runtime.apply(image, changedTopics)
  }

  directoryFailed(): void {
    this.#runtime.directoryFailed()
  }

  close(): void {
    this.#isClosed = true
    for (const timer of this.#timers) timer.cancel()
    this.#runtime.close()
  }

  /** @throws KafkaError what the client is to be told, as do all of these. */
  async initProducerId(request: InitRequest): Promise<IdentityAnswer> {
    const { timeoutMs, transactionalId } = request
    if (timeoutMs <= 0 || timeoutMs > this.#services.config.get('transaction.max.timeout.ms'))
      return refused(ErrorCode.INVALID_TRANSACTION_TIMEOUT)
    const { errorCode, transaction } = await this.#rule(transactionalId, (current, context) =>
      initProducerId(current, request, context),
    )
    return errorCode === ErrorCode.NONE ? identityOf(errorCode, transaction!) : refused(errorCode)
  }

  async addPartitions(transactionalId: string, request: AddRequest): Promise<number> {
    const { errorCode } = await this.#rule(transactionalId, (current, { nowMs }) =>
      addPartitions(current, request, nowMs),
    )
    return errorCode
  }

  /** An error code for each partition, in their order. */
  async verifyPartitions(transactionalId: string, request: VerifyRequest): Promise<readonly number[]> {
    if (transactionalId === '') return request.partitions.map(() => ErrorCode.INVALID_REQUEST)
    return this.#runtime.read(this.#runtime.partitionOf(transactionalId), (shard) =>
      verifyPartitions(shard.get(transactionalId), request),
    )
  }

  /** The identity is the one to go on with. */
  async endTransaction(transactionalId: string, request: EndRequest): Promise<IdentityAnswer> {
    const { errorCode, transaction } = await this.#rule(transactionalId, (current, context) =>
      endTransaction(current, request, context),
    )
    return errorCode === ErrorCode.NONE && request.clientVersion >= 2
      ? identityOf(errorCode, identityAfter(transaction!))
      : refused(errorCode)
  }

  hasCoordinator(transactionalId: string): boolean {
    const { image } = this.#services.metadata
    const partition = image.partition(TRANSACTION_STATE_TOPIC, this.#runtime.partitionOf(transactionalId))
    return partition !== undefined && image.brokers.get(partition.leader)?.fenced === false
  }

  async completion(transactionalId: string): Promise<void> {
    try {
      await this.#runtime.read(this.#runtime.partitionOf(transactionalId), (shard) => shard.completion(transactionalId))
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
    }
  }

  /** null when the transactional id is not known; `partitions` are those that are still open. */
  describe(transactionalId: string): Promise<Transaction | null> {
    return this.#runtime.read(this.#runtime.partitionOf(transactionalId), (shard) => {
      const transaction = shard.get(transactionalId)
      return transaction === null ? null : shard.asDescribed(transaction)
    })
  }

  /** All transactions that are coordinated here and match. @throws KafkaError COORDINATOR_LOAD_IN_PROGRESS. */
  async list(matches: (transaction: Transaction) => boolean): Promise<Transaction[]> {
    if (this.#runtime.isLoading) throw new KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    const found = await Promise.all(
      this.#runtime.activePartitions.map((partition) =>
        this.#runtime.read(partition, (shard) => Iterator.from(shard.transactions).filter(matches).toArray()),
      ),
    )
    return found.flat()
  }

  async #rule(transactionalId: string, rule: Rule): Promise<Ruling> {
    if (transactionalId === '') return { errorCode: ErrorCode.INVALID_REQUEST, transaction: null }
    let freshProducerId: bigint | null = null
    for (;;) {
      const ruling = await this.#runtime.write(this.#runtime.partitionOf(transactionalId), (shard) =>
        shard.decide(transactionalId, rule, freshProducerId),
      )
      if (ruling !== NEEDS_PRODUCER_ID) return ruling
      freshProducerId = await this.#services.producerIds.next()
    }
  }

  async #abortTimedOut(partition: number): Promise<void> {
    const nowMs = this.#services.clock.now()
    const timedOut = await this.#runtime.read(partition, (shard) =>
      Iterator.from(shard.transactions)
        .filter((transaction) => isTimedOut(transaction, nowMs))
        .toArray(),
    )
    await Promise.all(timedOut.map((transaction) => this.#abort(transaction)))
  }

  async #abort({ transactionalId, producerId, producerEpoch, startMs }: Transaction): Promise<void> {
    const { errorCode } = await this.#rule(transactionalId, (current, context) => {
      const isStill =
        current?.state === 'Ongoing' &&
        current.producerId === producerId &&
        current.producerEpoch === producerEpoch &&
        current.startMs === startMs
      if (!isStill) return refuse(ErrorCode.INVALID_TXN_STATE)
      const fenced = fence(current, context)
      return fenced === NEEDS_PRODUCER_ID ? fenced : become(fenced)
    })
    if (errorCode === ErrorCode.NONE)
      this.#services.logger.info('a transaction took too long and is aborted', { transactionalId, producerId })
  }

  #expire(partition: number): Promise<void> {
    const expirationMs = this.#services.config.get('transactional.id.expiration.ms')
    return this.#runtime.write(partition, (shard) => shard.expire(expirationMs))
  }

  /** For each partition, again and again until closed. What fails is tried again the next time. */
  #repeat(intervalMs: number, run: (partition: number) => Promise<void>): void {
    const timer = this.#services.clock.after(intervalMs, () => {
      this.#timers.delete(timer)
      const runs = this.#runtime.activePartitions.map((partition) =>
        run(partition).catch((error: unknown) => {
          if (error instanceof KafkaError && error.retriable) return
          this.#services.logger.error('looking after transactions has failed', { partition, error })
        }),
      )
      void Promise.all(runs).then(() => {
        if (!this.#isClosed) this.#repeat(intervalMs, run)
      })
    })
    this.#timers.add(timer)
  }
}

function isTimedOut({ state, startMs, timeoutMs }: Transaction, nowMs: number): boolean {
  return state === 'Ongoing' && timeoutMs !== neverMs && startMs + timeoutMs < nowMs
}

/** What its producer has when the markers are written; it is told at once. */
function identityAfter(transaction: Transaction): Transaction {
  return transaction.state === 'PrepareCommit' || transaction.state === 'PrepareAbort'
    ? completed(transaction, transaction.lastUpdateMs)
    : transaction
}

function identityOf(errorCode: number, { producerId, producerEpoch }: ProducerIdentity): IdentityAnswer {
  return { errorCode, producerId, producerEpoch }
}

function refused(errorCode: number): IdentityAnswer {
  return { errorCode, producerId: -1n, producerEpoch: -1 }
}
