/**
 * What a transactional producer does and when: gets its id, adds partitions and offsets to the transaction, ends it. One thing is asked of a
 * coordinator at a time, in the order of asking; each is repeated until it is answered for good, so an operation that a caller gave up waiting for goes
 * on, and calling it again waits on. Source: Kafka's TransactionManager.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { checkPlace } from '../../checked-places.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { TopicPartitionOffset } from '../../record.ts'
import type { PartitionQueue } from '../batches/partition-queue.ts'
import type { ProducerMetrics } from '../producer-metrics.ts'
import type { GroupMetadata } from '../producer.ts'
import type { Identity, SenderTransactions } from '../sending/sender-options.ts'
import { CoordinatorRequests } from './coordinator-requests.ts'
import { PendingOperation } from './pending-operation.ts'
import { checkOffsets, groupMetadata, TransactionOffsets } from './transaction-offsets.ts'
import { TransactionPartitions } from './transaction-partitions.ts'
import { TransactionProtocol } from './transaction-protocol.ts'
import { TransactionState, type TransactionPhase } from './transaction-state.ts'
import type { Verdict } from './transaction-verdict.ts'
import { TransactionalIdentity } from './transactional-identity.ts'

const expectedOffsets = 'sendOffsets expects a list of { topic, partition, offset } with a bigint offset'

export interface TransactionManagerOptions {
  readonly cluster: Cluster
  readonly identity: Identity
  readonly transactionalId: string
  readonly transactionTimeoutMs: number
  readonly maxBlockMs: number
  readonly times: ProducerMetrics['transactions']
  /** Resolves when every record there is now, in a batch or still waiting for one, is settled. */
  readonly recordsSettled: () => Promise<void>
  /** The sender has to look again. */
  readonly wake: () => void
}

/** Invariant: what belongs to a transaction (partitions, offsets, the protocol it goes by) is kept from its beginning until its end was answered. */
export class TransactionManager implements SenderTransactions {
  readonly transactionalId: string
  readonly #options: TransactionManagerOptions
  readonly #state: TransactionState
  readonly #protocol = new TransactionProtocol()
  readonly #pending: PendingOperation
  readonly #identity: TransactionalIdentity
  readonly #partitions: TransactionPartitions
  readonly #offsets: TransactionOffsets
  readonly #closing = new AbortController()
  /** Settles when all that was asked for is through. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: TransactionManagerOptions) {
    const { cluster, transactionalId, maxBlockMs } = options
    this.#options = options
    this.transactionalId = transactionalId
    this.#state = new TransactionState(transactionalId)
    this.#pending = new PendingOperation(cluster, maxBlockMs)
    const { signal } = this.#closing
    const requests = new CoordinatorRequests({
      cluster,
      signal,
      checkNoError: (operation) => this.#state.checkNoError(operation),
      conclude: (verdict, error) => this.#conclude(verdict, error),
      isFirstOfTransaction: () => this.#partitions.isEmpty,
    })
    const protocol = this.#protocol
    const identity = new TransactionalIdentity({ ...options, requests, protocol })
    this.#identity = identity
    this.#partitions = new TransactionPartitions({
      clock: cluster.world.clock,
      protocol,
      identity,
      requests,
      // Whoever waits for the records, or the commit, is told of failures.
      onNew: () => void this.#inTurn(() => this.#addPartitions()).catch(ignore),
    })
    this.#offsets = new TransactionOffsets({ cluster, signal, protocol, identity, requests })
  }

  get phase(): TransactionPhase {
    return this.#state.phase
  }

  get isOpen(): boolean {
    return this.#state.isOpen
  }

  get isVersion2(): boolean {
    return this.#protocol.isVersion2
  }

  get fatalError(): Error | null {
    return this.#state.hasFatalError ? this.#state.error : null
  }

  get abortError(): Error | null {
    if (this.#state.phase === 'abortable error') return this.#state.error
    if (this.#state.phase !== 'aborting') return null
    return new KafkaError(ErrorCode.TRANSACTION_ABORTABLE, 'the transaction was aborted before the record was sent')
  }

  get isCompleting(): boolean {
    return this.#state.isCompleting
  }

  includes(queue: PartitionQueue): boolean {
    return this.#partitions.includes(queue)
  }

  /** @throws KafkaError when no record may be sent now. */
  checkSend(): void {
    this.#pending.check('send')
    this.#state.checkInTransaction('send')
  }

  /** Records were batched for the partition. */
  touched(queue: PartitionQueue): void {
    this.#partitions.touched(queue)
  }

