/**
 * One replica of one partition on this broker: its role, its log, and who waits for it to move.
 *
 * Invariant: only the leader of the current epoch appends and serves; the high watermark never passes what is written on every
 * in-sync replica.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Appended, PartitionLog, ValidatedBatches, Verification } from '@millrace/storage'
import type { PartitionImage } from '../metadata/image.ts'

/** Somebody who waits until there is more to read, or until the partition is no longer what it was. */
export interface FetchWaiter {
  partitionMoved(partition: Partition): void
}

/** A produce request with acks=all that waits for its records to be replicated. */
interface ReplicationWaiter {
  /** The high watermark that makes it done. */
  readonly offset: bigint
  done(errorCode: number): void
}

export interface PartitionAppend {
  readonly acks: number
  readonly origin: 'client' | 'coordinator'
  /** `transaction.version` a marker was written for. Default 0. */
  readonly transactionVersion?: number
  /** As in `AppendOptions`. */
  readonly verification?: Verification | 'none'
}

export class Partition {
  readonly topic: string
  readonly topicId: string
  readonly index: number
  readonly #nodeId: number
  #image: PartitionImage
  /** null while the directory that holds it is offline. */
  #log: PartitionLog | null
  readonly #fetchWaiters = new Set<FetchWaiter>()
  readonly #replicationWaiters = new Set<ReplicationWaiter>()
  /** Where the log ended when this replica began to lead. */
  #leaderEpochStart = 0n
  /** What those who still hold on to this replica are told since it was removed; NONE before. */
  #retired: number = ErrorCode.NONE

  constructor(options: {
    topic: string
    topicId: string
    index: number
    nodeId: number
    image: PartitionImage
    log: PartitionLog | null
  }) {
    this.topic = options.topic
    this.topicId = options.topicId
    this.index = options.index
    this.#nodeId = options.nodeId
    this.#image = options.image
    this.#log = options.log
    if (this.isLeader) this.#startLeading()
  }

  get isLeader(): boolean {
    return this.#image.leader === this.#nodeId
  }

  get image(): PartitionImage {
    return this.#image
  }

  get leaderEpoch(): number {
    return this.#image.leaderEpoch
  }

  get isOffline(): boolean {
    return this.#log === null
  }

  get name(): string {
    return `${this.topic}-${this.index}`
  }

  /** @throws KafkaError KAFKA_STORAGE_ERROR while its directory is offline. */
  get log(): PartitionLog {
    if (this.#log === null)
      throw new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, `${this.name} is in a log directory that has failed`)
    return this.#log
  }

