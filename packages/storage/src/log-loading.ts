/**
 * Opening a log: what is in its directory, and what of that can be trusted. Source: Kafka's LogLoader; PROTOCOL §3.7.
 *
 * After a clean stop everything can. After an unclean one:
 * - the system has not crashed since (`trustPageCache`): every write that ended is there, and a segment is complete with its indexes before
 *   the next one gets its first byte; so only the end of the last segment is checked, from its last index entry on;
 * - otherwise every batch of the segments from the recovery point on is checked, their indexes are written anew, the log is cut at the
 *   first bad batch and the segments behind it go.
 */
import type { Logger } from '@millrace/runtime'
import { leaderEpochCheckpointFile } from './formats/leader-epoch-checkpoint.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import type { ExistingPartitionLog } from './partition-log-options.ts'
import type { ProducerStates } from './producers/producer-states.ts'
import { replayBatches } from './producers/replay-log.ts'
import { CorruptSegmentError } from './segments/corrupt-segment-error.ts'
import { scanSegment, type ScanResult } from './segments/scan-segment.ts'
import { Segment } from './segments/segment.ts'
import { SegmentList } from './segments/segment-list.ts'
import { tidyDirectory } from './segments/tidy-directory.ts'

/** The parts of a log that loading fills. */
export interface LogParts<Log> {
  readonly log: Log
  readonly producers: ProducerStates
  readonly leaderEpochs: LeaderEpochs
  readonly logger: Logger
}

export interface LoadedLog<Log> {
  readonly log: Log
  /** Ascending; empty for a log that has no file yet. */
  readonly segments: readonly Segment[]
  readonly logStartOffset: bigint
  readonly logEndOffset: bigint
  readonly recoveryPoint: bigint
}

/** Walking over more than this to rebuild producer state is worth a snapshot, lest the next start walks again. */
const snapshotAfterBytes = 1024 * 1024

/** `makeParts` gets the offsets of the snapshot files. */
export async function loadLog<Log>(
  options: ExistingPartitionLog,
  makeParts: (snapshots: readonly bigint[]) => LogParts<Log>,
): Promise<LoadedLog<Log>> {
  const { services, directory, config } = options
  const names = tidyDirectory(services, options.logger, directory)
  const parts = makeParts(names.snapshots)
  const { leaderEpochs, logger } = parts
  if (names.others.has(leaderEpochCheckpointFile)) leaderEpochs.load()
  const segments = new SegmentList()
  for (const baseOffset of names.logs)
    segments.add(
      new Segment({
        services,
        logger,
        directory,
        baseOffset,
        sizeBytes: names.sizeBytesOf(baseOffset),
        config,
        exists: true,
        hasTransactionIndex: names.transactionIndexes.has(baseOffset),
      }),
    )
  const loader = new Loader(options, parts, segments)
  if (segments.count === 0) return loader.finish(options.logStartOffset)
  try {
    return loader.finish(await loader.findEnd())
  } catch (error) {
    if (!(error instanceof CorruptSegmentError)) throw error
    // Damage where none was to be expected: somebody changed the files, or the disk lied.
    logger.error('a segment that should be sound is damaged: recovering the log from there', { error })
    return loader.finish(await loader.recover(error.baseOffset))
  }
}

class Loader<Log> {
  readonly #options: ExistingPartitionLog
  readonly #parts: LogParts<Log>
  readonly #segments: SegmentList
  /** What recovery did is in `producers` up to the log end already. */
  #areProducersReplayed = false

  constructor(options: ExistingPartitionLog, parts: LogParts<Log>, segments: SegmentList) {
    this.#options = options
    this.#parts = parts
    this.#segments = segments
  }

  findEnd(): bigint | Promise<bigint> {
    const { wasCleanShutdown, trustPageCache, recoveryPoint } = this.#options
    const { active } = this.#segments
    if (wasCleanShutdown) {
      // A clean stop leaves a snapshot at the end and says so in the recovery point: two witnesses, so the log need not be read.
      const snapshot = this.#parts.producers.latestSnapshotOffset
      if (snapshot !== null && snapshot === recoveryPoint && snapshot > active.baseOffset && active.sizeBytes > 0)
        return snapshot
      return active.readEndOffset()
    }
    return trustPageCache ? this.#checkEnd() : this.recover(recoveryPoint)
  }

  finish(end: bigint): LoadedLog<Log> {
    const { log, producers, leaderEpochs, logger } = this.#parts
    const { recoveryPoint, wasCleanShutdown } = this.#options
    const segments = this.#segments
    let logEndOffset = end
    let logStartOffset = this.#options.logStartOffset
    if (segments.count > 0 && logEndOffset < logStartOffset) {
      logger.warn('dropping all segments, as the log ends below its start: files were lost', {
        logEndOffset,
        logStartOffset,
      })
      while (segments.count > 0) this.#drop(segments.active)
      leaderEpochs.clear()
      producers.truncateFullyAndStartAt(logStartOffset)
      logEndOffset = logStartOffset
    }
    if (segments.count > 0 && segments.first.baseOffset > logStartOffset) logStartOffset = segments.first.baseOffset
    leaderEpochs.truncateFromEnd(logEndOffset)
    leaderEpochs.truncateFromStart(logStartOffset)
    if (segments.count > 0) this.#loadProducers(logStartOffset, logEndOffset)
    else producers.setMapEndOffset(logEndOffset)
    return {
      log,
      segments: segments.all,
      logStartOffset,
      logEndOffset,
      recoveryPoint: wasCleanShutdown || recoveryPoint > logEndOffset ? logEndOffset : recoveryPoint,
    }
  }

