/**
 * Carries out what a transactional producer does with its coordinators: getting an id, adding partitions and offsets to the transaction, ending
 * it. One request is on its way at a time, in the order of asking; each is repeated until it is answered for good, so an operation that a caller
 * gave up waiting for goes on, and calling it again waits on. Source: Kafka's TransactionManager.
 *
 * By the protocol of `transaction.version` 2 (KIP-890) partitions and offsets need not be added: Produce and TxnOffsetCommit do that, and
 * each end of a transaction brings a new epoch.
 */
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  EndTxn,
  ErrorCode,
  InitProducerId,
  KafkaError,
  TxnOffsetCommit,
} from '@millrace/protocol'
import type { Cluster } from '../cluster/cluster.ts'
import type { TopicPartitionOffset } from '../record.ts'
import { CoordinatorRequests } from './coordinator-requests.ts'
import type { PartitionQueue } from './partition-queue.ts'
import { noProducer, type ProducerIdAndEpoch } from './partition-sequences.ts'
import { PendingOperation } from './pending-operation.ts'
import type { ProducerMetrics } from './producer-metrics.ts'
import type { GroupMetadata } from './producer.ts'
import type { Identity, SenderTransactions } from './sender-options.ts'
import { TransactionState, type TransactionPhase } from './transaction-state.ts'
import { gravest, type Verdict } from './transaction-verdict.ts'

/** Of `transaction.version`. */
const IMPLICIT_PARTITIONS_SINCE = 2
/** Newest versions that mean the protocol before it. */
const CLASSIC = { addPartitions: 3, endTxn: 4, txnOffsetCommit: 4 } as const
const BUMPS_EPOCH_SINCE = 3
const GROUP_IS_CHECKED_SINCE = 3

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

