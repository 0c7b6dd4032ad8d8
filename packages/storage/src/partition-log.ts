/**
 * The log of one partition: what the others may ask of it. Appends are in log-appender.ts, lookups in log-reader.ts, cuts in
 * log-truncation.ts, retention in log-start.ts. Source: Kafka's UnifiedLog and LocalLog.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { LogAppender } from './log-appender.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import type { LogCleaning } from './log-cleaning.ts'
import type { LogConfig } from './log-config.ts'
import { loadLog } from './log-loading.ts'
import type { LogSlice, OffsetPosition } from './log-slice.ts'
import { applyRetention, deleteRecordsBefore } from './log-start.ts'
import { LogState } from './log-state.ts'
import { startLogOver, truncateLog } from './log-truncation.ts'
import type {
  Appended,
  AppendOptions,
  DeletedSegment,
  ExistingPartitionLog,
  LocateOptions,
  NewPartitionLog,
  OffsetAndEpoch,
} from './partition-log-options.ts'
import type { ProducerStates } from './producers/producer-states.ts'
import { beginSegment } from './segments/segment-turnover.ts'
import { findMaxTimestamp, findTimestamp, type TimestampAndOffset } from './timestamp-lookup.ts'
import { validateRecords, type ValidatedBatches } from './validation/index.ts'
import type { WrittenCallback } from './writing/staged-appends.ts'

/** Everything is synchronous unless it returns a promise. The ends are those of LogEnds. */
export class PartitionLog {
  readonly topic: string
  readonly partition: number
  readonly leaderEpochs: LeaderEpochs
  readonly producers: ProducerStates
  readonly cleaning: LogCleaning
  readonly #state: LogState
  readonly #appender: LogAppender

  private constructor(options: NewPartitionLog, snapshots: readonly bigint[]) {
    const state = new LogState(options, snapshots, (error) => {
      this.#failPending(error)
      options.onFailure(error)
    })
    this.topic = options.topic
    this.partition = options.partition
    this.leaderEpochs = state.leaderEpochs
    this.producers = state.producers
    this.cleaning = state.cleaning
    this.#state = state
    this.#appender = new LogAppender(state)
  }

