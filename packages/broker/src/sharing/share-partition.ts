/**
 * A partition as one share group sees it, on the partition's leader: which records are with which member, which are done with, and what
 * is next. Rules: `acquire.ts`, `acknowledge.ts`; here they meet time (locks end) and the persister.
 *
 * Acknowledgements take effect when they are persisted; what is acquired never is, so after a change of the leader it is available again.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Clock, Timer } from '@millrace/runtime'
import type { SharePartitionKey } from '../coordinators/share-partition-key.ts'
import {
  beginAcknowledgement,
  beginRelease,
  merged,
  nextLockEndMs,
  releaseExpired,
  type AcknowledgementBatch,
  type Change,
} from './acknowledge.ts'
import { acquire, type AcquiredRange, type AcquireRequest } from './acquire.ts'
import { abortedBatches, withoutRanges, type AbortedTransaction } from './fetched-batches.ts'
import { InFlightWindow } from './in-flight-window.ts'
import { uninitializedStartOffset, type PersistedBatch, type PersistedState, type Persister } from './persister.ts'
import { RecordState } from './record-state.ts'

/** Settings of the group; they may change at any time. */
export interface SharePartitionSettings {
  /** `share.partition.max.record.locks` */
  maxInFlight(): number
  /** `share.delivery.count.limit` */
  maxDeliveryCount(): number
  /** `share.record.lock.duration.ms` */
  lockDurationMs(): number
  /** `share.renew.acknowledge.enable` */
  allowsRenew(): boolean
}

export interface SharePartitionOptions {
  readonly key: SharePartitionKey
  /** In which this broker leads the partition. */
  readonly leaderEpoch: number
  readonly clock: Clock
  readonly persister: Persister
  readonly settings: SharePartitionSettings
  /** Where a group begins that has read nothing yet. */
  readonly firstOffset: () => Promise<bigint>
  /** The state is somebody else's now, or nobody's: this object is of no more use. */
  readonly onLost: () => void
}

export interface AcquireFetched extends AcquireRequest {
  /** null when uncommitted and aborted records are delivered too. */
  readonly aborted: readonly AbortedTransaction[] | null
}

/** These say that another has taken over, or that there is nothing left to take over. */
const losses: readonly number[] = [
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.FENCED_STATE_EPOCH,
  ErrorCode.GROUP_ID_NOT_FOUND,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
]

export class SharePartition {
  readonly key: SharePartitionKey
  readonly leaderEpoch: number
  readonly #options: SharePartitionOptions
  #window = new InFlightWindow(0n)
  #stateEpoch = 0
  #loading: Promise<void> | null = null
  #isLoaded = false
  #isLost = false
  /** Who reads the log for it: one at a time, or two would be given the same records. */
  #reader: object | null = null
  #likelyRecordBytes: number | null = null
  readonly #waiters = new Set<() => void>()
  #lockTimer: Timer | null = null
  #lockTimerMs = Infinity

  constructor(options: SharePartitionOptions) {
    this.key = options.key
    this.leaderEpoch = options.leaderEpoch
    this.#options = options
  }

  get isActive(): boolean {
    return this.#isLoaded && !this.#isLost
  }

  get startOffset(): bigint {
    return this.#window.startOffset
  }

  get endOffset(): bigint {
    return this.#window.endOffset
  }

  /** For metrics and tests. */
  get window(): InFlightWindow {
    return this.#window
  }

