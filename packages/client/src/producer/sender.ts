/**
 * Sends batches to the leaders of their partitions and draws conclusions from the answers. Runs in passes: something has happened (a record, an
 * answer, a timer, new metadata), so at the end of the turn everything that can go now goes. Source of the rules: Kafka's Sender.
 */
import type { BrokerConnection } from '@millrace/network'
import { ErrorCode, KafkaError, Produce, type RequestInput, type Response } from '@millrace/protocol'
import type { Logger, Timer } from '@millrace/runtime'
import type { Cluster } from '../cluster/cluster.ts'
import type { Accumulator } from './accumulator.ts'
import { acquireProducerId } from './acquire-producer-id.ts'
import { BatchFates } from './batch-fates.ts'
import { BrokerLink } from './broker-link.ts'
import type { ProducerConfiguration } from './configuration.ts'
import type { Intake } from './intake.ts'
import { Packer } from './packer.ts'
import type { PartitionQueue } from './partition-queue.ts'
import { matchAnswer, produceRequest, produceVersion, type PartitionAnswer } from './produce-exchange.ts'
import type { ProducerBatch } from './producer-batch.ts'
import type { ProducerIdentity } from './producer-identity.ts'
import type { ProducerMetrics } from './producer-metrics.ts'
import type { PartitionLoads } from './sticky-partition.ts'
import type { TopicQueues } from './topic-queues.ts'

const LANE = 'requests'

/** What the sender has to know of the transaction under way. */
export interface SenderTransactions {
  readonly transactionalId: string
  /** By the protocol of `transaction.version` 2. */
  readonly isVersion2: boolean
  /** Everything fails with it. */
  readonly fatalError: Error | null
  /** What was not sent yet fails with it: the transaction is to be aborted. */
  readonly abortError: Error | null
  /** It is being committed or aborted: nothing lingers. */
  readonly isCompleting: boolean
  /** Whether records of the partition may go out, as it is part of the transaction. */
  includes(queue: PartitionQueue): boolean
  batchFailed(error: Error): void
  /** Sequence numbers were lost. */
  lostTrack(): void
}

export type Identity = ProducerIdentity<ProducerBatch, PartitionQueue>

export interface SenderOptions {
  readonly cluster: Cluster
  readonly configuration: ProducerConfiguration
  readonly accumulator: Accumulator
  /** Null: not idempotent. */
  readonly identity: Identity | null
  readonly transactions: SenderTransactions | null
  readonly metrics: ProducerMetrics
  readonly logger: Logger
  readonly intake: Intake
}

type ProduceAnswer = Response<typeof Produce>

/** A request on its way. */
interface Exchange {
  readonly link: BrokerLink
  readonly batches: readonly ProducerBatch[]
  readonly version: number
  readonly request: RequestInput<typeof Produce>
}

export class Sender implements AsyncDisposable {
  readonly #options: SenderOptions
  readonly #links = new Map<number, BrokerLink>()
  readonly #onChange: Disposable
  readonly #fates: BatchFates
  readonly #packer: Packer
  /** Keeps order without sequence numbers: a partition has one request on its way. */
  readonly #isOrderedByWaiting: boolean
  #isPassDue = false
  #timer: Timer | null = null
  #timerAtMs = Infinity
  #isAcquiringId = false
  #hold: Disposable | null = null
  #isClosed = false
  /** Nothing lingers any more. */
  isClosing = false

