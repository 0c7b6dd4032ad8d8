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
  errorName,
  InitProducerId,
  KafkaError,
  TxnOffsetCommit,
  type Api,
  type Response,
} from '@millrace/protocol'
import { backoffMs } from '../cluster/backoff.ts'
import type { Cluster, RequestOf } from '../cluster/cluster.ts'
import type { CoordinatorKind } from '../cluster/destination.ts'
import type { TopicPartitionOffset } from '../record.ts'
import type { PartitionQueue } from './partition-queue.ts'
import { noProducer, type ProducerIdAndEpoch } from './partition-sequences.ts'
import type { GroupMetadata } from './producer.ts'
import type { Identity, SenderTransactions } from './sender.ts'
import { TransactionState, type TransactionPhase } from './transaction-state.ts'
import { verdictOn, type TransactionalRequest, type Verdict } from './transaction-verdict.ts'

/** The first partition of a transaction often comes before the end of the last one is through: worth asking soon. */
const CONCURRENT_TRANSACTIONS_PAUSE_MS = 20
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
  /** Resolves when every record there is now, in a batch or still waiting for one, is settled. */
  readonly recordsSettled: () => Promise<void>
  /** The sender has to look again. */
  readonly wake: () => void
}

interface PendingOperation {
  readonly operation: string
  readonly promise: Promise<void>
}

interface Question<A extends Api> {
  readonly request: TransactionalRequest
  readonly api: A
  readonly coordinator: CoordinatorKind
  readonly key: string
  readonly body: RequestOf<A>
  readonly maxVersion?: number
  /** What the answer as a whole says. */
  readonly codeOf: (answer: Response<A>) => number
}

