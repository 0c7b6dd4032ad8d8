/**
 * One of the broker's `log.dirs`: the logs in it, the files that speak about all of them, and whether it still works.
 *
 * A disk error on any of its files takes the whole directory offline, for good: a disk that has lied once is not asked again before a
 * restart. The other directories go on.
 */
import { dirname } from 'node:path'
import type { Clock, Disk, Logger } from '@millrace/runtime'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { FilePool } from '../file-pool.ts'
import type { PartitionLog } from '../partition-log.ts'
import { takeCleanShutdownMarker, writeCleanShutdownMarker, type CleanShutdown } from './clean-shutdown-marker.ts'
import { isSameBoot, writeBootMarker } from './boot-marker.ts'
import { isDiskFailure } from './io-error.ts'
import { CorruptCheckpointError, OffsetCheckpoint } from './offset-checkpoint.ts'
import { forEachPaced } from './pace.ts'
import { partitionMetadataFile } from './partition-metadata.ts'

/** A log and what the manager knows about it. */
export interface HostedLog {
  readonly log: PartitionLog
  /** `<topic> <partition>` */
  readonly key: string
  readonly directory: LogDirectory
  /** A copy being filled by AlterReplicaLogDirs; changes once, to false. */
  isFuture: boolean
  /** null when partition.metadata is missing: the log was written by a Kafka before 2.8. */
  topicId: string | null
  /** Monotonic; of the flush scheduler. */
  lastFlushMs: number
}

export interface CheckpointedOffsets {
  readonly recoveryPoints: ReadonlyMap<string, bigint>
  readonly logStartOffsets: ReadonlyMap<string, bigint>
  readonly highWatermarks: ReadonlyMap<string, bigint>
}

export interface LogDirectoryOptions {
  /** Absolute. */
  readonly path: string
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
  readonly files: FilePool
  /** Called once, when the directory goes offline, with the logs it held. */
  readonly onFailure: (directory: LogDirectory, error: Error, lost: readonly HostedLog[]) => void
}

const checkpointNames = ['recovery-point', 'log-start-offset', 'high-watermark'] as const
export type CheckpointName = (typeof checkpointNames)[number]

const settleConcurrency = 4

/** Invariant: `logs` and `futures` are empty when `failure` is set, and every log in them has this directory as its own. */
export class LogDirectory {
  readonly path: string
  /** Present logs by key. */
  readonly logs = new Map<string, HostedLog>()
  /** `-future` logs by key. */
  readonly futures = new Map<string, HostedLog>()
  /** `directory.id`; null until meta.properties was read. */
  id: string | null = null
  /** No new logs are put here unless there is no other directory (`cordoned.log.dirs`). */
  isCordoned = false
  /** What the last stop left behind; null after a crash. */
  cleanShutdown: CleanShutdown | null = null
  /** The system has not crashed since the logs were last sound. */
  isSameBoot = false
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #files: FilePool
  readonly #onFailure: LogDirectoryOptions['onFailure']
  readonly #checkpoints: Readonly<Record<CheckpointName, OffsetCheckpoint>>
  /** Logs whose directory entry and partition.metadata may not be on the disk yet. */
  readonly #unsettled = new Set<HostedLog>()
  #lock: Disposable | null = null
  #failure: Error | null = null
  #syncScheduled = false
  #checkpointsScheduled = false

