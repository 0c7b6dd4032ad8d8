/**
 * The markers of prepared transactions on their way to the leaders of the partitions.
 *
 * A transaction is finished only when each of its partitions has the marker. Whatever else happens is tried again, without end: no leader, a
 * leader that is not ready, a broker that cannot be reached. Only a partition whose topic is gone from the metadata, so that nobody can read
 * it any more, needs none. (Kafka 4.3.1 also leaves out partitions without a leader, and so tears transactions apart when its single node
 * loads the coordinator before its partitions have leaders again.)
 */
import { ErrorCode, errorName } from '@millrace/protocol'
import type { Clock, Logger, Timer } from '@millrace/runtime'
import type { MetadataImage } from '../../metadata/image.ts'
import type { TransactionMarker } from '../runtime/shard-host.ts'
import type { MarkerWriter } from './marker-writer.ts'
import type { TopicPartition } from './partition-set.ts'
import type { Transaction } from './transaction.ts'

export interface MarkerDeliveriesOptions {
  readonly writer: MarkerWriter
  readonly clock: Clock
  readonly logger: Logger
  readonly image: () => MetadataImage
  readonly coordinatorEpoch: () => number
  /** Every partition has its marker: completes the transaction. Tried again when it rejects. */
  readonly complete: (transaction: Transaction) => Promise<void>
}

const firstRetryMs = 20
const longestRetryMs = 2000

export class MarkerDeliveries {
  readonly #options: MarkerDeliveriesOptions
  readonly #byId = new Map<string, Delivery>()
  #isStopped = false

  constructor(options: MarkerDeliveriesOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#byId.size
  }

  /** Of a prepared transaction, once that is committed. */
  begin(transaction: Transaction): void {
    if (this.#isStopped) return
    const { transactionalId } = transaction
    this.#byId.get(transactionalId)?.stop()
    const delivery = new Delivery(transaction, this.#options, () => this.#byId.delete(transactionalId))
    this.#byId.set(transactionalId, delivery)
    delivery.start()
  }

  /** Partitions that have no marker yet; null when none is under way. */
  missing(transactionalId: string): readonly TopicPartition[] | null {
    return this.#byId.get(transactionalId)?.missing ?? null
  }

  /** There may be leaders now where there were none. */
  hurry(): void {
    for (const delivery of this.#byId.values()) delivery.hurry()
  }

  stop(): void {
    this.#isStopped = true
    for (const delivery of this.#byId.values()) delivery.stop()
    this.#byId.clear()
  }
}

class Delivery {
  readonly #transaction: Transaction
  readonly #options: MarkerDeliveriesOptions
  readonly #onCompleted: () => void
  missing: readonly TopicPartition[]
  #timer: Timer | null = null
  #retryMs = firstRetryMs
  #isStopped = false
  #hasTold = false
  /** Refusals of markers told in the log already. */
  readonly #told = new Set<number>()

  constructor(transaction: Transaction, options: MarkerDeliveriesOptions, onCompleted: () => void) {
    this.#transaction = transaction
    this.#options = options
    this.#onCompleted = onCompleted
    this.missing = [...transaction.partitions]
  }

  start(): void {
    void this.#attempt()
  }

  hurry(): void {
    if (this.#timer === null) return
    this.#timer.cancel()
    this.#timer = null
    this.#retryMs = firstRetryMs
    void this.#attempt()
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    this.#timer = null
  }

  /** One at a time: the next is begun by this one's timer only. */
  async #attempt(): Promise<void> {
    try {
      await this.#writeMissing()
      if (this.#isStopped) return
      if (this.missing.length === 0) {
        await this.#options.complete(this.#transaction)
        if (this.#isStopped) return
        this.#onCompleted()
        this.stop()
        return
      }
    } catch (error) {
      if (this.#isStopped) return
      if (!this.#hasTold) {
        const { transactionalId } = this.#transaction
        this.#options.logger.warn('a transaction cannot be completed yet; it will be tried again', {
          transactionalId,
          error,
        })
      }
      this.#hasTold = true
    }
    this.#timer = this.#options.clock.after(this.#retryMs, () => {
      this.#timer = null
      void this.#attempt()
    })
    this.#retryMs = Math.min(2 * this.#retryMs, longestRetryMs)
  }

  async #writeMissing(): Promise<void> {
    const { writer } = this.#options
    const image = this.#options.image()
    const byLeader = new Map<number, TopicPartition[]>()
    const stillMissing: TopicPartition[] = []
    for (const one of this.missing) {
      if (this.#isDeleted(one, image)) continue
      const leader = image.partition(one.topic, one.partition)?.leader ?? -1
      if (leader < 0) {
        stillMissing.push(one)
        continue
      }
      const partitions = byLeader.get(leader)
      if (partitions === undefined) byLeader.set(leader, [one])
      else partitions.push(one)
    }
    const marker = this.#marker()
    await Promise.all(
      Array.from(byLeader, async ([leader, partitions]) => {
        const errorCodes = await writer.write(leader, marker, partitions)
        for (const [at, errorCode] of errorCodes.entries()) {
          if (isWritten(errorCode)) continue
          stillMissing.push(partitions[at]!)
          this.#tell(errorCode, partitions[at]!)
        }
      }),
    )
    this.missing = stillMissing
  }

  /** An image of version 0 knows nothing, so that something is not in it says nothing. */
  #isDeleted({ topic, partition }: TopicPartition, image: MetadataImage): boolean {
    if (image.version === 0 || image.partition(topic, partition) !== undefined) return false
    const { transactionalId } = this.#transaction
    this.#options.logger.info('a partition of a transaction is deleted and needs no marker', {
      transactionalId,
      topic,
      partition,
    })
    return true
  }

  #marker(): TransactionMarker {
    const { producerId, producerEpoch, state, clientVersion } = this.#transaction
    return {
      producerId,
      producerEpoch,
      result: state === 'PrepareCommit' ? 'COMMIT' : 'ABORT',
      coordinatorEpoch: this.#options.coordinatorEpoch(),
      transactionVersion: clientVersion,
    }
  }

  #tell(errorCode: number, { topic, partition }: TopicPartition): void {
    if (expected.has(errorCode) || this.#told.has(errorCode)) return
    this.#told.add(errorCode)
    const { transactionalId, producerId, producerEpoch } = this.#transaction
    this.#options.logger.warn('a marker was refused and will be tried again', {
      error: errorName(errorCode),
      transactionalId,
      producerId,
      producerEpoch,
      topic,
      partition,
    })
  }
}

/** What the high watermark has passed stays, however few replicas are in sync by now. */
function isWritten(errorCode: number): boolean {
  return errorCode === ErrorCode.NONE || errorCode === ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
}

/** While leaders change. */
const expected: ReadonlySet<number> = new Set([
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.REQUEST_TIMED_OUT,
])
