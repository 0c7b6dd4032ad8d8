/** What a log consists of: shared by PartitionLog and the files that append to it, cut it, and move its start. */
import type { Logger } from '@millrace/runtime'
import { LeaderEpochs } from './leader-epochs.ts'
import type { LogConfig } from './log-config.ts'
import { LogCleaning } from './log-cleaning.ts'
import { LogDurability } from './log-durability.ts'
import { LogEnds } from './log-ends.ts'
import { LogHealth } from './log-health.ts'
import { LogReader } from './log-reader.ts'
import type { LogServices } from './log-services.ts'
import type { NewPartitionLog } from './partition-log-options.ts'
import { ProducerStates } from './producers/producer-states.ts'
import { SegmentList } from './segments/segment-list.ts'
import { SegmentRemovals } from './segments/segment-removals.ts'

const dayMs = 24 * 60 * 60 * 1000

export class LogState {
  /** `<topic>-<partition>` */
  readonly name: string
  readonly services: LogServices
  readonly logger: Logger
  readonly leaderEpochs: LeaderEpochs
  readonly producers: ProducerStates
  readonly segments = new SegmentList()
  readonly ends = new LogEnds()
  readonly health: LogHealth
  readonly durability: LogDurability
  readonly reader: LogReader
  readonly removals: SegmentRemovals
  readonly cleaning: LogCleaning
  directory: string
  config: LogConfig

  /** `snapshots`: offsets of the snapshots of producer state in the directory. `onFailure`: as of LogHealth. */
  constructor(options: NewPartitionLog, snapshots: readonly bigint[], onFailure: (error: Error) => void) {
    const { services, directory, topic, partition } = options
    const { clock, disk, rewrites } = services
    const { segments, ends } = this
    const name = `${topic}-${partition}`
    const logger = options.logger.child({ partition: name })
    const fail = (error: Error) => void this.health.fail(error)
    this.name = name
    this.services = services
    this.logger = logger
    this.directory = directory
    this.config = options.config
    this.health = new LogHealth({ log: this, logger, onFailure })
    this.leaderEpochs = new LeaderEpochs({ disk, logger, directory, rewrites, onFailure: fail })
    this.producers = new ProducerStates(
      {
        disk,
        logger,
        directory,
        partition: name,
        producerIdExpirationMs: options.producerIdExpirationMs ?? dayMs,
        maxTransactionTimeoutMs: options.maxTransactionTimeoutMs ?? 900_000,
      },
      snapshots,
    )
    this.durability = new LogDurability(this)
    this.reader = new LogReader({ clock, segments, log: ends })
    this.removals = new SegmentRemovals({ clock, disk, onFailure: fail })
    this.cleaning = new LogCleaning(this, options.firstDirtyOffset ?? null, options.onDirtyOffsetLowered ?? (() => {}))
  }

  /** The first offset of the earliest undecided transaction, at most the high watermark. */
  lastStableOffset(): bigint {
    const { highWatermark, logStartOffset } = this.ends
    const unstable = this.producers.firstUnstableOffset
    if (unstable === null || unstable >= highWatermark) return highWatermark
    return unstable < logStartOffset ? logStartOffset : unstable
  }

  /** The directory was renamed. */
  movedTo(directory: string): void {
    this.directory = directory
    for (const segment of this.segments.all) segment.movedTo(directory)
    this.removals.movedTo(directory)
    this.leaderEpochs.movedTo(directory)
    this.producers.movedTo(directory)
  }

  /** Closes files and stops everything that would still happen. */
  release(): void {
    this.durability.release()
    this.removals.release()
    for (const segment of this.segments.all) segment.closeFiles()
  }
}
