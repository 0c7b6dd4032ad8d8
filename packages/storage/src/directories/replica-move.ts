/**
 * Fills a partition's `-future` log from its current one, chunk by chunk, while the current one goes on (AlterReplicaLogDirs), and says when
 * the two may be exchanged.
 *
 * The future log is a follower in the same process: it takes the batches as they are and truncates where the leader epochs of the two
 * disagree. Under load it stays one turn of the event loop behind, so the last chunk is copied at the end of a turn, in a round after the
 * one in which the appends of the turn were written and before the network is looked at again; then both ends are equal.
 */
import type { Clock } from '@millrace/runtime'
import { baseOffset, ErrorCode, KafkaError } from '@millrace/protocol'
import type { LogSlice } from '../log-slice.ts'
import type { PartitionLog } from '../partition-log.ts'
import { nextTurn } from './pace.ts'

export interface ReplicaMoveOptions {
  readonly source: PartitionLog
  readonly future: PartitionLog
  readonly clock: Clock
  /** `replica.alter.log.dirs.io.max.bytes.per.second`; Infinity for no limit. */
  readonly bytesPerSecond: number
  /** Makes what the future log has durable: data and checkpoints. Called when it has caught up for the first time. */
  readonly prepare: () => Promise<void>
  /** Exchanges the two, synchronously. Called once, with both ends equal and nothing under way in either. */
  readonly exchange: () => void
}

export type MoveOutcome = 'moved' | 'cancelled'

const chunkBytes = 1024 * 1024
/** Under a load that syncs every append, the future log may always be one sync behind; then it is exchanged so, and synced right after. */
const maxWaitForSyncMs = 5000
const hastyWaits = 8

export class ReplicaMove {
  readonly #options: ReplicaMoveOptions
  #cancelled = false
  #buffer = new Uint8Array(0)
  #waits = 0

  constructor(options: ReplicaMoveOptions) {
    this.#options = options
  }

  /** `run` ends as 'cancelled' at its next step. */
  cancel(): void {
    this.#cancelled = true
  }

  /** @throws KafkaError KAFKA_STORAGE_ERROR when either disk fails, and whatever is a bug. Called once. */
  async run(): Promise<MoveOutcome> {
    const { source, future, clock, bytesPerSecond } = this.#options
    let isPrepared = false
    let caughtUpSinceMs = 0
    for (;;) {
      if (this.#cancelled) return 'cancelled'
      if (source.failure !== null) throw source.failure
      if (future.failure !== null) throw future.failure
      this.#truncateWhereDifferent()
      const copied = await this.#copyChunk()
      if (copied > 0 && !isPrepared) {
        if (bytesPerSecond !== Infinity) await clock.sleep((copied / bytesPerSecond) * 1000)
        await nextTurn(clock)
        continue
      }
      // `cancel` may have been called while the chunk was under way.
      if (this.#cancelled) return 'cancelled'
      if (!isPrepared) {
        await this.#options.prepare()
        isPrepared = true
        caughtUpSinceMs = clock.monotonicMs()
      } else if (!this.#hasSameEnd()) await this.#wait()
      else if (
        future.recoveryPoint >= source.recoveryPoint ||
        clock.monotonicMs() - caughtUpSinceMs > maxWaitForSyncMs
      ) {
        this.#followOffsets()
        this.#options.exchange()
        return 'moved'
      } else await future.flush()
    }
  }

  /** For the appends of this turn to be written; and when that takes longer, as of a slow disk, not in a hurry. */
  async #wait(): Promise<void> {
    if (++this.#waits % hastyWaits !== 0) await nextTurn(this.#options.clock)
    else await this.#options.clock.sleep(1)
  }

  /** The current log may have been truncated, as any follower's, or have lost its beginning. */
  #truncateWhereDifferent(): void {
    const { source, future } = this.#options
    if (future.logEndOffset < source.logStartOffset) future.truncateFullyAndStartAt(source.logStartOffset)
    if (future.logEndOffset > source.logEndOffset) future.truncateTo(source.logEndOffset)
    const ownEpoch = future.leaderEpochs.latest
    if (ownEpoch < 0) return
    const { epoch, endOffset } = source.leaderEpochs.endOffsetFor(ownEpoch, source.logEndOffset)
    if (epoch < 0) return
    if (epoch < ownEpoch) {
      const own = future.leaderEpochs.endOffsetFor(epoch, future.logEndOffset)
      future.truncateTo(own.endOffset < endOffset ? own.endOffset : endOffset)
    } else if (endOffset < future.logEndOffset) future.truncateTo(endOffset)
  }

  /** Returns the bytes copied; 0 when there was nothing to copy, or what was there has just gone. */
  async #copyChunk(): Promise<number> {
    const { source, future } = this.#options
    const from = future.logEndOffset
    if (from >= source.writtenEndOffset) {
      this.#followOffsets()
      return 0
    }
    let slice: LogSlice
    let bytes: Uint8Array
    try {
      slice = source.locate(from, { maxBytes: chunkBytes, minOneBatch: true, upTo: 'log-end' })
      if (slice.length === 0) return 0
      if (this.#buffer.length < slice.length) this.#buffer = new Uint8Array(Math.max(chunkBytes, slice.length))
      bytes = this.#buffer.subarray(0, slice.length)
      if (slice.recentlyWritten) slice.readSync(bytes)
      else await slice.read(bytes)
    } catch (error) {
      // Retention or a truncation was faster; the next step begins with the new ends.
      if (error instanceof KafkaError && isOvertaken(error.code)) return 0
      throw error
    }
    // The log start may lie within a batch, which then begins before it.
    const first = baseOffset(bytes, 0)
    if (first < future.logEndOffset) future.truncateFullyAndStartAt(first)
    await new Promise<void>((resolve, reject) => {
      const appended = future.appendAsFollower(bytes, { leaderEpoch: source.leaderEpochs.latest }, (error) =>
        error === null ? resolve() : reject(error),
      )
      if (appended === null) resolve()
    })
    this.#followOffsets()
    return slice.length
  }

  #hasSameEnd(): boolean {
    const { source, future } = this.#options
    const end = source.logEndOffset
    return source.writtenEndOffset === end && future.logEndOffset === end && future.writtenEndOffset === end
  }

  /** High watermark, log start and the newest leader epoch, which may have no records yet. */
  #followOffsets(): void {
    const { source, future } = this.#options
    future.setHighWatermark(source.highWatermark)
    const start = source.logStartOffset < future.highWatermark ? source.logStartOffset : future.highWatermark
    if (start > future.logStartOffset) future.deleteRecordsBefore(start)
    const epoch = source.leaderEpochs.latest
    if (epoch > future.leaderEpochs.latest && future.logEndOffset === source.logEndOffset)
      future.leaderEpochs.assign(epoch, source.logEndOffset)
  }
}

function isOvertaken(code: number): boolean {
  return code === ErrorCode.OFFSET_OUT_OF_RANGE || code === ErrorCode.NOT_LEADER_OR_FOLLOWER
}