  /** Reads the persisted state, once. @throws KafkaError when that fails; it stays so. */
  load(): Promise<void> {
    this.#loading ??= this.#load().catch((error: unknown) => {
      this.lose()
      throw error
    })
    return this.#loading
  }

  async #load(): Promise<void> {
    const state = await this.#options.persister.read(this.key, this.leaderEpoch).catch(rethrowAsSeenByClients)
    const startOffset =
      state.startOffset === uninitializedStartOffset ? await this.#options.firstOffset() : state.startOffset
    checkState(this.key, startOffset, state)
    this.#stateEpoch = state.stateEpoch
    this.#window = new InFlightWindow(startOffset, state.batches)
    this.#isLoaded = true
    this.#wake()
  }

  /** Nobody reads for it at the moment, and somebody may. */
  get isFree(): boolean {
    return this.isActive && this.#reader === null
  }

  /** `reader` becomes the one to read for what `isFree`. */
  lock(reader: object): void {
    this.#reader = reader
  }

  unlock(reader: object): void {
    if (this.#reader !== reader) return
    this.#reader = null
    this.#wake()
  }

  /** Bytes that a record takes in the log, as far as was seen; null before anything was. */
  get likelyRecordBytes(): number | null {
    return this.#likelyRecordBytes
  }

  noteRecordBytes(bytes: number, records: number): void {
    this.#likelyRecordBytes = bytes / records
  }

  nextFetchOffset(): bigint {
    return this.#window.nextFetchOffset()
  }

  /** Whether there may be room for what the next fetch brings. */
  canAcquire(): boolean {
    const isBehind = this.#window.nextFetchOffset() !== this.#window.endOffset + 1n
    return isBehind || this.#window.size < this.#options.settings.maxInFlight()
  }

  /** Gives of what was read to a member. */
  acquire({ aborted, ...request }: AcquireFetched): AcquiredRange[] {
    if (!this.isActive) return []
    const { settings } = this.#options
    const lockedUntilMs = this.#nowMs() + settings.lockDurationMs()
    const ranges = acquire(this.#window, request, {
      maxInFlight: settings.maxInFlight(),
      maxDeliveryCount: settings.maxDeliveryCount(),
      lockedUntilMs,
    })
    const skipped = aborted === null ? [] : abortedBatches(request.batches, aborted)
    for (const batch of skipped) this.#window.archive(batch.baseOffset, batch.lastOffset, RecordState.ACQUIRED)
    // What is gone from the log, or was aborted, may have been all that held the start back.
    this.#window.advance()
    if (ranges.length > 0) this.#watchLocks(lockedUntilMs)
    return withoutRanges(ranges, skipped)
  }

  /**
   * Resolves when what the member says is persisted. All of it holds or nothing; renewals hold even so.
   * @throws KafkaError as `beginAcknowledgement`, and as clients see what went wrong with the persister.
   */
  async acknowledge(memberId: string, batches: readonly AcknowledgementBatch[]): Promise<void> {
    const { settings } = this.#options
    const lockedUntilMs = this.#nowMs() + settings.lockDurationMs()
    const changes: Change[] = []
    try {
      beginAcknowledgement(
        this.#window,
        memberId,
        batches,
        { maxDeliveryCount: settings.maxDeliveryCount(), allowsRenew: settings.allowsRenew(), lockedUntilMs },
        changes,
      )
    } catch (error) {
      this.#settle(changes, false)
      throw error
    }
    await this.#persistChanges(changes)
  }

  /** Gives back all that the member has, for others. */
  async release(memberId: string): Promise<void> {
    await this.#persistChanges(beginRelease(this.#window, memberId, this.#options.settings.maxDeliveryCount()))
  }

  /** The log begins at `offset` now. Persisted with what is persisted next. */
  logStartMoved(offset: bigint): void {
    this.#window.logStartMoved(offset)
  }

  /** To be told when there may be something to acquire, or this object is lost. */
  addWaiter(waiter: () => void): void {
    this.#waiters.add(waiter)
  }

  removeWaiter(waiter: () => void): void {
    this.#waiters.delete(waiter)
  }

  /** The log has more. */
  logMoved(): void {
    this.#wake()
  }

  /** Ends its use: the leader has changed, or the topic or group is gone. */
  lose(): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#lockTimer?.cancel()
    this.#lockTimer = null
    this.#options.onLost()
    this.#wake()
  }

  async #persistChanges(changes: Change[]): Promise<void> {
    if (changes.length === 0) return
    try {
      await this.#persist(changes.map(({ persisted }) => persisted))
    } catch (error) {
      this.#settle(changes, false)
      throw error
    }
    this.#settle(changes, true)
  }

  #settle(changes: readonly Change[], isPersisted: boolean): void {
    if (changes.length === 0) return
    const outcome = { isPersisted, nowMs: this.#nowMs(), maxDeliveryCount: this.#options.settings.maxDeliveryCount() }
    for (const { delivery } of changes) delivery.settle(outcome)
    // The start may have moved past them meanwhile.
    this.#window.archiveBelowStart()
    this.#window.noteAvailable()
    this.#window.advance()
    if (!isPersisted) this.#watchLocks(nextLockEndMs(this.#window))
    this.#wake()
  }

  async #persist(batches: readonly PersistedBatch[]): Promise<void> {
    try {
      await this.#options.persister
        .write(this.key, {
          stateEpoch: this.#stateEpoch,
          leaderEpoch: this.leaderEpoch,
          startOffset: this.#window.startOffset,
          deliveryCompleteCount: this.#window.terminalCount(),
          batches: merged(batches),
        })
        .catch(rethrowAsSeenByClients)
    } catch (error) {
      if (error instanceof KafkaError && losses.includes(error.code)) this.lose()
      throw error
    }
  }

  /** Makes sure that somebody looks when a lock ends at `atMs`. */
  #watchLocks(atMs: number | null): void {
    if (this.#isLost || atMs === null || (this.#lockTimer !== null && this.#lockTimerMs <= atMs)) return
    this.#lockTimer?.cancel()
    this.#lockTimerMs = atMs
    this.#lockTimer = this.#options.clock.after(Math.max(0, atMs - this.#nowMs()), () => this.#endLocks())
  }

  #endLocks(): void {
    this.#lockTimer = null
    const released = releaseExpired(this.#window, this.#nowMs(), this.#options.settings.maxDeliveryCount())
    this.#watchLocks(nextLockEndMs(this.#window))
    if (released.length === 0) return
    this.#window.noteAvailable()
    this.#window.advance()
    // It holds even when it is not persisted: a lock that has ended cannot be given back. A later leader will count a delivery less.
    this.#persist(released).catch(() => {})
    this.#wake()
  }

  #wake(): void {
    // Who is told may wait anew at once, and who begins to read keeps the others from it: they are told when it has ended.
    const waiters = [...this.#waiters]
    for (const waiter of waiters) {
      waiter()
      if (this.#reader !== null) return
    }
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs()
  }
}