  /** Takes the role the controller has decided. */
  update(image: PartitionImage): void {
    const before = this.#image
    this.#image = image
    if (this.isLeader && (before.leader !== this.#nodeId || image.leaderEpoch !== before.leaderEpoch))
      this.#startLeading()
    if (!this.isLeader) this.#dismissWaiters(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    this.#advanceHighWatermark()
  }

  /** The log's directory has failed: nothing can be read or written here until a restart. */
  goOffline(): void {
    this.#log = null
    this.#dismissWaiters(ErrorCode.KAFKA_STORAGE_ERROR)
  }

  /** The replica is being removed: its topic is deleted (UNKNOWN_TOPIC_OR_PARTITION) or it goes elsewhere (NOT_LEADER_OR_FOLLOWER). */
  retire(errorCode: number): void {
    this.#retired = errorCode
    this.#dismissWaiters(errorCode)
  }

  /** The log changed places with another one of the same content (a move between directories). */
  replaceLog(log: PartitionLog): void {
    this.#log = log
  }

  /**
   * The log of the leader, for a request that names the leader epoch it knows (-1: none).
   * @throws KafkaError FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR;
   * UNKNOWN_TOPIC_OR_PARTITION when the replica was removed since the caller found it. KIP-320.
   */
  leaderLog(currentLeaderEpoch: number): PartitionLog {
    if (this.#retired !== ErrorCode.NONE)
      throw new KafkaError(this.#retired, `${this.name} was removed from this broker`)
    this.checkEpoch(currentLeaderEpoch)
    if (!this.isLeader)
      throw new KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER, `broker ${this.#nodeId} does not lead ${this.name}`)
    return this.log
  }

  checkEpoch(currentLeaderEpoch: number): void {
    if (currentLeaderEpoch < 0 || currentLeaderEpoch === this.leaderEpoch) return
    if (currentLeaderEpoch < this.leaderEpoch)
      throw new KafkaError(
        ErrorCode.FENCED_LEADER_EPOCH,
        `${this.name} is at leader epoch ${this.leaderEpoch}, the request at ${currentLeaderEpoch}`,
      )
    throw new KafkaError(
      ErrorCode.UNKNOWN_LEADER_EPOCH,
      `the request knows leader epoch ${currentLeaderEpoch} of ${this.name}, this broker only ${this.leaderEpoch}`,
    )
  }

  /** After an election the high watermark may not have caught up with what the leader before had: offsets are then not to be relied on. */
  get isHighWatermarkBehind(): boolean {
    return this.#leaderEpochStart > this.log.highWatermark
  }

  /** The least number of in-sync replicas an acks=all write needs. */
  effectiveMinInsyncReplicas(): number {
    return Math.min(this.log.config.minInsyncReplicas, this.#image.replicas.length)
  }

  /**
   * The log, if a write may go there now. To be asked before the records are looked at, too: what is wrong here comes first.
   * @throws KafkaError as `leaderLog`, and NOT_ENOUGH_REPLICAS for acks -1.
   */
  logToAppendTo(acks: number): PartitionLog {
    const log = this.leaderLog(-1)
    if (acks === -1 && this.#image.isr.length < this.effectiveMinInsyncReplicas())
      throw new KafkaError(
        ErrorCode.NOT_ENOUGH_REPLICAS,
        `${this.name} has ${this.#image.isr.length} in-sync replicas, ${this.effectiveMinInsyncReplicas()} are needed`,
      )
    return log
  }

  /**
   * Appends as the leader. `onWritten` is called once, when the bytes are written here or could not be: until then they must not
   * change. Records of acks=all are safe only after `whenReplicated`.
   * @throws KafkaError NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS, and what the log refuses; `onWritten` is then not called.
   */
  append(batches: ValidatedBatches, options: PartitionAppend, onWritten: (errorCode: number) => void): Appended {
    const { acks, ...rest } = options
    const log = this.logToAppendTo(acks)
    return log.append(batches, { leaderEpoch: this.leaderEpoch, ...rest }, (error) => {
      if (error === null) this.#advanceHighWatermark()
      if (error === null) onWritten(ErrorCode.NONE)
      else onWritten(this.#retired === ErrorCode.NONE ? ErrorCode.KAFKA_STORAGE_ERROR : this.#retired)
    })
  }

  /**
   * Calls `done` once every in-sync replica has the records below `offset`: with NONE, NOT_ENOUGH_REPLICAS_AFTER_APPEND when too few
   * are in sync by then, or another error when this replica stops leading. Returns how to wait no longer; null when `done` was called already.
   */
  whenReplicated(offset: bigint, done: (errorCode: number) => void): (() => void) | null {
    const log = this.#log
    if (this.#retired !== ErrorCode.NONE) done(this.#retired)
    else if (log === null) done(ErrorCode.KAFKA_STORAGE_ERROR)
    else if (!this.isLeader) done(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    else if (log.highWatermark >= offset) done(this.#afterReplication())
    else {
      const waiter = { offset, done }
      this.#replicationWaiters.add(waiter)
      return () => this.#replicationWaiters.delete(waiter)
    }
    return null
  }

  addFetchWaiter(waiter: FetchWaiter): void {
    this.#fetchWaiters.add(waiter)
  }

  removeFetchWaiter(waiter: FetchWaiter): void {
    this.#fetchWaiters.delete(waiter)
  }

  /** After the log start offset moved (DeleteRecords): fetches below it have to be told. */
  logStartMoved(): void {
    this.#wakeFetches()
  }

  #startLeading(): void {
    const log = this.#log
    if (log === null) return
    log.leaderEpochs.assign(this.leaderEpoch, log.logEndOffset)
    this.#leaderEpochStart = log.logEndOffset
    this.#advanceHighWatermark()
  }

  /** Moves the high watermark up to what every in-sync replica has. With this replica alone in sync that is what is settled here. */
  #advanceHighWatermark(): void {
    const log = this.#log
    if (log === null || !this.isLeader) return
    if (this.#image.isr.some((replica) => replica !== this.#nodeId)) return
    if (this.#image.isr.length < this.effectiveMinInsyncReplicas()) return
    const before = log.highWatermark
    const { settledEndOffset } = log
    const after = log.setHighWatermark(settledEndOffset > before ? settledEndOffset : before)
    if (after === before) return
    this.#wakeReplicated(after)
    this.#wakeFetches()
  }

  /** Records are on all in-sync replicas; too few of these is still worth telling. */
  #afterReplication(): number {
    return this.#image.isr.length < this.effectiveMinInsyncReplicas()
      ? ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
      : ErrorCode.NONE
  }

  #wakeReplicated(highWatermark: bigint): void {
    if (this.#replicationWaiters.size === 0) return
    const ready = [...this.#replicationWaiters].filter((waiter) => waiter.offset <= highWatermark)
    for (const waiter of ready) this.#replicationWaiters.delete(waiter)
    for (const waiter of ready) waiter.done(this.#afterReplication())
  }

  #wakeFetches(): void {
    if (this.#fetchWaiters.size === 0) return
    for (const waiter of this.#fetchWaiters) waiter.partitionMoved(this)
  }

  #dismissWaiters(errorCode: number): void {
    const waiters = [...this.#replicationWaiters]
    this.#replicationWaiters.clear()
    for (const waiter of waiters) waiter.done(errorCode)
    this.#wakeFetches()
  }
}