export class TransactionManager implements SenderTransactions {
  readonly transactionalId: string
  readonly #options: TransactionManagerOptions
  readonly #state: TransactionState
  readonly #requests: CoordinatorRequests
  readonly #pending: PendingOperation
  /** Those that records may be sent to. */
  readonly #partitions = new Set<PartitionQueue>()
  /** Those still to be added to the transaction. */
  readonly #newPartitions = new Set<PartitionQueue>()
  readonly #closing = new AbortController()
  #isVersion2 = false
  #featuresEpoch = -1n
  /** The coordinator may know of the transaction. */
  #isStarted = false
  #needsNewEpoch = false
  #coordinatorBumpsEpochs = false
  #isAddingDue = false
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: TransactionManagerOptions) {
    this.#options = options
    this.transactionalId = options.transactionalId
    this.#state = new TransactionState(options.transactionalId)
    this.#pending = new PendingOperation(options.cluster, options.maxBlockMs)
    this.#requests = new CoordinatorRequests({
      cluster: options.cluster,
      signal: this.#closing.signal,
      checkNoError: (operation) => this.#state.checkNoError(operation),
      conclude: (verdict, error) => this.#conclude(verdict, error),
      isFirstOfTransaction: () => this.#partitions.size === 0,
    })
  }

  get phase(): TransactionPhase {
    return this.#state.phase
  }

  get isOpen(): boolean {
    return this.#state.isOpen
  }

  get isVersion2(): boolean {
    return this.#isVersion2
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
    return this.#partitions.has(queue)
  }

  /** @throws KafkaError when no record may be sent now. */
  checkSend(): void {
    this.#pending.check('send')
    this.#state.checkInTransaction('send')
  }

  /** Records were batched for the partition. */
  touched(queue: PartitionQueue): void {
    if (this.#isVersion2) {
      this.#partitions.add(queue)
      this.#isStarted = true
      return
    }
    if (this.#partitions.has(queue)) return
    this.#newPartitions.add(queue)
    if (this.#isAddingDue) return
    this.#isAddingDue = true
    this.#options.cluster.world.clock.endOfTurn(() => {
      this.#isAddingDue = false
      // Whoever waits for the records, or the commit, is told.
      void this.#inTurn(() => this.#addPartitions()).catch(ignore)
    })
  }

  /** A record of the transaction could not be written. */
  batchFailed(error: Error): void {
    if (this.#coordinatorBumpsEpochs && !this.#isVersion2 && !this.#state.isCompleting) this.#needsNewEpoch = true
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
        await this.#acquireId(noProducer)
        this.#noteFeatures(true)
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

  async sendOffsets(offsets: readonly TopicPartitionOffset[], group: GroupMetadata): Promise<void> {
    const operation = 'sendOffsetsToTransaction'
    this.#pending.check(operation)
    this.#state.checkInTransaction(operation)
    if (offsets.length === 0) return
    const isVersion2 = this.#isVersion2
    if (isVersion2) this.#isStarted = true
    const sending = this.#inTurn(async () => {
      if (!isVersion2) await this.#addGroup(group.groupId)
      await this.#commitOffsets(offsets, group, isVersion2)
    })
    sending.catch(ignore)
    await this.#options.times.sendOffsets.of(this.#pending.within(operation, sending))
  }

  commit(): Promise<void> {
    return this.#options.times.commit.of(this.#complete('commitTransaction', 'committing'))
  }

  abort(): Promise<void> {
    return this.#options.times.abort.of(this.#complete('abortTransaction', 'aborting'))
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

  #complete(operation: string, phase: 'committing' | 'aborting'): Promise<void> {
    return this.#pending.run(operation, () => {
      if (phase === 'committing' || this.#state.hasFatalError) this.#state.checkNoError(operation)
      this.#state.to(phase, operation)
      if (phase === 'aborting') this.#newPartitions.clear()
      this.#options.wake()
      return this.#end(operation, phase === 'committing')
    })
  }

  async #end(operation: string, isCommit: boolean): Promise<void> {
    await this.#options.recordsSettled()
    await this.#inTurn(async () => {
      this.#state.checkNoError(operation)
      if (this.#isStarted) await this.#endTransaction(isCommit)
      // Not before: a transaction ends by the protocol that it began with.
      this.#noteFeatures(false)
      const needsNewEpoch = this.#needsNewEpoch
      this.#needsNewEpoch = false
      this.#isStarted = false
      this.#partitions.clear()
      this.#newPartitions.clear()
      if (needsNewEpoch) {
        this.#state.to('initializing', operation)
        await this.#acquireId(this.#options.identity.producer)
        this.#options.identity.restartAll()
      }
      this.#state.to('ready', operation)
    })
  }

  async #acquireId(previous: ProducerIdAndEpoch): Promise<void> {
    const { identity, transactionTimeoutMs } = this.#options
    const { producerId, producerEpoch } = await this.#requests.ask({
      request: 'InitProducerId',
      api: InitProducerId,
      coordinator: 'transaction',
      key: this.transactionalId,
      body: (version) => {
        this.#coordinatorBumpsEpochs = version >= BUMPS_EPOCH_SINCE
        const { transactionalId } = this
        return version < BUMPS_EPOCH_SINCE
          ? { transactionalId, transactionTimeoutMs }
          : { transactionalId, transactionTimeoutMs, producerId: previous.id, producerEpoch: previous.epoch }
      },
      codeOf: ({ errorCode }) => errorCode,
    })
    identity.become({ id: producerId, epoch: producerEpoch })
  }

  async #endTransaction(isCommit: boolean): Promise<void> {
    const { identity } = this.#options
    const answer = await this.#requests.ask({
      request: isCommit ? 'EndTxn (commit)' : 'EndTxn (abort)',
      api: EndTxn,
      coordinator: 'transaction',
      key: this.transactionalId,
      body: { ...this.#producer(), committed: isCommit },
      ...(this.#isVersion2 ? {} : { maxVersion: CLASSIC.endTxn }),
      codeOf: ({ errorCode }) => errorCode,
    })
    if (answer.producerId < 0n) return
    identity.become({ id: answer.producerId, epoch: answer.producerEpoch })
    identity.restartAll()
  }

  async #addPartitions(): Promise<void> {
    const adding = [...this.#newPartitions]
    this.#newPartitions.clear()
    if (adding.length === 0 || this.#state.phase === 'aborting') return
    const topics = [...Map.groupBy(adding, ({ topic }) => topic.name)].map(([name, queues]) => ({
      name,
      partitions: queues.map(({ partition }) => partition),
    }))
    const { transactionalId, producerId, producerEpoch } = this.#producer()
    await this.#requests.ask({
      request: 'AddPartitionsToTxn',
      api: AddPartitionsToTxn,
      coordinator: 'transaction',
      key: transactionalId,
      maxVersion: CLASSIC.addPartitions,
      body: {
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: topics,
      },
      codeOf: ({ resultsByTopicV3AndBelow }) =>
        gravest(
          'AddPartitionsToTxn',
          resultsByTopicV3AndBelow.flatMap(({ resultsByPartition }) =>
            resultsByPartition.map(({ partitionErrorCode }) => partitionErrorCode),
          ),
        ),
    })
    for (const queue of adding) this.#partitions.add(queue)
    this.#isStarted = true
    this.#options.wake()
  }

  async #addGroup(groupId: string): Promise<void> {
    // It is needed next. Asked for first it makes the broker create the topic of groups, without which a broker may refuse to add one of them.
    await this.#options.cluster.coordinator('group', groupId, this.#closing.signal).catch(ignore)
    await this.#requests.ask({
      request: 'AddOffsetsToTxn',
      api: AddOffsetsToTxn,
      coordinator: 'transaction',
      key: this.transactionalId,
      body: { ...this.#producer(), groupId },
      codeOf: ({ errorCode }) => errorCode,
    })
    this.#isStarted = true
  }

  async #commitOffsets(
    offsets: readonly TopicPartitionOffset[],
    group: GroupMetadata,
    isVersion2: boolean,
  ): Promise<void> {
    const left = new Map(offsets.map((offset) => [`${offset.topic}-${offset.partition}`, offset]))
    await this.#requests.ask({
      request: 'TxnOffsetCommit',
      api: TxnOffsetCommit,
      coordinator: 'group',
      key: group.groupId,
      ...(isVersion2 ? {} : { maxVersion: CLASSIC.txnOffsetCommit }),
      body: (version) => ({
        ...this.#producer(),
        groupId: group.groupId,
        ...membership(group, version),
        topics: [...Map.groupBy(left.values(), ({ topic }) => topic)].map(([name, ofTopic]) => ({
          name,
          partitions: ofTopic.map(({ partition, offset, leaderEpoch = -1, metadata = '' }) => ({
            partitionIndex: partition,
            committedOffset: offset,
            committedLeaderEpoch: leaderEpoch,
            committedMetadata: metadata,
          })),
        })),
      }),
      codeOf: ({ topics }) => {
        const codes: number[] = []
        for (const { name, partitions } of topics) {
          for (const { partitionIndex, errorCode } of partitions) {
            codes.push(errorCode)
            if (errorCode === ErrorCode.NONE) left.delete(`${name}-${partitionIndex}`)
          }
        }
        const code = gravest('TxnOffsetCommit', codes)
        // An answer that leaves some out is no answer for those.
        return code === ErrorCode.NONE && left.size > 0 ? ErrorCode.COORDINATOR_NOT_AVAILABLE : code
      },
    })
  }

  #producer(): { transactionalId: string; producerId: bigint; producerEpoch: number } {
    const { id, epoch } = this.#options.identity.producer
    return { transactionalId: this.transactionalId, producerId: id, producerEpoch: epoch }
  }

  /** Lets the state know, and the sender. Returns the error. */
  #conclude(verdict: Verdict, error: Error): Error {
    switch (verdict) {
      case 'abortable with new epoch':
        if (!this.#coordinatorBumpsEpochs && !this.#isVersion2) {
          this.#state.fatal(error)
          break
        }
        if (!this.#isVersion2) this.#needsNewEpoch = true
        this.#state.abortable(error)
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

  #noteFeatures(isFirst: boolean): void {
    const { epoch, levels } = this.#options.cluster.features
    if (epoch <= this.#featuresEpoch) return
    this.#featuresEpoch = epoch
    const was = this.#isVersion2
    this.#isVersion2 = (levels.get('transaction.version') ?? 0) >= IMPLICIT_PARTITIONS_SINCE
    // So that nothing late of the old protocol can be taken for part of a transaction of the new one.
    if (!isFirst && !was && this.#isVersion2) this.#needsNewEpoch = true
  }

  /** Runs `work` when what was asked for before is through. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(ignore)
    return turn
  }
}

function membership(
  group: GroupMetadata,
  version: number,
): Record<string, never> | (Omit<GroupMetadata, 'groupId' | 'generationId'> & { generationIdOrMemberEpoch: number }) {
  const { generationId, memberId, groupInstanceId } = group
  if (version >= GROUP_IS_CHECKED_SINCE) return { generationIdOrMemberEpoch: generationId, memberId, groupInstanceId }
  if (memberId === '' && generationId < 0) return {}
  throw new KafkaError(
    ErrorCode.TRANSACTION_ABORTABLE,
    'the broker cannot tell an outdated member of a group (that came with Kafka 2.5); give sendOffsets the group id alone, and each input partition a producer of its own',
  )
}

function ignore(): void {}