  /** For a directory just made: reads and writes nothing. */
  static create(options: NewPartitionLog): PartitionLog {
    const log = new PartitionLog(options, [])
    beginSegment(log.#state, 0n)
    return log
  }

  /**
   * Lists the directory, and recovers what an unclean stop requires. The event loop lives during a long recovery.
   * @throws the disk's error; the directory is then to be taken offline.
   */
  static async open(options: ExistingPartitionLog): Promise<PartitionLog> {
    const loaded = await loadLog(options, (snapshots) => {
      const log = new PartitionLog(options, snapshots)
      return { log, producers: log.producers, leaderEpochs: log.leaderEpochs, logger: log.#state.logger }
    })
    const { log, logStartOffset, logEndOffset } = loaded
    const { segments, ends, durability } = log.#state
    for (const segment of loaded.segments) segments.add(segment)
    if (segments.count === 0) beginSegment(log.#state, logEndOffset)
    ends.open({ logStartOffset, logEndOffset, highWatermark: options.highWatermark })
    durability.startAt(loaded.recoveryPoint, { afterCleanShutdown: options.wasCleanShutdown })
    log.producers.onHighWatermark(ends.highWatermark)
    return log
  }

  get directory(): string {
    return this.#state.directory
  }

  get config(): LogConfig {
    return this.#state.config
  }

  set config(config: LogConfig) {
    this.#state.config = config
  }

  get logStartOffset(): bigint {
    return this.#state.ends.logStartOffset
  }

  /** Includes staged appends that are not written yet. */
  get logEndOffset(): bigint {
    return this.#state.ends.logEndOffset
  }

  /** End of what is written and can be read: the farthest a follower, or the high watermark, may be. */
  get writtenEndOffset(): bigint {
    return this.#state.ends.writtenEndOffset
  }

  /**
   * End of what may count as written here: as far as `flush.messages` demands, it is synced too. The high watermark of a leader must not pass
   * it, or what a crash of the machine takes back would have been seen, and acknowledged by who waits for the high watermark.
   */
  get settledEndOffset(): bigint {
    return this.#state.durability.settledEndOffset
  }

  get highWatermark(): bigint {
    return this.#state.ends.highWatermark
  }

  /** The first offset of the earliest undecided transaction, at most the high watermark. */
  get lastStableOffset(): bigint {
    return this.#state.lastStableOffset()
  }

  /** All below is durable. */
  get recoveryPoint(): bigint {
    return this.#state.durability.recoveryPoint
  }

  /**
   * What `recovery-point-offset-checkpoint` is to say: recovery begins with the segment that holds it. Of the active segment only the log is
   * synced, so it must not say that this segment is done with before its indexes are synced too.
   */
  get recoveryCheckpoint(): bigint {
    return this.#state.durability.checkpoint(this.logEndOffset)
  }

  /** Of all segments, staged bytes included. */
  get sizeBytes(): number {
    return this.#state.segments.sizeBytes
  }

  get segmentCount(): number {
    return this.#state.segments.count
  }

  /** The log was closed, whether well or not. */
  get isClosed(): boolean {
    return this.#state.health.isClosed
  }

  /** Why the log is unusable; null while it is well. */
  get failure(): Error | null {
    return this.#state.health.failure
  }

  /**
   * Checks producer state, assigns offsets and epoch in place (not for `replica`, whose batches have them), advances `logEndOffset` and
   * stages the bytes, which must stay untouched until `onWritten` is called: once, with null when they are written (and synced if
   * `flush.messages` demands it), or with the error.
   * @throws KafkaError OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE, TRANSACTION_COORDINATOR_FENCED,
   *   RECORD_LIST_TOO_LARGE, KAFKA_STORAGE_ERROR; for `replica` OFFSET_OUT_OF_RANGE when the batches begin below the log end. Then
   *   nothing has changed and `onWritten` is not called.
   */
  append(batches: ValidatedBatches, options: AppendOptions, onWritten: WrittenCallback): Appended {
    this.#state.health.assertUsable()
    return this.#appender.append(batches, options, onWritten)
  }

  /**
   * Appends what was fetched from the leader: whole batches with offsets and epochs, perhaps with a part of one at the end, which is left
   * out, as are batches of a later epoch than `leaderEpoch` (KAFKA-18723). null, and no call of `onWritten`, when nothing is left.
   * @throws as `append`, and CORRUPT_MESSAGE.
   */
  appendAsFollower(bytes: Uint8Array, options: { leaderEpoch: number }, onWritten: WrittenCallback): Appended | null {
    const { leaderEpoch } = options
    const { config, services, name } = this.#state
    const batches = validateRecords(bytes, {
      origin: 'replica',
      config,
      nowMs: services.clock.now(),
      leaderEpoch,
      partition: name,
    })
    if (batches instanceof Promise) throw new Error('records from a leader are validated at once')
    if (batches.batches.length === 0) return null
    return this.append(batches, { leaderEpoch, origin: 'replica' }, onWritten)
  }

  /** Moves it to `offset`, at least to the log start and at most to the written end. Returns where it is then. */
  setHighWatermark(offset: bigint): bigint {
    const { ends } = this.#state
    ends.setHighWatermark(offset)
    this.producers.onHighWatermark(ends.highWatermark)
    return ends.highWatermark
  }

  /**
   * Where the bytes for a fetch are; length 0 when nothing lies between `offset` and the limit.
   * @throws KafkaError OFFSET_OUT_OF_RANGE below the log start or above the log end, KAFKA_STORAGE_ERROR.
   */
  locate(offset: bigint, { maxBytes, minOneBatch, upTo }: LocateOptions): LogSlice {
    const { ends, health, reader, name } = this.#state
    const { logStartOffset, logEndOffset } = ends
    health.assertUsable()
    if (offset < logStartOffset || offset > logEndOffset)
      throw new KafkaError(
        ErrorCode.OFFSET_OUT_OF_RANGE,
        `${name}: offset ${offset} is not within ${logStartOffset} to ${logEndOffset}`,
      )
    const isStable = upTo === 'last-stable-offset'
    const limitOffset =
      upTo === 'log-end' ? ends.writtenEndOffset : isStable ? this.lastStableOffset : ends.highWatermark
    return health.reading(() => reader.locate(offset, { limitOffset, maxBytes, minOneBatch, withAborts: isStable }))
  }

  /** null when the offset is outside of what is written. */
  positionOf(offset: bigint): OffsetPosition | null {
    const { health, reader } = this.#state
    health.assertUsable()
    return health.reading(() => reader.positionOf(offset))
  }

  earliestOffset(): OffsetAndEpoch {
    const offset = this.logStartOffset
    const first = this.leaderEpochs.entries[0]
    return { offset, leaderEpoch: first !== undefined && first.startOffset <= offset ? first.epoch : -1 }
  }

  latestOffset(): OffsetAndEpoch {
    return { offset: this.writtenEndOffset, leaderEpoch: this.leaderEpochs.latest }
  }

  /** The first record at or after the timestamp; null when there is none. */
  offsetForTimestamp(timestamp: bigint): Promise<TimestampAndOffset | null> {
    const { health, segments, services } = this.#state
    return health.readingLater(() =>
      findTimestamp(segments.all, { timestamp, startOffset: this.logStartOffset, chunks: services.chunks }),
    )
  }

  /** The first record with the largest timestamp; null when no record has one. */
  maxTimestampOffset(): Promise<TimestampAndOffset | null> {
    const { health, segments, services } = this.#state
    return health.readingLater(async () => {
      await this.drained()
      return findMaxTimestamp(segments.all, services.chunks)
    })
  }

  /** Where segments begin, oldest first: of all, or of those last changed at or before the time. For ListOffsets 0. */
  segmentStarts(changedBeforeMs: bigint | null = null): bigint[] {
    const { health, segments, ends } = this.#state
    health.assertUsable()
    return segments.all
      .filter((segment) => changedBeforeMs === null || BigInt(Math.floor(segment.modifiedMs())) <= changedBeforeMs)
      .map(({ baseOffset }) => (baseOffset < ends.logStartOffset ? ends.logStartOffset : baseOffset))
  }

  /**
   * Moves the log start up to `offset`; whole segments below it go at the next retention. Returns the log start.
   * @throws KafkaError OFFSET_OUT_OF_RANGE above the high watermark.
   */
  deleteRecordsBefore(offset: bigint): bigint {
    this.#state.health.assertUsable()
    deleteRecordsBefore(this.#state, offset)
    return this.logStartOffset
  }

  /**
   * Cuts everything from `offset` on. Returns false when there was nothing to cut. Nothing may be staged or under way: `await drained()`
   * first, unless that is known.
   */
  truncateTo(offset: bigint): boolean {
    this.#assertIdle()
    return truncateLog(this.#state, offset)
  }

  /** Drops everything; the log begins again at `offset`. As `truncateTo`. */
  truncateFullyAndStartAt(offset: bigint): void {
    this.#assertIdle()
    startLogOver(this.#state, offset)
  }

  /** Deletes what `cleanup.policy=delete` and the log start let go: files are renamed now and removed after `file.delete.delay.ms`. */
  applyRetention(nowMs: number): readonly DeletedSegment[] {
    this.#state.health.assertUsable()
    return applyRetention(this.#state, nowMs)
  }

  removeExpiredProducers(nowMs: number): void {
    this.producers.removeExpired(nowMs)
  }

  /** Resolves when nothing is staged or being written. Never rejects. */
  drained(): Promise<void> {
    return this.#appender.drained()
  }

  /** Syncs everything up to the present end; then `recoveryPoint` is at least that. @throws KafkaError KAFKA_STORAGE_ERROR. */
  async flush(): Promise<void> {
    const { health, durability } = this.#state
    health.assertUsable()
    await this.drained()
    await durability.sync()
    health.assertUsable()
  }

  /** Writes what is staged, the producer snapshot and the indexes, syncs and closes all. @throws KafkaError KAFKA_STORAGE_ERROR. */
  async close(): Promise<void> {
    const { health, durability, segments, ends } = this.#state
    if (health.isClosed) return
    health.assertUsable()
    await this.drained()
    health.assertUsable()
    health.close()
    try {
      const { active } = segments
      await this.leaderEpochs.persist(ends.writtenEndOffset)
      for (const segment of segments.all) segment.seal()
      durability.addSnapshot(this.producers.takeSnapshot())
      await durability.sync()
      await active.syncIndexes()
    } catch (error) {
      throw health.fail(error as Error)
    } finally {
      this.#state.release()
    }
    health.assertNotFailed()
  }

  /** Closes files, writes nothing: for logs that are deleted or whose directory failed. Staged appends get the error. */
  abandon(reason: Error): void {
    const { health } = this.#state
    if (health.isClosed) return
    health.abandon(reason)
    this.#failPending(reason)
    this.#state.release()
  }

  /** The directory was renamed. */
  movedTo(directory: string): void {
    this.#state.movedTo(directory)
  }

  /** Whoever waits for a write or a sync learns that there will be none. */
  #failPending(error: Error): void {
    this.#appender.fail(error)
    this.#state.durability.failWaiters(error)
  }

  #assertIdle(): void {
    this.#state.health.assertUsable()
    if (!this.#appender.isIdle) throw new Error(`${this.#state.name}: truncated while appends are staged`)
  }
}