  #loadProducers(logStartOffset: bigint, logEndOffset: bigint): void {
    const { producers } = this.#parts
    const { services, wasCleanShutdown } = this.#options
    const segments = this.#segments
    producers.removeStraySnapshots(
      new Set(segments.all.map(({ baseOffset }) => baseOffset)),
      segments.active.baseOffset,
    )
    if (producers.latestSnapshotOffset === null && wasCleanShutdown) {
      // No snapshots after a clean stop: the log is of a time, or a tool, that wrote none. Empty ones spare the next start a scan.
      for (const offset of [segments.all.at(-2)?.baseOffset, segments.active.baseOffset, logEndOffset]) {
        if (offset === undefined) continue
        producers.setMapEndOffset(offset)
        producers.takeSnapshot()
      }
      return
    }
    producers.truncateAndReload(logStartOffset, logEndOffset, services.clock.now())
    if (this.#areProducersReplayed) return
    const walkedBytes = replayBatches({ producers, segments, services, logStartOffset, endOffset: logEndOffset })
    producers.setMapEndOffset(logEndOffset)
    if (walkedBytes > snapshotAfterBytes) producers.takeSnapshot()
  }

  /** The process died, the system did not: a write may have been cut short, at the very end and nowhere else. */
  async #checkEnd(): Promise<bigint> {
    const { producers } = this.#parts
    const { services, logStartOffset } = this.#options
    const segments = this.#segments
    const { active } = segments
    // Without an index file (none is written before there is enough to index) all of the segment is its end.
    if (active.indexes.findProblem(active.sizeBytes) !== null) return this.recover(active.baseOffset)
    const index = active.offsetIndex
    const position = index.count === 0 ? 0 : index.positionAt(index.count - 1)
    const startOffset = position === 0 ? active.baseOffset : this.#offsetAt(active, position)
    // Producer state where the check begins: it is needed to complete the transaction index.
    producers.truncateAndReload(logStartOffset, startOffset, services.clock.now())
    const walkedBytes = replayBatches({ producers, segments, services, logStartOffset, endOffset: startOffset })
    producers.setMapEndOffset(startOffset)
    const { endOffset, goodBatches } = await this.#scan(active, position)
    // Even what the index points at was bad: this is not what a killed process leaves behind. Check all of the segment.
    if (goodBatches === 0 && position > 0) return this.recover(active.baseOffset)
    this.#areProducersReplayed = true
    if (walkedBytes > snapshotAfterBytes) producers.takeSnapshot()
    return endOffset
  }

  /** Checks every batch from the segment with the recovery point on. */
  async recover(recoveryPoint: bigint): Promise<bigint> {
    const { producers, logger } = this.#parts
    const { services, logStartOffset } = this.#options
    const segments = this.#segments
    const unflushed = segments.from(recoveryPoint)
    const first = unflushed[0]!
    producers.truncateAndReload(logStartOffset, first.baseOffset, services.clock.now())
    replayBatches({ producers, segments, services, logStartOffset, endOffset: first.baseOffset })
    producers.setMapEndOffset(first.baseOffset)
    let end = first.baseOffset
    let done = 0
    for (const segment of unflushed) {
      if (segment.sizeBytes > 0)
        logger.info('recovering a segment', {
          baseOffset: segment.baseOffset,
          bytes: segment.sizeBytes,
          done,
          of: unflushed.length,
        })
      if (producers.mapEndOffset < segment.baseOffset) producers.setMapEndOffset(segment.baseOffset)
      producers.takeSnapshot()
      segment.startRebuild()
      const result = await this.#scan(segment, 0)
      end = result.endOffset
      done++
      // The active one is complete when it is rolled or closed, as ever.
      if (segment !== segments.active) segment.seal()
      if (result.cutBytes === 0 && !this.#isEndMissing(segment, end)) continue
      this.#dropBehind(segment)
      break
    }
    this.#areProducersReplayed = true
    return end
  }

  /**
   * Whether the crash took the end of a segment in whole batches, or all of it, while the next segment was spared: what follows is not what
   * came next. Only Kafka's cleaner leaves a gap between two segments, ours does not; and only below the first dirty offset.
   */
  #isEndMissing(segment: Segment, endOffset: bigint): boolean {
    const next = this.#segments.after(segment)
    if (next === undefined || endOffset >= next.baseOffset) return false
    return next.baseOffset > (this.#options.firstDirtyOffset ?? 0n)
  }

  /** Checks a segment from `position` on and cuts it at the first bad batch. */
  async #scan(segment: Segment, position: number): Promise<ScanResult> {
    const { producers, leaderEpochs, logger } = this.#parts
    const before = segment.sizeBytes
    const result = await scanSegment({ segment, position, producers, leaderEpochs, services: this.#options.services })
    if (result.cutBytes > 0)
      logger.warn('cut the end of a segment', {
        segment: segment.path,
        bytes: result.cutBytes,
        ofBytes: before,
        newEndOffset: result.endOffset,
        reason: result.problem,
      })
    return result
  }

  /** The base offset of the batch at a position the index names. */
  #offsetAt(segment: Segment, position: number): bigint {
    const cursor = this.#options.services.cursor.reset(segment.log, position, segment.writtenBytes)
    return cursor.nextSync() ? cursor.baseOffset : segment.baseOffset
  }

  #dropBehind(segment: Segment): void {
    for (const other of this.#segments.all.filter(({ baseOffset }) => baseOffset > segment.baseOffset)) {
      this.#parts.logger.warn('dropping a segment behind a cut', { segment: other.path, bytes: other.sizeBytes })
      this.#drop(other)
    }
  }

  #drop(segment: Segment): void {
    this.#segments.remove(segment)
    segment.removeFiles()
  }
}
