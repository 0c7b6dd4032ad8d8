/**
 * The log of one partition: appends, lookups, truncation, retention. Source: Kafka's UnifiedLog and LocalLog.
 *
 * Four ends, in this order: log start ≤ high watermark ≤ written end ≤ log end. An append moves the log end at once; the bytes are staged
 * and written at the end of the turn, which moves the written end; readers and the high watermark never pass that.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { Logger } from '@millrace/runtime'
import { assignOffsets, checkReplicatedOffsets, endOffsetOf } from './append-offsets.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import type { LogConfig } from './log-config.ts'
import { LogDurability } from './log-durability.ts'
import { loadLog } from './log-loading.ts'
import { LogReader } from './log-reader.ts'
import type { LogServices } from './log-services.ts'
import type { LogSlice, OffsetPosition } from './log-slice.ts'
import type {
  Appended,
  AppendOptions,
  DeletedSegment,
  ExistingPartitionLog,
  LocateOptions,
  NewPartitionLog,
  OffsetAndEpoch,
} from './partition-log-options.ts'
import { checkProducers, type ProducerEffects } from './producers/check-producers.ts'
import { ProducerStates } from './producers/producer-states.ts'
import { replayLog } from './producers/replay-log.ts'
import { deletableSegments, retentionRules } from './retention.ts'
import { Segment } from './segments/segment.ts'
import { SegmentList } from './segments/segment-list.ts'
import { SegmentRemovals } from './segments/segment-removals.ts'
import { findMaxTimestamp, findTimestamp, type TimestampAndOffset } from './timestamp-lookup.ts'
import { validateRecords, type ValidatedBatches } from './validation/index.ts'
import { StagedAppends, type WrittenCallback } from './writing/staged-appends.ts'

const dayMs = 24 * 60 * 60 * 1000

/** Everything is synchronous unless it returns a promise. */
export class PartitionLog {
  readonly topic: string
  readonly partition: number
  readonly leaderEpochs: LeaderEpochs
  readonly producers: ProducerStates
  readonly #services: LogServices
  readonly #logger: Logger
  readonly #onFailure: (error: Error) => void
  #config: LogConfig
  #directory: string
  #segments = new SegmentList()
  #logStartOffset = 0n
  #logEndOffset = 0n
  #writtenEndOffset = 0n
  #highWatermark = 0n
  #failure: Error | null = null
  #isClosed = false
  #staged: StagedAppends | null = null
  readonly #durability: LogDurability
  readonly #reader: LogReader
  readonly #removals: SegmentRemovals

  private constructor(options: NewPartitionLog, snapshots: readonly bigint[]) {
    const { services, logger, directory, topic, partition } = options
    this.topic = topic
    this.partition = partition
    this.#services = services
    this.#logger = logger.child({ partition: `${topic}-${partition}` })
    this.#directory = directory
    this.#config = options.config
    this.#onFailure = options.onFailure
    this.leaderEpochs = new LeaderEpochs({
      disk: services.disk,
      logger: this.#logger,
      directory,
      rewrites: services.rewrites,
      onFailure: (error) => this.#fail(error),
    })
    this.producers = new ProducerStates(
      {
        disk: services.disk,
        logger: this.#logger,
        directory,
        partition: `${topic}-${partition}`,
        producerIdExpirationMs: options.producerIdExpirationMs ?? dayMs,
        maxTransactionTimeoutMs: options.maxTransactionTimeoutMs ?? 900_000,
      },
      snapshots,
    )
    const onFailure = (error: Error) => void this.#fail(error)
    const { leaderEpochs } = this
    const segments = this.#segments
    this.#durability = new LogDurability({ services, segments, leaderEpochs, log: this, onFailure })
    this.#reader = new LogReader({ clock: services.clock, segments, log: this })
    this.#removals = new SegmentRemovals({ clock: services.clock, disk: services.disk, onFailure })
  }

  /** For a directory just made: reads and writes nothing. */
  static create(options: NewPartitionLog): PartitionLog {
    const log = new PartitionLog(options, [])
    log.#segments.add(log.#newSegment(0n))
    return log
  }

