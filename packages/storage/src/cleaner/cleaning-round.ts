/**
 * One round over one log: the map of its dirty part, then its segments, group by group, each put in place when it is done.
 *
 * While the hand works the log goes on: it is appended to, read, rolled, and what the round is based on may go (a truncation, the deletion of the
 * topic). Then the round ends with CleaningStoppedError, and what was put in place before is as good as it was.
 */
import type { Logger } from '@millrace/runtime'
import type { HostedLog } from '../directories/log-directory.ts'
import type { CleanableRange, LogCleaning } from '../log-cleaning.ts'
import type { LogServices } from '../log-services.ts'
import type { Segment } from '../segments/segment.ts'
import { removeCleanedFiles } from './cleaned-segment.ts'
import type { CleanerConfig } from './cleaner-config.ts'
import { CleaningStoppedError, type CleanerHand } from './cleaner-hand.ts'
import type { GroupJob, GroupResult } from './cleaning-jobs.ts'
import { groupSegments } from './segment-groups.ts'

export interface CleaningRoundOptions {
  readonly hosted: HostedLog
  readonly range: CleanableRange
  readonly hand: CleanerHand
  readonly config: CleanerConfig
  readonly services: LogServices
  readonly logger: Logger
  /** The round is to end: somebody else has need of the log. */
  readonly isStopped: () => boolean
}

/** Of the time when the round began. */
interface GroupBasis {
  readonly nowMs: bigint
  /** Of files: tombstones of magic 0 and 1 in older ones go. */
  readonly legacyHorizonMs: number
  readonly producers: GroupJob['producers']
}

interface Totals {
  bytesRead: number
  bytesKept: number
  recordsRead: number
  recordsKept: number
  keylessRecords: number
}

export class CleaningRound {
  readonly #options: CleaningRoundOptions
  readonly #cleaning: LogCleaning
  readonly #cutsBefore: number
  readonly #totals: Totals = { bytesRead: 0, bytesKept: 0, recordsRead: 0, recordsKept: 0, keylessRecords: 0 }

  constructor(options: CleaningRoundOptions) {
    this.#options = options
    this.#cleaning = options.hosted.log.cleaning
    this.#cutsBefore = this.#cleaning.cuts
  }