export class TransactionManager implements SenderTransactions {
  readonly transactionalId: string
  readonly #options: TransactionManagerOptions
  readonly #state: TransactionState
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
  /** A state that is on its way to another, though a caller may have stopped waiting for it. */
  #pending: PendingOperation | null = null
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: TransactionManagerOptions) {
    this.#options = options
    this.transactionalId = options.transactionalId
    this.#state = new TransactionState(options.transactionalId)
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
    if (this.#pending !== null) this.#checkPending('send')
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
    return this.#transition('initTransactions', () => {
      this.#state.checkNoError('initTransactions')
      this.#state.to('initializing', 'initTransactions')
      return this.#inTurn(async () => {
        await this.#acquireId(noProducer)
        this.#noteFeatures(true)
        this.#state.to('ready', 'initTransactions')
      })
    })
  }

  begin(): void {
    this.#checkPending('beginTransaction')
    this.#state.checkNoError('beginTransaction')
    this.#state.to('in transaction', 'beginTransaction')
  }

  async sendOffsets(offsets: readonly TopicPartitionOffset[], group: GroupMetadata): Promise<void> {
    const operation = 'sendOffsetsToTransaction'
    this.#checkPending(operation)
    this.#state.checkInTransaction(operation)
    if (offsets.length === 0) return
    const isVersion2 = this.#isVersion2
    if (isVersion2) this.#isStarted = true
    const sending = this.#inTurn(async () => {
      if (!isVersion2) await this.#addGroup(group.groupId)
      await this.#commitOffsets(offsets, group, isVersion2)
    })
    sending.catch(ignore)
    await this.#within(operation, sending)
  }

  commit(): Promise<void> {
    return this.#complete('commitTransaction', 'committing')
  }

  abort(): Promise<void> {
    return this.#complete('abortTransaction', 'aborting')
  }

  /** Waits until an operation that somebody gave up waiting for is through, whatever became of it. */
  async settlePending(): Promise<void> {
    const pending = this.#pending
    if (pending === null) return
    await this.#within(pending.operation, pending.promise.catch(ignore))
    if (this.#pending === pending) this.#pending = null
  }

  /** Nothing is asked any more; what is under way fails. */
  close(reason: Error): void {
    this.#state.fatal(reason)
    this.#closing.abort(reason)
  }

  #complete(operation: string, phase: 'committing' | 'aborting'): Promise<void> {
    return this.#transition(operation, () => {
      if (phase === 'committing' || this.#state.hasFatalError) this.#state.checkNoError(operation)
      this.#state.to(phase, operation)
      if (phase === 'aborting') this.#newPartitions.clear()
      // It ends by the protocol that it began with.
      const isVersion2 = this.#isVersion2
      this.#noteFeatures(false)
      this.#options.wake()
      return this.#end(operation, phase === 'committing', isVersion2)
    })
  }

  async #end(operation: string, isCommit: boolean, isVersion2: boolean): Promise<void> {
    await this.#options.recordsSettled()
    await this.#inTurn(async () => {
      this.#state.checkNoError(operation)
      if (this.#isStarted) await this.#endTransaction(isCommit, isVersion2)
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
    const { producerId, producerEpoch } = await this.#ask({
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

  async #endTransaction(isCommit: boolean, isVersion2: boolean): Promise<void> {
    const { identity } = this.#options
    const answer = await this.#ask({
      request: isCommit ? 'EndTxn (commit)' : 'EndTxn (abort)',
      api: EndTxn,
      coordinator: 'transaction',
      key: this.transactionalId,
      body: { ...this.#producer(), committed: isCommit },
      ...(isVersion2 ? {} : { maxVersion: CLASSIC.endTxn }),
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
    await this.#ask({
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
    // It is needed next. Asked for first it makes the broker create the topic of groups, without which ours refuses to add one of them.
    await this.#options.cluster.coordinator('group', groupId, this.#closing.signal).catch(ignore)
    await this.#ask({
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
    await this.#ask({
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

  /** Asks until the answer is final. @throws what the answer means, of which the state knows then. */
  async #ask<A extends Api>(question: Question<A>): Promise<Response<A>> {
    const { cluster } = this.#options
    const { request, api, coordinator, key, body, maxVersion } = question
    using _awake = cluster.holdProcess()
    for (let failures = 1; ; failures++) {
      this.#closing.signal.throwIfAborted()
      this.#state.checkNoError(request)
      let code: number
      try {
        const answer = await cluster.send({ coordinatorOf: key, kind: coordinator }, api, body, {
          signal: this.#closing.signal,
          ...(maxVersion === undefined ? {} : { maxVersion }),
        })
        code = question.codeOf(answer)
        if (code === ErrorCode.NONE) return answer
      } catch (error) {
        this.#closing.signal.throwIfAborted()
        if (!(error instanceof KafkaError) || !error.retriable)
          throw this.#conclude(verdictOnFailure(request, error), error as Error)
        code = ErrorCode.NETWORK_EXCEPTION
      }
      const verdict = verdictOn(request, code)
      if (verdict === 'retry elsewhere') cluster.coordinatorLost(coordinator, key)
      else if (verdict !== 'retry') throw this.#conclude(verdict, answerError(question, code, verdict))
      await cluster.world.clock.sleep(this.#pauseMs(code, failures), this.#closing.signal)
    }
  }

  #pauseMs(code: number, failures: number): number {
    const { retryBackoffMs: initialMs, retryBackoffMaxMs: maxMs } = this.#options.cluster.settings
    const pauseMs = backoffMs(failures, { initialMs, maxMs, random: this.#options.cluster.world.random })
    const isFirst = code === ErrorCode.CONCURRENT_TRANSACTIONS && this.#partitions.size === 0
    return isFirst ? Math.min(pauseMs, CONCURRENT_TRANSACTIONS_PAUSE_MS) : pauseMs
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

  /** Begins `operation`, or waits on for it when it was begun before. */
  async #transition(operation: string, start: () => Promise<void>): Promise<void> {
    let pending = this.#pending
    if (pending === null) {
      const promise = start()
      promise.catch(ignore)
      pending = { operation, promise }
      this.#pending = pending
    } else this.#checkPending(operation)
    try {
      await this.#within(operation, pending.promise)
    } finally {
      const isDone = await isSettled(pending.promise)
      if (isDone && this.#pending === pending) this.#pending = null
    }
  }

  /** @throws KafkaError INVALID_TXN_STATE while another operation is not through. */
  #checkPending(operation: string): void {
    const pending = this.#pending
    if (pending === null || pending.operation === operation) return
    throw new KafkaError(
      ErrorCode.INVALID_TXN_STATE,
      `${operation} is not possible now: ${pending.operation} is not through yet; call ${pending.operation} again to wait for it`,
    )
  }

  async #within(operation: string, promise: Promise<void>): Promise<void> {
    const { cluster, maxBlockMs } = this.#options
    using _awake = cluster.holdProcess()
    const timeout = Promise.withResolvers<never>()
    const timer = cluster.world.clock.after(maxBlockMs, () =>
      timeout.reject(
        new KafkaError(
          ErrorCode.REQUEST_TIMED_OUT,
          `${operation} was not through within ${maxBlockMs} ms (maxBlockMs), so its outcome is not known; it goes on, and calling it again waits for it`,
        ),
      ),
    )
    try {
      await Promise.race([promise, timeout.promise])
    } finally {
      timer.cancel()
    }
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

/** The one of the codes that says most: what ends it before what may be repeated, that before what spoils the transaction only. */
function gravest(request: TransactionalRequest, codes: readonly number[]): number {
  const rank: Readonly<Record<Verdict, number>> = {
    fenced: 0,
    fatal: 1,
    'not authorized': 1,
    'abortable with new epoch': 2,
    'retry elsewhere': 3,
    retry: 4,
    abortable: 5,
    done: 6,
  }
  let worst: number = ErrorCode.NONE
  for (const code of codes) {
    const difference = rank[verdictOn(request, code)] - rank[verdictOn(request, worst)]
    // That others were not attempted says less than why.
    if (difference < 0 || (difference === 0 && worst === ErrorCode.OPERATION_NOT_ATTEMPTED)) worst = code
  }
  return worst
}

/** There was no answer, and there will be none: no coordinator for us, no common version, no authentication. */
function verdictOnFailure(request: TransactionalRequest, error: unknown): Verdict {
  const code = error instanceof KafkaError ? error.code : ErrorCode.UNKNOWN_SERVER_ERROR
  if (code === ErrorCode.GROUP_AUTHORIZATION_FAILED || code === ErrorCode.TRANSACTION_ABORTABLE) return 'abortable'
  // Nothing has happened yet, and rights can be granted.
  return request === 'InitProducerId' && code !== ErrorCode.UNSUPPORTED_VERSION ? 'not authorized' : 'fatal'
}

function answerError<A extends Api>(
  { request, key, coordinator }: Question<A>,
  code: number,
  verdict: Verdict,
): KafkaError {
  const subject = coordinator === 'group' ? `group ${key}` : `transactional id ${key}`
  switch (verdict) {
    case 'fenced':
      return new KafkaError(
        ErrorCode.PRODUCER_FENCED,
        `${subject}: another producer has taken it, or the transaction took longer than transactionTimeoutMs; this producer cannot be used any more`,
      )
    case 'not authorized':
      return new KafkaError(
        code,
        `${subject}: this client may not use it; it needs the operation Write on the transactional id`,
      )
    default:
      return new KafkaError(code, `${subject}: ${request} was answered with ${errorName(code)}`)
  }
}

function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const not = Symbol()
  return Promise.race([promise, Promise.resolve(not)]).then(
    (value) => value !== not,
    () => true,
  )
}

function ignore(): void {}