  /**
   * Lists the directory, and recovers what an unclean stop requires. The event loop lives during a long recovery.
   * @throws the disk's error; the directory is then to be taken offline.
   */
  static async open(options: ExistingPartitionLog): Promise<PartitionLog> {
    const loaded = await loadLog(options, (snapshots) => {
      const log = new PartitionLog(options, snapshots)
      return { log, producers: log.producers, leaderEpochs: log.leaderEpochs, logger: log.#logger }
    })
    const { log } = loaded
    for (const segment of loaded.segments) log.#segments.add(segment)
    if (log.#segments.count === 0) log.#segments.add(log.#newSegment(loaded.logEndOffset))
    log.#logStartOffset = loaded.logStartOffset
    log.#logEndOffset = loaded.logEndOffset
    log.#writtenEndOffset = loaded.logEndOffset
    log.#durability.startAt(loaded.recoveryPoint, { afterCleanShutdown: options.wasCleanShutdown })
    log.#highWatermark = clamp(options.highWatermark, log.#logStartOffset, log.#logEndOffset)
    log.producers.onHighWatermark(log.#highWatermark)
    return log
  }

  get directory(): string {
    return this.#directory
  }

  get config(): LogConfig {
    return this.#config
  }

  set config(config: LogConfig) {
    this.#config = config
  }

  get logStartOffset(): bigint {
    return this.#logStartOffset
  }

  /** Includes staged appends that are not written yet. */
  get logEndOffset(): bigint {
    return this.#logEndOffset
  }

  /** End of what is written and can be read: the farthest a follower, or the high watermark, may be. */
  get writtenEndOffset(): bigint {
    return this.#writtenEndOffset
  }

  get highWatermark(): bigint {
    return this.#highWatermark
  }

  /** The first offset of the earliest undecided transaction, at most the high watermark. */
  get lastStableOffset(): bigint {
    const unstable = this.producers.firstUnstableOffset
    if (unstable === null || unstable >= this.#highWatermark) return this.#highWatermark
    return unstable < this.#logStartOffset ? this.#logStartOffset : unstable
  }

  /** All below is durable. */
  get recoveryPoint(): bigint {
    return this.#durability.recoveryPoint
  }

  /**
   * What `recovery-point-offset-checkpoint` is to say: recovery begins with the segment that holds it. Of the active segment only the log is
   * synced, so it must not say that this segment is done with before its indexes are synced too.
   */
  get recoveryCheckpoint(): bigint {
    return this.#durability.checkpoint(this.#logEndOffset)
  }

  /** Of all segments, staged bytes included. */
  get sizeBytes(): number {
    return this.#segments.sizeBytes
  }

  get segmentCount(): number {
    return this.#segments.count
  }

  /** Why the log is unusable; null while it is well. */
  get failure(): Error | null {
    return this.#failure
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
    this.#assertUsable()
    const { bytes } = batches
    const isReplica = options.origin === 'replica'
    if (isReplica) checkReplicatedOffsets(batches, this.#logEndOffset, this.#name)
    else assignOffsets(batches, this.#logEndOffset, options.leaderEpoch)
    const first = batches.batches[0]!
    const last = batches.batches[batches.batches.length - 1]!
    const firstOffset = isReplica ? first.baseOffset : this.#logEndOffset
    const lastOffset = isReplica ? endOffsetOf(last) - 1n : this.#logEndOffset + BigInt(batches.offsetsCount) - 1n
    if (!isReplica && bytes.length > this.#config.segmentBytes)
      throw new KafkaError(
        ErrorCode.RECORD_LIST_TOO_LARGE,
        `${this.#name}: ${bytes.length} bytes of records do not fit into a segment of ${this.#config.segmentBytes}`,
      )
    const effects = checkProducers(this.producers, batches, firstOffset, options)
    const { logStartOffset } = this
    if (effects !== null && 'duplicate' in effects) {
      const { duplicate } = effects
      this.#followStaged(duplicate.lastOffset, onWritten)
      return {
        firstOffset: duplicate.lastOffset - BigInt(duplicate.offsetDelta),
        lastOffset: duplicate.lastOffset,
        logAppendTimeMs: duplicate.timestamp,
        logStartOffset,
        duplicate: true,
      }
    }
    try {
      this.#stage(batches, options, firstOffset, lastOffset, effects, onWritten)
    } catch (error) {
      throw this.#fail(error as Error)
    }
    return { firstOffset, lastOffset, logAppendTimeMs: batches.logAppendTimeMs, logStartOffset, duplicate: false }
  }

  /**
   * Appends what was fetched from the leader: whole batches with offsets and epochs, perhaps with a part of one at the end, which is left
   * out, as are batches of a later epoch than `leaderEpoch` (KAFKA-18723). null, and no call of `onWritten`, when nothing is left.
   * @throws as `append`, and CORRUPT_MESSAGE.
   */
  appendAsFollower(bytes: Uint8Array, options: { leaderEpoch: number }, onWritten: WrittenCallback): Appended | null {
    const { leaderEpoch } = options
    const batches = validateRecords(bytes, {
      origin: 'replica',
      config: this.#config,
      nowMs: this.#services.clock.now(),
      leaderEpoch,
      partition: this.#name,
    })
    if (batches instanceof Promise) throw new Error('records from a leader are validated at once')
    if (batches.batches.length === 0) return null
    return this.append(batches, { leaderEpoch, origin: 'replica' }, onWritten)
  }

  /** Moves it to `offset`, at least to the log start and at most to the written end. Returns where it is then. */
  setHighWatermark(offset: bigint): bigint {
    this.#highWatermark = clamp(offset, this.#logStartOffset, this.#writtenEndOffset)
    this.producers.onHighWatermark(this.#highWatermark)
    return this.#highWatermark
  }

  /**
   * Where the bytes for a fetch are; length 0 when nothing lies between `offset` and the limit.
   * @throws KafkaError OFFSET_OUT_OF_RANGE below the log start or above the log end, KAFKA_STORAGE_ERROR.
   */
  locate(offset: bigint, { maxBytes, minOneBatch, upTo }: LocateOptions): LogSlice {
    this.#assertUsable()
    if (offset < this.#logStartOffset || offset > this.#logEndOffset)
      throw new KafkaError(
        ErrorCode.OFFSET_OUT_OF_RANGE,
        `${this.#name}: offset ${offset} is not within ${this.#logStartOffset} to ${this.#logEndOffset}`,
      )
    const isStable = upTo === 'last-stable-offset'
    const limitOffset =
      upTo === 'log-end' ? this.#writtenEndOffset : isStable ? this.lastStableOffset : this.#highWatermark
    return this.#reading(() =>
      this.#reader.locate(offset, { limitOffset, maxBytes, minOneBatch, withAborts: isStable }),
    )
  }

  /** null when the offset is outside of what is written. */
  positionOf(offset: bigint): OffsetPosition | null {
    this.#assertUsable()
    return this.#reading(() => this.#reader.positionOf(offset))
  }

  earliestOffset(): OffsetAndEpoch {
    const offset = this.#logStartOffset
    const first = this.leaderEpochs.entries[0]
    return { offset, leaderEpoch: first !== undefined && first.startOffset <= offset ? first.epoch : -1 }
  }

  latestOffset(): OffsetAndEpoch {
    return { offset: this.#writtenEndOffset, leaderEpoch: this.leaderEpochs.latest }
  }

  /** The first record at or after the timestamp; null when there is none. */
  offsetForTimestamp(timestamp: bigint): Promise<TimestampAndOffset | null> {
    return this.#readingLater(() => findTimestamp(this.#segments.all, timestamp, this.#logStartOffset))
  }

  /** The first record with the largest timestamp; null when no record has one. */
  maxTimestampOffset(): Promise<TimestampAndOffset | null> {
    return this.#readingLater(async () => {
      await this.drained()
      return findMaxTimestamp(this.#segments.all)
    })
  }

  /** Where segments begin, oldest first: of all, or of those last changed at or before the time. For ListOffsets 0. */
  segmentStarts(changedBeforeMs: bigint | null = null): bigint[] {
    this.#assertUsable()
    return this.#segments.all
      .filter((segment) => changedBeforeMs === null || BigInt(Math.floor(segment.modifiedMs())) <= changedBeforeMs)
      .map(({ baseOffset }) => (baseOffset < this.#logStartOffset ? this.#logStartOffset : baseOffset))
  }

  /**
   * Moves the log start up to `offset`; whole segments below it go at the next retention. Returns the log start.
   * @throws KafkaError OFFSET_OUT_OF_RANGE above the high watermark.
   */
  deleteRecordsBefore(offset: bigint): bigint {
    this.#assertUsable()
    if (offset > this.#highWatermark)
      throw new KafkaError(
        ErrorCode.OFFSET_OUT_OF_RANGE,
        `${this.#name}: the log cannot start at ${offset}, above the high watermark ${this.#highWatermark}`,
      )
    this.#advanceLogStart(offset)
    return this.#logStartOffset
  }

  /**
   * Cuts everything from `offset` on. Returns false when there was nothing to cut. Nothing may be staged or under way: `await drained()`
   * first, unless that is known.
   */
  truncateTo(offset: bigint): boolean {
    this.#assertUsable()
    this.#assertIdle()
    if (offset < 0n) throw new Error(`${this.#name}: cannot truncate to ${offset}`)
    if (offset >= this.#logEndOffset) {
      this.leaderEpochs.truncateFromEnd(this.#logEndOffset)
      return false
    }
    if (offset < this.#highWatermark)
      this.#logger.warn('truncating below the high watermark', { offset, highWatermark: this.#highWatermark })
    if (this.#segments.first.baseOffset > offset) {
      this.truncateFullyAndStartAt(offset)
      return true
    }
    this.#logger.info('truncating', { offset, logEndOffset: this.#logEndOffset })
    this.#changing(() => {
      const behind = this.#segments.all.filter((segment) => segment.baseOffset > offset)
      for (const segment of behind) segment.truncations++
      this.#removeSegments(behind)
      // Or a crash of the system could bring them back behind what is appended next.
      if (behind.length > 0) this.#services.disk.syncDirectorySync(this.#directory)
      this.#segments.active.truncateTo(offset)
      this.#durability.forget(this.#segments.active)
      this.leaderEpochs.truncateFromEnd(offset)
      if (this.#logStartOffset > offset) this.#logStartOffset = offset
      this.#setEnds(offset)
      this.#rebuildProducers(offset)
      void this.leaderEpochs.persist(offset)
    })
    return true
  }

  /** Drops everything; the log begins again at `offset`. As `truncateTo`. */
  truncateFullyAndStartAt(offset: bigint): void {
    this.#assertUsable()
    this.#assertIdle()
    this.#logger.info('dropping all records', { startAt: offset, logEndOffset: this.#logEndOffset })
    this.#changing(() => {
      const old = [...this.#segments.all]
      for (const segment of old) segment.truncations++
      this.#removeSegments(old)
      const segment = this.#newSegment(offset)
      segment.createFile()
      this.#segments.add(segment)
      this.#durability.syncNames()
      this.leaderEpochs.clear()
      this.producers.truncateFullyAndStartAt(offset)
      this.#logStartOffset = offset
      this.#setEnds(offset)
      this.#highWatermark = offset
      this.#rebuildProducers(offset)
      void this.leaderEpochs.persist(offset)
    })
  }

  /** Deletes what `cleanup.policy=delete` and the log start let go: files are renamed now and removed after `file.delete.delay.ms`. */
  applyRetention(nowMs: number): readonly DeletedSegment[] {
    this.#assertUsable()
    const deleted: DeletedSegment[] = []
    this.#changing(() => {
      for (const rule of retentionRules(this.#config)) {
        const state = {
          segments: this.#segments.all,
          highWatermark: this.#highWatermark,
          logStartOffset: this.#logStartOffset,
          logEndOffset: this.#logEndOffset,
          sizeBytes: this.sizeBytes,
        }
        const segments = deletableSegments(rule, state, this.#config, nowMs)
        for (const { baseOffset, sizeBytes } of segments) {
          this.#logger.info('deleting a segment', { baseOffset, sizeBytes, rule })
          deleted.push({ baseOffset, sizeBytes })
        }
        this.#deleteSegments(segments)
      }
    })
    return deleted
  }

  removeExpiredProducers(nowMs: number): void {
    this.producers.removeExpired(nowMs)
  }

  /** Resolves when nothing is staged or being written. Never rejects. */
  async drained(): Promise<void> {
    await this.#staged?.drain()
  }

  /** Syncs everything up to the present end; then `recoveryPoint` is at least that. @throws KafkaError KAFKA_STORAGE_ERROR. */
  async flush(): Promise<void> {
    this.#assertUsable()
    await this.drained()
    await this.#durability.sync()
    this.#assertUsable()
  }

  /** Writes what is staged, the producer snapshot and the indexes, syncs and closes all. @throws KafkaError KAFKA_STORAGE_ERROR. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#assertUsable()
    await this.drained()
    this.#assertUsable()
    this.#isClosed = true
    try {
      const { active } = this.#segments
      await this.leaderEpochs.persist(this.#writtenEndOffset)
      for (const segment of this.#segments.all) segment.seal()
      this.#durability.addSnapshot(this.producers.takeSnapshot())
      await this.#durability.sync()
      await active.syncIndexes()
    } catch (error) {
      throw this.#fail(error as Error)
    } finally {
      this.#release()
    }
    if (this.#failure !== null) throw this.#storageError(this.#failure)
  }

  /** Closes files, writes nothing: for logs that are deleted or whose directory failed. Staged appends get the error. */
  abandon(reason: Error): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#failure ??= reason
    this.#staged?.fail(reason)
    this.#durability.failWaiters(reason)
    this.#release()
  }

  /** The directory was renamed. */
  movedTo(directory: string): void {
    this.#directory = directory
    for (const segment of this.#segments.all) segment.movedTo(directory)
    this.#removals.movedTo(directory)
    this.leaderEpochs.movedTo(directory)
    this.producers.movedTo(directory)
  }

  /** @internal for StagedAppends */
  onWritten(segment: Segment, endOffset: bigint): void {
    this.#writtenEndOffset = endOffset
    if (segment !== this.#segments.active) {
      if (segment.writtenBytes === segment.sizeBytes) this.#durability.sealRolled(segment)
    } else if (segment.wantsIndexFlush) {
      if (this.leaderEpochs.isPersisted(endOffset)) segment.flushIndexes()
      else void this.leaderEpochs.persist(endOffset)
    }
  }

  /** @internal for StagedAppends */
  onWriteFailed(error: Error): void {
    this.#fail(error)
  }

  /** @internal for StagedAppends */
  afterSync(callback: WrittenCallback): void {
    this.#durability.afterSync(callback)
  }

  get #name(): string {
    return `${this.topic}-${this.partition}`
  }

  #stage(
    batches: ValidatedBatches,
    options: AppendOptions,
    firstOffset: bigint,
    lastOffset: bigint,
    effects: ProducerEffects | null,
    onWritten: WrittenCallback,
  ): void {
    const { bytes } = batches
    const segment = this.#segmentFor(batches, firstOffset, lastOffset)
    const position = segment.sizeBytes
    const isReplica = options.origin === 'replica'
    let offset = firstOffset
    for (const batch of batches.batches) {
      const epoch = isReplica ? batch.partitionLeaderEpoch : options.leaderEpoch
      const start = isReplica ? batch.baseOffset : offset
      if (epoch >= 0) this.leaderEpochs.assign(epoch, start)
      offset = isReplica ? endOffsetOf(batch) : offset + BigInt(batch.lastOffsetDelta + 1)
      segment.noteBatch(batch.sizeBytes, offset - 1n, batch.maxTimestamp)
    }
    this.#logEndOffset = lastOffset + 1n
    if (effects !== null) this.#applyProducers(effects, segment)
    this.producers.setMapEndOffset(this.#logEndOffset)
    this.#staged ??= new StagedAppends(this.#services.appends, this)
    this.#staged.stage(segment, position, bytes, this.#logEndOffset, {
      callback: onWritten,
      needsSync: this.#durability.demandsSync(this.#logEndOffset, this.#config.flushMessages),
    })
  }

  /** A repeated batch is acknowledged when the first one would be. */
  #followStaged(lastOffset: bigint, onWritten: WrittenCallback): void {
    const needsSync = this.#config.flushMessages === 1 && lastOffset >= this.recoveryPoint
    if (this.#staged === null && !needsSync) this.#services.clock.endOfTurn(() => onWritten(this.#failure))
    else {
      this.#staged ??= new StagedAppends(this.#services.appends, this)
      const staged = this.#staged
      this.#services.clock.endOfTurn(() => {
        if (this.#failure !== null) onWritten(this.#failure)
        else staged.follow({ callback: onWritten, needsSync })
      })
    }
  }

  #applyProducers(effects: ProducerEffects, segment: Segment): void {
    for (const append of effects.appends) this.producers.commit(append)
    for (const completed of effects.completed) {
      if (completed.isAborted)
        segment.transactionIndexForWriting.append({
          producerId: completed.producerId,
          firstOffset: completed.firstOffset,
          lastOffset: completed.lastOffset,
          lastStableOffset: this.producers.stableOffsetAfter(completed),
        })
      this.producers.complete(completed)
    }
  }

  #segmentFor(batches: ValidatedBatches, firstOffset: bigint, lastOffset: bigint): Segment {
    const { active } = this.#segments
    const shouldRoll = active.shouldRoll({
      sizeBytes: batches.bytes.length,
      lastOffset,
      maxTimestamp: batches.maxTimestamp,
      nowMs: this.#services.clock.now(),
      config: this.#config,
    })
    if (!shouldRoll) return active
    return this.#roll(firstOffset > this.#logEndOffset ? firstOffset : this.#logEndOffset)
  }

  /** The snapshot lets recovery of the new segment begin at its start. The old segment is synced in the background. */
  #roll(baseOffset: bigint): Segment {
    const old = this.#segments.active
    if (old.baseOffset === baseOffset && old.sizeBytes === 0) return old
    const segment = this.#newSegment(baseOffset)
    this.#segments.add(segment)
    this.producers.setMapEndOffset(baseOffset)
    this.#durability.addSnapshot(this.producers.takeSnapshot())
    if (old.writtenBytes === old.sizeBytes) this.#durability.sealRolled(old)
    this.#logger.debug('rolled', { baseOffset, previousBytes: old.sizeBytes })
    return segment
  }

  #newSegment(baseOffset: bigint): Segment {
    return new Segment({
      services: this.#services,
      logger: this.#logger,
      directory: this.#directory,
      baseOffset,
      sizeBytes: 0,
      config: this.#config,
      exists: false,
      hasTransactionIndex: false,
    })
  }

  #deleteSegments(segments: readonly Segment[]): void {
    const last = segments.at(-1)
    if (last === undefined) return
    if (segments.length === this.#segments.count) {
      // The new segment's file is all that tells the next start where the log ends.
      this.#roll(this.#logEndOffset).createFile()
    }
    this.#advanceLogStart(this.#segments.after(last)!.baseOffset)
    this.#removeSegments(segments)
  }

  /** Out of the list and renamed at once; the files go when readers have had time to finish. */
  #removeSegments(segments: readonly Segment[]): void {
    for (const segment of segments) {
      this.#segments.remove(segment)
      this.#durability.forget(segment)
      this.#removals.add(
        segment,
        this.producers.markSnapshotDeleted(segment.baseOffset),
        this.#config.fileDeleteDelayMs,
      )
    }
    this.#reader.forgetPositions()
  }

