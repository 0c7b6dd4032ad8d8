/** The offset checkpoints of a log directory: what they said at the start, and when they are written. */
import type { Clock, Disk, Logger } from '@millrace/runtime'
import type { HostedLog, LogDirectory } from './log-directory.ts'
import { CorruptCheckpointError, OffsetCheckpoint, type PartitionOffsets } from './offset-checkpoint.ts'

export interface CheckpointedOffsets {
  readonly recoveryPoints: PartitionOffsets
  readonly logStartOffsets: PartitionOffsets
  readonly highWatermarks: PartitionOffsets
  readonly firstDirtyOffsets: PartitionOffsets
}

const checkpointNames = ['recovery-point', 'log-start-offset', 'high-watermark', 'cleaner'] as const
export type CheckpointName = (typeof checkpointNames)[number]

export class DirectoryCheckpoints {
  readonly #directory: LogDirectory
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #files: Readonly<Record<CheckpointName, OffsetCheckpoint>>
  #isScheduled = false

  constructor(directory: LogDirectory, { disk, clock, logger }: { disk: Disk; clock: Clock; logger: Logger }) {
    const { path } = directory
    this.#directory = directory
    this.#clock = clock
    this.#logger = logger
    this.#files = {
      'recovery-point': new OffsetCheckpoint(disk, `${path}/recovery-point-offset-checkpoint`),
      'log-start-offset': new OffsetCheckpoint(disk, `${path}/log-start-offset-checkpoint`),
      'high-watermark': new OffsetCheckpoint(disk, `${path}/replication-offset-checkpoint`),
      cleaner: new OffsetCheckpoint(disk, `${path}/cleaner-offset-checkpoint`),
    }
  }

  /** What the last owner left. A corrupt checkpoint is reset, which costs a longer recovery but no data. @throws the disk's error. */
  read(): CheckpointedOffsets {
    return {
      recoveryPoints: this.#read('recovery-point', 'every log is recovered from its start'),
      logStartOffsets: this.#read('log-start-offset', 'logs start at their first segment'),
      highWatermarks: this.#read('high-watermark', 'high watermarks start at the log start offsets'),
      firstDirtyOffsets: this.#read('cleaner', 'compacted logs are cleaned from their start'),
    }
  }

  #read(name: CheckpointName, consequence: string): PartitionOffsets {
    try {
      return this.#files[name].read()
    } catch (error) {
      if (!(error instanceof CorruptCheckpointError)) throw error
      this.#logger.warn('Checkpoint is corrupt and is reset', { checkpoint: name, consequence, error })
      return new Map()
    }
  }

  /** At the end of the turn: removes what the checkpoints say of a log that has just gone. */
  writeSoon(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#clock.endOfTurn(() => {
      this.#isScheduled = false
      void this.writeAll()
    })
  }

  /** All; each only when it changes. */
  async writeAll(): Promise<void> {
    for (const name of checkpointNames) await this.write(name)
  }

  /** Writes a checkpoint if it would differ from the file. A failure takes the directory offline. */
  async write(name: CheckpointName): Promise<void> {
    if (!this.#directory.isOnline) return
    await this.#directory.guardAsync(() => this.#files[name].write(() => this.#offsets(name)))
  }

  /**
   * Before a log is made: what the checkpoints still say of an earlier log of the same name must not be taken for its own. Durable when
   * it returns. Nearly always there is nothing to do, as a removal has the checkpoints written at the end of its turn.
   */
  forget(key: string): void {
    for (const name of checkpointNames) {
      const file = this.#files[name]
      if (file.mentions(key)) file.writeNow(this.#offsets(name))
    }
  }

  #offsets(name: CheckpointName): PartitionOffsets {
    const offsets = new Map<string, bigint>()
    if (name !== 'cleaner') for (const hosted of this.#directory.futures.values()) addOffset(offsets, name, hosted)
    for (const hosted of this.#directory.logs.values()) addOffset(offsets, name, hosted)
    return offsets
  }
}

function addOffset(offsets: Map<string, bigint>, name: CheckpointName, { key, log }: HostedLog): void {
  if (name === 'recovery-point') offsets.set(key, log.recoveryCheckpoint)
  else if (name === 'high-watermark') offsets.set(key, log.highWatermark)
  else if (name === 'cleaner') {
    if (log.cleaning.firstDirtyOffset !== null) offsets.set(key, log.cleaning.firstDirtyOffset)
  }
  // A log that starts at its first segment needs no entry; one that starts at 0 surely does.
  else if (log.logStartOffset > 0n) offsets.set(key, log.logStartOffset)
}