/** @throws KafkaError UNKNOWN_SERVER_ERROR for what no leader can have persisted. */
function checkState(key: SharePartitionKey, startOffset: bigint, { batches }: PersistedState): void {
  let expected = startOffset
  for (const { firstOffset, lastOffset } of batches) {
    if (firstOffset < expected || lastOffset < firstOffset)
      throw new KafkaError(
        ErrorCode.UNKNOWN_SERVER_ERROR,
        `share partition ${key.groupId}:${key.topicId}-${key.partition} has the state ${firstOffset}-${lastOffset}, ` +
          `expected nothing before ${expected}`,
      )
    expected = lastOffset + 1n
  }
}

/** What went wrong between leader and share coordinator, as clients of the leader are told. */
function rethrowAsSeenByClients(error: unknown): never {
  if (!(error instanceof KafkaError)) throw error
  throw new KafkaError(seenByClients(error.code), error.message, { cause: error })
}

function seenByClients(code: number): number {
  switch (code) {
    case ErrorCode.NOT_COORDINATOR:
    case ErrorCode.COORDINATOR_NOT_AVAILABLE:
    case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
      return ErrorCode.COORDINATOR_NOT_AVAILABLE
    case ErrorCode.FENCED_LEADER_EPOCH:
    case ErrorCode.FENCED_STATE_EPOCH:
      return ErrorCode.NOT_LEADER_OR_FOLLOWER
    case ErrorCode.GROUP_ID_NOT_FOUND:
    case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
      return code
    default:
      return ErrorCode.UNKNOWN_SERVER_ERROR
  }
}