  #advanceLogStart(offset: bigint): void {
    if (offset <= this.#logStartOffset) return
    this.#logger.info('log start moved', { from: this.#logStartOffset, to: offset })
    this.#logStartOffset = offset
    if (this.#highWatermark < offset) this.#highWatermark = offset
    this.leaderEpochs.truncateFromStart(offset)
    this.producers.onLogStart(offset)
    void this.leaderEpochs.persist(this.#writtenEndOffset)
  }

  /** After a truncation. */
  #setEnds(offset: bigint): void {
    this.#logEndOffset = offset
    this.#writtenEndOffset = offset
    if (this.#highWatermark > offset) this.#highWatermark = offset
    this.#durability.truncatedTo(offset)
    this.#reader.forgetPositions()
  }

  #rebuildProducers(endOffset: bigint): void {
    const snapshot = replayLog({
      producers: this.producers,
      segments: this.#segments,
      services: this.#services,
      logStartOffset: this.#logStartOffset,
      endOffset,
    })
    this.#durability.addSnapshot(snapshot)
  }

  /** Runs something that reads; the first read error fails the log. */
  #reading<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      if (error instanceof KafkaError) throw error
      throw this.#fail(error as Error)
    }
  }

  async #readingLater<T>(read: () => Promise<T>): Promise<T> {
    this.#assertUsable()
    try {
      return await read()
    } catch (error) {
      if (error instanceof KafkaError || this.#isClosed) throw error
      throw this.#fail(error as Error)
    }
  }

  #changing(change: () => void): void {
    try {
      change()
    } catch (error) {
      throw this.#fail(error as Error)
    }
  }

  #fail(error: Error): KafkaError {
    if (this.#failure === null) {
      this.#failure = error
      this.#logger.error('the log failed', { error })
      this.#staged?.fail(error)
      this.#durability.failWaiters(error)
      this.#onFailure(error)
    }
    return this.#storageError(error)
  }

  #storageError(cause: Error): KafkaError {
    if (cause instanceof KafkaError && cause.code === ErrorCode.KAFKA_STORAGE_ERROR) return cause
    return new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, `${this.#name} in ${this.#directory}: ${cause.message}`, {
      cause,
    })
  }

  #assertUsable(): void {
    if (this.#failure !== null) throw this.#storageError(this.#failure)
    if (this.#isClosed) throw new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, `${this.#name} is closed`)
  }

  #assertIdle(): void {
    if (this.#staged !== null && !this.#staged.isIdle)
      throw new Error(`${this.#name}: truncated while appends are staged`)
  }

  #release(): void {
    this.#durability.release()
    this.#removals.release()
    for (const segment of this.#segments.all) segment.closeFiles()
  }
}

function clamp(offset: bigint, low: bigint, high: bigint): bigint {
  return offset < low ? low : offset > high ? high : offset
}