  constructor(options: SenderOptions) {
    this.#options = options
    const { configuration, cluster, identity, accumulator, logger } = options
    this.#fates = new BatchFates(options, () => this.wake())
    this.#packer = new Packer({
      packing: configuration.packing,
      logger,
      onDone: () => this.wake(),
      onFailed: (batch, error) => {
        accumulator.remove(batch)
        this.#fates.givenUp(batch, error)
      },
    })
    this.#isOrderedByWaiting = identity === null && configuration.maxInFlightRequestsPerConnection === 1
    this.#onChange = cluster.metadata.onChange(() => this.wake())
  }

  /** Something has happened: there will be a pass at the end of the turn. */
  wake(): void {
    if (this.#isPassDue || this.#isClosed) return
    this.#isPassDue = true
    this.#options.cluster.world.clock.endOfTurn(this.#runPass)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#onChange[Symbol.dispose]()
    this.#hold?.[Symbol.dispose]()
    this.#hold = null
    await this.#packer[Symbol.asyncDispose]()
  }

  readonly #runPass = (): void => {
    this.#isPassDue = false
    if (!this.#isClosed) this.#pass()
  }

  #pass(): void {
    const { accumulator } = this.#options
    const nowMs = this.#nowMs()
    if (!this.#prepare()) return
    for (const batch of accumulator.takeExpired(nowMs)) this.#fates.expired(batch, nowMs)
    const dueMs = this.#findCandidates(nowMs)
    for (const link of this.#links.values()) if (link.isReady) this.#serve(link, nowMs)
    this.#holdProcess(accumulator.waitingQueues.size > 0)
    this.#wakeAt(Math.min(dueMs, accumulator.nextExpiryMs), nowMs)
  }

  /** What comes before sending: sequence numbers, the state of the transaction. False: nothing may be sent. */
  #prepare(): boolean {
    const { identity, transactions, accumulator, intake } = this.#options
    if (identity === null) return true
    if (identity.hasUnresolved && identity.resolve()) transactions?.lostTrack()
    if (transactions === null) {
      identity.bumpIfNeeded()
      if (!identity.hasId && accumulator.waitingQueues.size > 0 && !this.#isAcquiringId) void this.#acquireId(identity)
      return true
    }
    const { fatalError, abortError } = transactions
    const error = fatalError ?? abortError
    // Memory that becomes free must not let in more of the lost transaction.
    if (error !== null) intake.refuseAll(error)
    if (fatalError !== null) {
      accumulator.failAll(fatalError)
      this.#holdProcess(false)
      return false
    }
    if (abortError !== null) accumulator.failUnsent(abortError)
    return true
  }

  /** Gives each broker the queues it could be sent. Returns when, on the monotonic clock, more become ready by time alone. */
  #findCandidates(nowMs: number): number {
    const { accumulator, configuration, cluster } = this.#options
    for (const link of this.#links.values()) link.reset()
    const nothingLingers =
      this.isClosing ||
      accumulator.isFlushing ||
      this.#options.transactions?.isCompleting === true ||
      this.#options.intake.isMemoryExhausted
    let dueMs = Infinity
    for (const queue of accumulator.waitingQueues) {
      const batch = queue.first!
      const leaderId = queue.topic.leaderOf(queue.partition)
      // One that is not among the brokers cannot be connected to.
      if (!cluster.metadata.image.brokers.has(leaderId)) {
        cluster.metadata.refreshSoon()
        continue
      }
      if (this.#isOrderedByWaiting && queue.inFlight.length > 0) continue
      if (batch.attempts > 0 && batch.retryAtMs > nowMs && !hasNewLeader(batch)) {
        dueMs = Math.min(dueMs, batch.retryAtMs)
        continue
      }
      const link = this.#link(leaderId)
      link.candidates.push(queue)
      const lingersUntilMs = batch.createdMs + configuration.lingerMs
      if (nothingLingers || batch.attempts > 0 || batch.isFull || queue.waitingCount > 1 || lingersUntilMs <= nowMs)
        link.isReady = true
      else dueMs = Math.min(dueMs, lingersUntilMs)
    }
    return dueMs
  }

  /** Sends as many requests as may be on their way, or asks for the connection. */
  #serve(link: BrokerLink, nowMs: number): void {
    const { cluster, configuration } = this.#options
    const connection = cluster.openConnection(link.nodeId, LANE)
    if (connection === null) {
      link.stalledSinceMs ??= nowMs
      if (!link.isConnecting) void this.#connect(link)
      return
    }
    while (link.inFlight < configuration.maxInFlightRequestsPerConnection) {
      const batches = this.#drain(link)
      if (batches.length === 0) break
      link.stalledSinceMs = null
      this.#send(link, connection, batches, nowMs)
      if (!link.candidates.some(isReadyAgain)) return
    }
    if (link.inFlight >= configuration.maxInFlightRequestsPerConnection) link.stalledSinceMs ??= nowMs
  }

  /** At most one batch of each queue, together up to maxRequestSize, or a single one that is larger. */
  #drain(link: BrokerLink): readonly ProducerBatch[] {
    const { accumulator, configuration, identity, transactions } = this.#options
    const { candidates } = link
    const batches: ProducerBatch[] = []
    let sizeBytes = 0
    const start = link.nextStart % Math.max(1, candidates.length)
    for (let step = 0; step < candidates.length; step++) {
      const at = (start + step) % candidates.length
      const queue = candidates[at]!
      const batch = queue.first
      if (batch === null || (transactions !== null && !transactions.includes(queue))) continue
      if (identity !== null && !identity.mayDrain(queue, batch)) continue
      if (!this.#packer.pack(batch)) continue
      if (batches.length > 0 && sizeBytes + batch.sizeBytes > configuration.maxRequestSize) break
      accumulator.take(queue)
      identity?.drained(queue, batch)
      sizeBytes += batch.sizeBytes
      batches.push(batch)
      link.nextStart = at + 1
    }
    return batches
  }

  #send(link: BrokerLink, connection: BrokerConnection, batches: readonly ProducerBatch[], nowMs: number): void {
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
    this.wake()
    if (answer === null) {
      for (const batch of batches) this.#fates.written(batch, -1n, -1)
      return
    }
    metrics.answered(answer.throttleTimeMs)
    cluster.throttle(link.nodeId, LANE, answer.throttleTimeMs)
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
    this.wake()
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

  async #connect(link: BrokerLink): Promise<void> {
    const { cluster, logger } = this.#options
    link.isConnecting = true
    try {
      await cluster.connection(link.nodeId, LANE, cluster.signal)
    } catch (error) {
      if (error instanceof KafkaError && !error.retriable) this.#failLink(link, error)
      else {
        logger.debug('a leader cannot be reached', { nodeId: link.nodeId, error })
        cluster.metadata.refreshSoon()
      }
    } finally {
      link.isConnecting = false
      this.wake()
    }
  }

  /** The broker does not let us in: waiting would not help. */
  #failLink(link: BrokerLink, error: KafkaError): void {
    const { accumulator } = this.#options
    for (const queue of accumulator.waitingQueues) {
      if (queue.topic.leaderOf(queue.partition) !== link.nodeId) continue
      while (queue.first !== null) this.#fates.givenUp(accumulator.take(queue), error)
    }
  }

  async #acquireId(identity: Identity): Promise<void> {
    const { cluster, accumulator, configuration } = this.#options
    this.#isAcquiringId = true
    try {
      identity.become(await acquireProducerId(cluster, configuration.deliveryTimeoutMs))
    } catch (error) {
      // What waited that long has expired; who comes later has the next attempt.
      if (!(error instanceof KafkaError && error.retriable)) accumulator.failUnsent(error as Error)
    } finally {
      this.#isAcquiringId = false
      this.wake()
    }
  }

  /** How long queues of the topic are where brokers keep up (KIP-794); null before every partition has one. */
  loadsOf({ partitionsCount, queues, leaderOf }: TopicQueues): PartitionLoads | null {
    const { partitionerAvailabilityTimeoutMs: timeoutMs, partitionerAdaptivePartitioningEnable } =
      this.#options.configuration
    if (!partitionerAdaptivePartitioningEnable || queues.length < partitionsCount || queues.includes(undefined))
      return null
    const nowMs = this.#nowMs()
    const partitions: number[] = []
    const queueLengths: number[] = []
    for (let partition = 0; partition < partitionsCount; partition++) {
      const leaderId = leaderOf(partition)
      if (leaderId < 0) continue
      const stalledSinceMs = this.#links.get(leaderId)?.stalledSinceMs ?? null
      if (timeoutMs > 0 && stalledSinceMs !== null && nowMs - stalledSinceMs > timeoutMs) continue
      partitions.push(partition)
      queueLengths.push(queues[partition]!.waitingCount)
    }
    return { partitions, queueLengths }
  }

  #link(nodeId: number): BrokerLink {
    let link = this.#links.get(nodeId)
    if (link === undefined) this.#links.set(nodeId, (link = new BrokerLink(nodeId)))
    return link
  }

  /** While something waits for a timer or a connection only. */
  #holdProcess(isNeeded: boolean): void {
    if (isNeeded) this.#hold ??= this.#options.cluster.holdProcess()
    else {
      this.#hold?.[Symbol.dispose]()
      this.#hold = null
    }
  }

  #wakeAt(atMs: number, nowMs: number): void {
    if (atMs === this.#timerAtMs) return
    // A timer that comes too early costs a pass; setting one for each batch would cost more.
    if (this.#timerAtMs > nowMs && this.#timerAtMs <= atMs && this.#timer !== null) return
    this.#timer?.cancel()
    this.#timer = null
    this.#timerAtMs = atMs
    if (atMs === Infinity) return
    this.#timer = this.#options.cluster.world.clock.after(Math.max(0, atMs - nowMs), () => {
      this.#timer = null
      this.#timerAtMs = Infinity
      this.wake()
    })
  }

  #nowMs(): number {
    return this.#options.cluster.world.clock.monotonicMs()
  }
}

/** Since the batch was last sent. */
function hasNewLeader({ queue, sentLeaderEpoch }: ProducerBatch): boolean {
  return queue.topic.leaderEpochOf(queue.partition) > sentLeaderEpoch
}

/** Whether something in the queue need not linger, after its first batch was taken. */
function isReadyAgain({ first, waitingCount }: PartitionQueue): boolean {
  return first !== null && (waitingCount > 1 || first.isFull || first.attempts > 0)
}