  /** @throws CleaningStoppedError; the disk's error; whatever is wrong with the log's content, or our program. */
  async run(): Promise<void> {
    const { range, hand, config, services, hosted, logger } = this.#options
    const { firstDirtyOffset, firstUncleanableOffset } = range
    const cleaning = this.#cleaning
    const { log } = hosted
    const startMs = services.clock.monotonicMs()
    const nowMs = BigInt(services.clock.now())
    const basis: GroupBasis = {
      nowMs,
      legacyHorizonMs: this.#legacyHorizonMs(),
      producers: cleaning.lastRecordsOfProducers(),
    }
    const dirty = cleaning.segments(firstDirtyOffset, firstUncleanableOffset)
    // What is durable must not give way to what a crash of the system could still take: records, and the markers that decide on them.
    await this.#undisturbed(dirty, () => log.flush())
    const map = await this.#undisturbed(dirty, () =>
      hand.buildMap({
        ...this.#place(),
        segments: dirty.map((segment) => ({
          ...sourceOf(segment),
          startPosition: segment.baseOffset >= firstDirtyOffset ? 0 : segment.positionBelow(firstDirtyOffset),
          endOffset: cleaning.endOf(segment),
        })),
        firstDirtyOffset,
        aborted: cleaning.abortedBetween(firstDirtyOffset, firstUncleanableOffset),
        memoryBytes: Math.floor(config.dedupeBufferBytes / config.threads),
        loadFactor: config.loadFactor,
      }),
    )
    const { segmentBytes, segmentIndexBytes: indexBytes } = log.config
    const groups = groupSegments(cleaning.segments(0n, map.endOffset).map(grouped), {
      segmentBytes,
      indexBytes,
      endOffset: firstUncleanableOffset,
    })
    for (const group of groups) {
      const old = group.map(({ segment }) => segment)
      // A segment of nothing has nothing to leave out, and no end to keep.
      if (old.some(({ sizeBytes }) => sizeBytes > 0)) await this.#clean(old, basis)
    }
    cleaning.cleanedTo(map.endOffset)
    const { keylessRecords, ...totals } = this.#totals
    logger.info('cleaned a log', {
      ...totals,
      from: firstDirtyOffset,
      to: map.endOffset,
      mapBytesRead: map.bytesRead,
      mapUsed: Number(map.mapUtilization.toFixed(3)),
      durationMs: Math.round(services.clock.monotonicMs() - startMs),
    })
    if (keylessRecords > 0) logger.warn('dropped records without a key from a compacted log', { keylessRecords })
  }

  async #clean(old: readonly Segment[], { nowMs, legacyHorizonMs, producers }: GroupBasis): Promise<void> {
    const { hand, services, hosted } = this.#options
    const { log } = hosted
    const cleaning = this.#cleaning
    const { config } = log
    const { baseOffset } = old[0]!
    try {
      const result = await this.#undisturbed(old, () =>
        hand.cleanGroup({
          ...this.#place(),
          segments: old.map((segment) => ({
            ...sourceOf(segment),
            aborted: cleaning.abortedBetween(segment.baseOffset, cleaning.endOf(segment)),
            keepsLegacyTombstones: segment.modifiedMs() > legacyHorizonMs,
          })),
          producers,
          nowMs,
          deleteRetentionMs: BigInt(config.deleteRetentionMs),
          indexIntervalBytes: config.indexIntervalBytes,
        }),
      )
      cleaning.replace(old, result)
      this.#count(result)
    } catch (error) {
      // In the directory as it is called now; it may have been renamed.
      if (hosted.directory.isOnline && !log.isClosed) removeCleanedFiles(services, log.directory, baseOffset)
      throw error
    }
  }

  #place() {
    const { hosted, config } = this.#options
    const { log } = hosted
    return {
      partition: `${log.topic}-${log.partition}`,
      directory: log.directory,
      bufferBytes: Math.floor(config.ioBufferBytes / config.threads / 2),
    }
  }

  /** Tombstones of magic 0 and 1 go from segments older than this: from what was clean for `delete.retention.ms`. */
  #legacyHorizonMs(): number {
    const { hosted, range } = this.#options
    const clean = this.#cleaning.segments(0n, range.firstDirtyOffset).at(-1)
    return clean === undefined ? 0 : clean.modifiedMs() - hosted.log.config.deleteRetentionMs
  }

  /**
   * What `work` on the segments comes to. @throws CleaningStoppedError when they, or the log, were cut, closed or taken away meanwhile, whatever
   * came of the work: it may have failed by that.
   */
  async #undisturbed<Result>(segments: readonly Segment[], work: () => Promise<Result>): Promise<Result> {
    let cause: unknown
    try {
      const result = await work()
      if (!this.#isDisturbed(segments)) return result
    } catch (error) {
      if (!this.#isDisturbed(segments)) throw error
      cause = error
    }
    throw new CleaningStoppedError('what was to be cleaned was cut, closed or taken away', { cause })
  }

  #isDisturbed(segments: readonly Segment[]): boolean {
    const { hosted, isStopped } = this.#options
    const { log } = hosted
    const cleaning = this.#cleaning
    return (
      isStopped() ||
      log.isClosed ||
      log.failure !== null ||
      cleaning.cuts !== this.#cutsBefore ||
      !cleaning.has(segments)
    )
  }

  #count({ bytesRead, sizeBytes, recordsRead, recordsKept, keylessRecords }: GroupResult): void {
    const totals = this.#totals
    totals.bytesRead += bytesRead
    totals.bytesKept += sizeBytes
    totals.recordsRead += recordsRead
    totals.recordsKept += recordsKept
    totals.keylessRecords += keylessRecords
  }
}

function sourceOf({ baseOffset, writtenBytes }: Segment) {
  return { baseOffset, sizeBytes: writtenBytes }
}

function grouped(segment: Segment) {
  const { baseOffset, sizeBytes, indexFileSizes } = segment
  return { segment, baseOffset, sizeBytes, ...indexFileSizes }
}
