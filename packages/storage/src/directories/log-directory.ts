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
import { DirectoryCheckpoints, type CheckpointedOffsets } from './directory-checkpoints.ts'
import { isDiskFailure } from './io-error.ts'
import { UnsettledLogs } from './unsettled-logs.ts'

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
  readonly checkpoints: DirectoryCheckpoints
  /** Logs whose directory entry and partition.metadata may not be on the disk yet. */
  readonly unsettled: UnsettledLogs
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #onFailure: LogDirectoryOptions['onFailure']
  #lock: Disposable | null = null
  #failure: Error | null = null
  #isSyncScheduled = false

  constructor({ path, disk, clock, logger, files, onFailure }: LogDirectoryOptions) {
    this.path = path
    this.#disk = disk
    this.#clock = clock
    this.#logger = logger.child({ directory: path })
    this.#onFailure = onFailure
    this.checkpoints = new DirectoryCheckpoints(this, { disk, clock, logger: this.#logger })
    this.unsettled = new UnsettledLogs(this, { disk, clock, files })
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

  /** Reads what the last owner left: markers and checkpoints. From here on a crash counts as one. */
  readState(): CheckpointedOffsets {
    this.isSameBoot = isSameBoot(this.#disk, this.path)
    this.cleanShutdown = takeCleanShutdownMarker(this.#disk, this.path)
    if (this.cleanShutdown !== null) this.#disk.syncDirectorySync(this.path)
    return this.checkpoints.read()
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
    this.unsettled.delete(hosted)
  }

  /** Renames a log's directory and tells the log. Durable after the present turn. @throws the disk's error. */
  rename(hosted: HostedLog, name: string): void {
    const path = `${this.path}/${name}`
    this.#disk.renameSync(hosted.log.directory, path)
    hosted.log.movedTo(path)
    this.#syncEntriesSoon()
  }

  /** As `rename`, but durable when it returns. */
  renameDurably(hosted: HostedLog, name: string): void {
    const path = `${this.path}/${name}`
    this.#disk.renameSync(hosted.log.directory, path)
    hosted.log.movedTo(path)
    this.#disk.syncDirectorySync(this.path)
  }

  /** One sync of the directory for all renames of this turn. */
  #syncEntriesSoon(): void {
    if (this.#isSyncScheduled) return
    this.#isSyncScheduled = true
    this.#clock.endOfTurn(() => {
      this.#isSyncScheduled = false
      this.guard(() => this.#disk.syncDirectorySync(this.path))
    })
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
    this.unsettled.clear()
    this.#logger.error('Log directory failed and is offline until the next start', { logs: lost.length, error })
    for (const { log } of lost) log.abandon(error)
    this.release()
    this.#onFailure(this, error, lost)
  }
}
