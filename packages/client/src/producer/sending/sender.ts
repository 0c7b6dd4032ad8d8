/**
 * Sends batches to the leaders of their partitions and draws conclusions from the answers. Runs in passes: something has happened (a record, an
 * answer, a timer, new metadata), so at the end of the turn everything that can go now goes. Source of the rules: Kafka's Sender.
 */
import { KafkaError } from '@millrace/protocol'
import { acquireProducerId } from '../identity/acquire-producer-id.ts'
import { BatchFates } from './batch-fates.ts'
import { PRODUCE_LANE, type BrokerLink } from './broker-link.ts'
import { BrokerLinks } from './broker-links.ts'
import { Exchanges } from './exchanges.ts'
import { Packer } from './packer.ts'
import type { PartitionQueue } from '../batches/partition-queue.ts'
import { WakeTimer } from '../../wake-timer.ts'
import type { ProducerBatch } from '../batches/producer-batch.ts'
import type { Identity, SenderOptions } from './sender-options.ts'
import type { PartitionLoads } from '../partitioning/sticky-partition.ts'
import type { TopicQueues } from '../batches/topic-queues.ts'

export class Sender implements AsyncDisposable {
  readonly #options: SenderOptions
  readonly #links: BrokerLinks
  readonly #onChange: Disposable
  readonly #fates: BatchFates
  readonly #exchanges: Exchanges
  readonly #packer: Packer
  readonly #timer: WakeTimer
  #isPassDue = false
  #isAcquiringId = false
  #hold: Disposable | null = null
  #isClosed = false
  /** Nothing lingers any more. */
  isClosing = false

  constructor(options: SenderOptions) {
    this.#options = options
    const { configuration, cluster, identity, accumulator, logger } = options
    const wake = (): void => this.wake()
    this.#links = new BrokerLinks({ cluster, configuration, isIdempotent: identity !== null })
    this.#fates = new BatchFates(options, wake)
    this.#exchanges = new Exchanges(options, this.#fates, wake)
    this.#timer = new WakeTimer(cluster.world.clock, wake)
    this.#packer = new Packer({
      packing: configuration.packing,
      logger,
      onDone: wake,
      onFailed: (batch, error) => {
        accumulator.remove(batch)
        this.#fates.givenUp(batch, error)
      },
    })
    this.#onChange = cluster.metadata.onChange(wake)
  }

  /** Something has happened: there will be a pass at the end of the turn. */
  wake(): void {
    if (this.#isPassDue || this.#isClosed) return
    this.#isPassDue = true
    this.#options.cluster.world.clock.endOfTurn(this.#runPass)
  }

  /** How long queues of the topic are where brokers keep up (KIP-794); null before every partition has one. */
  loadsOf(topic: TopicQueues): PartitionLoads | null {
    return this.#links.loadsOf(topic)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#timer.cancel()
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
    const dueMs = this.#links.findCandidates(accumulator.waitingQueues, this.#nothingLingers, nowMs)
    for (const link of this.#links.all()) if (link.isReady) this.#serve(link, nowMs)
    this.#holdProcess(accumulator.waitingQueues.size > 0)
    // A timer of before that comes too early costs a pass; setting one for each batch would cost more.
    this.#timer.at(Math.min(dueMs, accumulator.nextExpiryMs))
  }

  get #nothingLingers(): boolean {
    const { accumulator, transactions, intake } = this.#options
    return this.isClosing || accumulator.isFlushing || transactions?.isCompleting === true || intake.isMemoryExhausted
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

  /** Sends as many requests as may be on their way, or asks for the connection. */
  #serve(link: BrokerLink, nowMs: number): void {
    const { cluster, configuration } = this.#options
    const connection = cluster.openConnection(link.nodeId, PRODUCE_LANE)
    if (connection === null) {
      link.stalledSinceMs ??= nowMs
      if (!link.isConnecting) void this.#connect(link)
      return
    }
    while (link.inFlight < configuration.maxInFlightRequestsPerConnection) {
      const batches = this.#drain(link)
      if (batches.length === 0) break
      link.stalledSinceMs = null
      this.#exchanges.send(link, connection, batches, nowMs)
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

  async #connect(link: BrokerLink): Promise<void> {
    const { cluster, logger } = this.#options
    link.isConnecting = true
    try {
      await cluster.connection(link.nodeId, PRODUCE_LANE, cluster.signal)
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
    const lost: ProducerBatch[] = []
    for (const queue of accumulator.waitingQueues) {
      if (queue.topic.leaderOf(queue.partition) !== link.nodeId) continue
      while (queue.first !== null) lost.push(accumulator.take(queue))
    }
    // Once all are out: who is told may send again at once, and would be told again at once.
    for (const batch of lost) this.#fates.givenUp(batch, error)
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

  /** While something waits for a timer or a connection only. */
  #holdProcess(isNeeded: boolean): void {
    if (isNeeded) this.#hold ??= this.#options.cluster.holdProcess()
    else {
      this.#hold?.[Symbol.dispose]()
      this.#hold = null
    }
  }

  #nowMs(): number {
    return this.#options.cluster.world.clock.monotonicMs()
  }
}

/** Whether something in the queue need not linger, after its first batch was taken. */
function isReadyAgain({ first, waitingCount }: PartitionQueue): boolean {
  return first !== null && (waitingCount > 1 || first.isFull || first.attempts > 0)
}