  constructor({ path, disk, clock, logger, files, onFailure }: LogDirectoryOptions) {
    this.path = path
    this.#disk = disk
    this.#clock = clock
    this.#logger = logger.child({ directory: path })
    this.#files = files
    this.#onFailure = onFailure
    this.#checkpoints = {
      'recovery-point': new OffsetCheckpoint(disk, `${path}/recovery-point-offset-checkpoint`),
      'log-start-offset': new OffsetCheckpoint(disk, `${path}/log-start-offset-checkpoint`),
      'high-watermark': new OffsetCheckpoint(disk, `${path}/replication-offset-checkpoint`),
    }
  }

  /** Why the directory is offline; null while it is online. */
  get failure(): Error | null {
    return this.#failure
  }

  get isOnline(): boolean {
    return this.#failure === null
  }

  /** Makes the directory when it is missing and takes its lock. @throws KafkaError when another process or broker has it; the disk's error. */
  acquire(): void {
    if (!this.#disk.existsSync(this.path)) {
      this.#logger.info('Log directory not found, creating it')
      this.#disk.makeDirectorySync(this.path)
      this.#disk.syncDirectorySync(dirname(this.path))
    }
    this.#lock = this.#disk.tryLock(`${this.path}/.lock`)
    if (this.#lock === null)
      throw new KafkaError(
        ErrorCode.KAFKA_STORAGE_ERROR,
        `${this.path}/.lock is held: another broker, in this process or another, uses the log directory`,
      )
  }

  /**
   * Reads what the last owner left: markers and checkpoints. From here on a crash counts as one. A corrupt checkpoint is reset, which
   * costs a longer recovery but no data.
   */
  readState(): CheckpointedOffsets {
    this.isSameBoot = isSameBoot(this.#disk, this.path)
    this.cleanShutdown = takeCleanShutdownMarker(this.#disk, this.path)
    if (this.cleanShutdown !== null) this.#disk.syncDirectorySync(this.path)
    return {
      recoveryPoints: this.#readCheckpoint('recovery-point', 'every log is recovered from its start'),
      logStartOffsets: this.#readCheckpoint('log-start-offset', 'logs start at their first segment'),
      highWatermarks: this.#readCheckpoint('high-watermark', 'high watermarks start at the log start offsets'),
    }
  }

  #readCheckpoint(name: CheckpointName, consequence: string): ReadonlyMap<string, bigint> {
    try {
      return this.#checkpoints[name].read()
    } catch (error) {
      if (!(error instanceof CorruptCheckpointError)) throw error
      this.#logger.warn('Checkpoint is corrupt and is reset', { checkpoint: name, consequence, error })
      return new Map()
    }
  }

  /** All logs are open and sound. */
  markLoaded(): void {
    writeBootMarker(this.#disk, this.path)
  }

  add(hosted: HostedLog): void {
    ;(hosted.isFuture ? this.futures : this.logs).set(hosted.key, hosted)
  }

  /** Takes the log out of the directory's books; nothing happens on the disk. */
  forget(hosted: HostedLog): void {
    ;(hosted.isFuture ? this.futures : this.logs).delete(hosted.key)
    this.#unsettled.delete(hosted)
  }

  /** Renames a log's directory and tells the log. Durable after the present turn. @throws the disk's error. */
  rename(hosted: HostedLog, name: string): void {
    const path = `${this.path}/${name}`
    this.#disk.renameSync(hosted.log.directory, path)
    hosted.log.movedTo(path)
    this.syncEntriesSoon()
  }

  /** As `rename`, but durable when it returns. */
  renameDurably(hosted: HostedLog, name: string): void {
    const path = `${this.path}/${name}`
    this.#disk.renameSync(hosted.log.directory, path)
    hosted.log.movedTo(path)
    this.#disk.syncDirectorySync(this.path)
  }

  /** One sync of the directory for all renames of this turn. */
  syncEntriesSoon(): void {
    if (this.#syncScheduled) return
    this.#syncScheduled = true
    this.#clock.endOfTurn(() => {
      this.#syncScheduled = false
      this.guard(() => this.#disk.syncDirectorySync(this.path))
    })
  }

  /** A log was made here; its directory entry is not durable before `settle`. */
  markUnsettled(hosted: HostedLog): void {
    this.#unsettled.add(hosted)
  }

  /** Makes the directories of new logs durable. */
  async settle(): Promise<void> {
    if (this.#unsettled.size === 0 || !this.isOnline) return
    const logs = [...this.#unsettled]
    await this.guardAsync(async () => {
      await forEachPaced(logs, { clock: this.#clock, concurrency: settleConcurrency }, async (hosted) => {
        if (!this.#unsettled.has(hosted)) return
        if (hosted.topicId !== null) {
          const file = this.#files.file(`${hosted.log.directory}/${partitionMetadataFile}`, 'write')
          try {
            await file.sync()
          } finally {
            file.close()
          }
        }
        if (this.#unsettled.delete(hosted)) this.#disk.syncDirectorySync(hosted.log.directory)
      })
      this.#disk.syncDirectorySync(this.path)
    })
  }

  /** As `settle` for one log, before it returns: for a topic whose records must survive from the first on. */
  settleSync(hosted: HostedLog): void {
    if (hosted.topicId !== null)
      this.#files.withFile(`${hosted.log.directory}/${partitionMetadataFile}`, 'write', (file) => file.syncSync())
    this.#disk.syncDirectorySync(hosted.log.directory)
    this.#disk.syncDirectorySync(this.path)
    this.#unsettled.delete(hosted)
  }

  /** Removes what the checkpoints say of a log that has just gone. */
  writeCheckpointsSoon(): void {
    if (this.#checkpointsScheduled) return
    this.#checkpointsScheduled = true
    this.#clock.endOfTurn(() => {
      this.#checkpointsScheduled = false
      void this.writeCheckpoints()
    })
  }

  /** All three; each only when it changes. */
  async writeCheckpoints(): Promise<void> {
    for (const name of checkpointNames) await this.writeCheckpoint(name)
  }

  /** Writes a checkpoint if it would differ from the file. A failure takes the directory offline. */
  async writeCheckpoint(name: CheckpointName): Promise<void> {
    if (!this.isOnline) return
    await this.guardAsync(() => this.#checkpoints[name].write(() => this.#offsets(name)))
  }

  /**
   * Before a log is made: what the checkpoints still say of an earlier log of the same name must not be taken for its own. Durable when
   * it returns. Nearly always there is nothing to do, as a removal has the checkpoints written at the end of its turn.
   */
  forgetOffsetsOf(key: string): void {
    for (const name of checkpointNames) {
      const checkpoint = this.#checkpoints[name]
      if (checkpoint.mentions(key)) checkpoint.writeNow(this.#offsets(name))
    }
  }

  #offsets(name: CheckpointName): Map<string, bigint> {
    const offsets = new Map<string, bigint>()
    for (const hosted of this.futures.values()) addOffset(offsets, name, hosted)
    for (const hosted of this.logs.values()) addOffset(offsets, name, hosted)
    return offsets
  }

  /** The last thing before the process ends, when every log was flushed and closed. */
  markCleanShutdown(brokerEpoch: bigint): void {
    writeCleanShutdownMarker(this.#disk, this.path, brokerEpoch)
  }

  /** Gives up the lock. A disk that has failed may not even let the lock file go; the process's end does. */
  release(): void {
    const lock = this.#lock
    this.#lock = null
    try {
      lock?.[Symbol.dispose]()
    } catch (error) {
      if (!isDiskFailure(error)) throw error
      this.#logger.warn('Lock file could not be removed', { error })
    }
  }

  /** Runs `work`; a disk failure takes the directory offline and is thrown as KAFKA_STORAGE_ERROR. */
  attempt<T>(what: string, work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (!isDiskFailure(error)) throw error
      this.fail(error)
      throw new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, `${what} failed in ${this.path}: ${error.message}`, {
        cause: error,
      })
    }
  }

  /** Runs `work`; a disk failure takes the directory offline. */
  guard(work: () => void): void {
    if (!this.isOnline) return
    try {
      work()
    } catch (error) {
      if (!isDiskFailure(error)) throw error
      this.fail(error)
    }
  }

  async guardAsync(work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!isDiskFailure(error)) throw error
      this.fail(error)
    }
  }

  /** Takes the directory offline: its logs refuse everything from now on. Idempotent. */
  fail(error: Error): void {
    if (this.#failure !== null) return
    this.#failure = error
    const lost = [...this.logs.values(), ...this.futures.values()]
    this.logs.clear()
    this.futures.clear()
    this.#unsettled.clear()
    this.#logger.error('Log directory failed and is offline until the next start', { logs: lost.length, error })
    for (const { log } of lost) log.abandon(error)
    this.release()
    this.#onFailure(this, error, lost)
  }
}

function addOffset(offsets: Map<string, bigint>, name: CheckpointName, { key, log }: HostedLog): void {
  if (name === 'recovery-point') offsets.set(key, log.recoveryCheckpoint)
  else if (name === 'high-watermark') offsets.set(key, log.highWatermark)
  // A log that starts at its first segment needs no entry; one that starts at 0 surely does.
  else if (log.logStartOffset > 0n) offsets.set(key, log.logStartOffset)
}