  /** A record of the transaction could not be written. */
  batchFailed(error: Error): void {
    if (!this.#state.isCompleting) this.#protocol.spoilEpoch()
    this.#state.sendFailed(error)
    this.#options.wake()
  }

  lostTrack(): void {
    const error = new KafkaError(
      ErrorCode.TRANSACTION_ABORTABLE,
      'records were given up after they had been sent, so it is not known whether the transaction has them',
    )
    this.#conclude('abortable with new epoch', error)
  }

  /** Gets an id, and ends what an earlier producer with this transactional id has left open. */
  initialize(): Promise<void> {
    const initializing = this.#pending.run('initTransactions', () => {
      this.#state.checkNoError('initTransactions')
      this.#state.to('initializing', 'initTransactions')
      return this.#inTurn(async () => {
        await this.#identity.acquire()
        this.#protocol.begin(this.#options.cluster.features)
        this.#state.to('ready', 'initTransactions')
      })
    })
    return this.#options.times.init.of(initializing)
  }

  begin(): void {
    this.#pending.check('beginTransaction')
    this.#state.checkNoError('beginTransaction')
    this.#state.to('in transaction', 'beginTransaction')
  }

  /** Commits offsets with the transaction. */
  async sendOffsets(offsets: readonly TopicPartitionOffset[], group: GroupMetadata | string): Promise<void> {
    const operation = 'sendOffsetsToTransaction'
    const metadata = groupMetadata(group)
    checkOffsets(offsets)
    const places = offsets.map((one) => ({ ...checkPlace(one, expectedOffsets) }))
    this.#pending.check(operation)
    this.#state.checkInTransaction(operation)
    if (offsets.length === 0) return
    const sending = this.#inTurn(() => this.#offsets.send(places, metadata))
    sending.catch(ignore)
    await this.#options.times.sendOffsets.of(this.#pending.within(operation, sending))
  }

  commit(): Promise<void> {
    const operation = 'commitTransaction'
    const committing = this.#pending.run(operation, () => {
      this.#state.checkNoError(operation)
      this.#state.to('committing', operation)
      return this.#end(operation, 'commit')
    })
    return this.#options.times.commit.of(committing)
  }

  abort(): Promise<void> {
    const operation = 'abortTransaction'
    const aborting = this.#pending.run(operation, () => {
      if (this.#state.hasFatalError) this.#state.checkNoError(operation)
      this.#state.to('aborting', operation)
      this.#partitions.dropNew()
      return this.#end(operation, 'abort')
    })
    return this.#options.times.abort.of(aborting)
  }

  /** Waits until an operation that somebody gave up waiting for is through, whatever became of it. */
  settlePending(): Promise<void> {
    return this.#pending.settled()
  }

  /** Nothing is asked any more; what is under way fails. */
  close(reason: Error): void {
    this.#state.fatal(reason)
    this.#closing.abort(reason)
  }

  async #end(operation: string, outcome: 'commit' | 'abort'): Promise<void> {
    const { cluster, identity, recordsSettled, wake } = this.#options
    wake()
    await recordsSettled()
    await this.#inTurn(async () => {
      this.#state.checkNoError(operation)
      if (!this.#partitions.isEmpty || !this.#offsets.isEmpty) await this.#identity.endTransaction(outcome)
      this.#partitions.clear()
      this.#offsets.clear()
      // It has no id when the coordinator gave it an abortable error instead.
      if (this.#protocol.transactionEnded(cluster.features) || !identity.hasId) {
        this.#state.to('initializing', operation)
        await this.#identity.renew()
      }
      this.#state.to('ready', operation)
    })
  }

  async #addPartitions(): Promise<void> {
    if (this.#state.phase === 'aborting') this.#partitions.dropNew()
    else if (await this.#partitions.add()) this.#options.wake()
  }

  /** Lets the state know, and the sender. Returns the error. */
  #conclude(verdict: Verdict, error: Error): Error {
    switch (verdict) {
      case 'abortable with new epoch':
        if (this.#protocol.givesNewEpochs) {
          this.#protocol.spoilEpoch()
          this.#state.abortable(error)
        } else this.#state.fatal(error)
        break
      case 'abortable':
        this.#state.abortable(error)
        break
      case 'not authorized':
        if (this.#state.phase === 'initializing') this.#state.to('uninitialized', 'initTransactions')
        break
      default:
        this.#state.fatal(error)
    }
    this.#options.wake()
    return error
  }

  /** Runs `work` when what was asked for before is through. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(ignore)
    return turn
  }
}

function ignore(): void {}
