/**
 * All logs of a broker, over all its log directories: opens them at start, makes, finds and removes them, runs the background tasks, and
 * leaves them so that the next start is quick. What belongs to one directory is in directories/.
 */
import { resolve as resolvePath } from 'node:path'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import { LogCleaner } from './cleaner/log-cleaner.ts'
import { BackgroundTasks } from './directories/background-tasks.ts'
import { closeDirectory } from './directories/close-directory.ts'
import { describeDirectories } from './directories/describe-directory.ts'
import { LogBooks } from './directories/log-books.ts'
import { LogConfigs } from './directories/log-configs.ts'
import { LogDirectory, type HostedLog } from './directories/log-directory.ts'
import { LogMaker } from './directories/log-maker.ts'
import { openDirectories } from './directories/open-directories.ts'
import { writePartitionMetadata } from './directories/partition-metadata.ts'
import { Purge } from './directories/purge.ts'
import { ReplicaMoves } from './directories/replica-moves.ts'
import { ReplicaPlacement } from './directories/replica-placement.ts'
import { Retirement } from './directories/retirement.ts'
import { FilePool } from './file-pool.ts'
import {
  defaultIntervals,
  type DescribedDirectory,
  type HostedPartition,
  type LogManagerOptions,
  type LostPartition,
} from './log-manager-options.ts'
import { createLogServices, type LogServices } from './log-services.ts'
import type { PartitionLog } from './partition-log.ts'

export interface CreateLogOptions {
  /**
   * The partition has just been assigned to this broker, so that its log cannot be in a directory that is offline; one of its name there is
   * of an earlier topic. Otherwise, with a directory offline, an absent log is not made. Default false.
   */
  readonly isNew?: boolean
}

const defaultConcurrency = 8

export class LogManager implements AsyncDisposable {
  readonly #options: LogManagerOptions
  readonly #services: LogServices
  readonly #books: LogBooks
  readonly #maker: LogMaker
  readonly #purge: Purge
  readonly #retirement: Retirement
  readonly #moves: ReplicaMoves
  readonly #placement: ReplicaPlacement
  readonly #configs: LogConfigs
  #tasks: BackgroundTasks | null = null
  #cleaner: LogCleaner | null = null
  #closed: Promise<void> | null = null
  #cleanShutdownEpoch: bigint | null = null

  private constructor(options: LogManagerOptions) {
    this.#options = options
    const { disk, clock, random, logger, maxOpenFiles, indexBudgetBytes } = options
    const files = new FilePool({ disk, ...(maxOpenFiles === undefined ? undefined : { maxOpenFiles }) })
    const services = createLogServices({
      disk,
      clock,
      random,
      files,
      ...(indexBudgetBytes === undefined ? undefined : { indexBudgetBytes }),
    })
    const onFailure = this.#directoryFailed.bind(this)
    const books = new LogBooks(
      options.directories.map(
        (path) => new LogDirectory({ path: resolvePath(path), disk, clock, logger, files, onFailure }),
      ),
    )
    this.#services = services
    this.#books = books
    this.#purge = new Purge({ clock, disk, logger })
    this.#retirement = new Retirement({ books, purge: this.#purge, random, logger })
    this.#placement = new ReplicaPlacement(books)
    this.#configs = new LogConfigs(books, (topic) => options.configFor(topic))
    this.#maker = new LogMaker({ ...options, services, books, configFor: (topic) => this.#configs.of(topic) })
    this.#moves = new ReplicaMoves({
      services,
      books,
      retirement: this.#retirement,
      logger,
      bytesPerSecond: options.moveBytesPerSecond ?? Infinity,
      onReplaced: ({ log }) => options.onLogReplaced?.(log),
    })
  }

  /**
   * Opens all directories and all logs in them. A directory that cannot be read goes offline and the others start.
   * @throws Error when all are offline, one is in use by another broker or belongs to another cluster or node (`ForeignDirectoryError`),
   * or a partition is in two of them.
   */
  static async open(options: LogManagerOptions): Promise<LogManager> {
    const manager = new LogManager(options)
    try {
      await manager.#load()
    } catch (error) {
      for (const { log } of manager.#books) log.abandon(error as Error)
      for (const directory of manager.#books.directories) directory.release()
      throw error
    }
    return manager
  }

  async #load(): Promise<void> {
    const { logger, intervals, concurrencyPerDirectory = defaultConcurrency } = this.#options
    const { logs, toDelete, cleanShutdownEpoch } = await openDirectories(this.#books.directories, {
      ...this.#options,
      services: this.#services,
      configFor: (topic) => this.#configs.of(topic),
      concurrency: concurrencyPerDirectory,
    })
    this.#cleanShutdownEpoch = cleanShutdownEpoch
    for (const hosted of logs) if (hosted.directory.isOnline) this.#books.add(hosted)
    for (const { directory, name } of toDelete)
      this.#purge.add({ directory, path: `${directory.path}/${name}`, log: null }, 0)
    for (const future of this.#books.futures) this.#moves.resume(future)
    this.#tasks = new BackgroundTasks({
      services: this.#services,
      logger,
      intervals: { ...defaultIntervals, ...intervals },
      books: this.#books,
    })
    const { cleaner: config } = this.#options
    if (config === undefined) return
    this.#cleaner = new LogCleaner({ services: this.#services, books: this.#books, logger, config })
  }

  /** The epoch with which the broker last stopped cleanly; null when one directory says otherwise or is offline. */
  get cleanShutdownEpoch(): bigint | null {
    return this.#cleanShutdownEpoch
  }

  /** Logs, future ones not counted. */
  get size(): number {
    return this.#books.current.size
  }

  /** Open file descriptors of all logs. */
  get openFiles(): number {
    return this.#services.files.openFiles
  }

  /** undefined when there is none, also when its directory is offline (`isLost`). */
  get(topic: string, partition: number): PartitionLog | undefined {
    return this.#books.current.get(topic, partition)?.log
  }

  /** The copy that AlterReplicaLogDirs is filling. */
  getFuture(topic: string, partition: number): PartitionLog | undefined {
    return this.#books.futures.get(topic, partition)?.log
  }

  /** The log was here and went offline with its directory: answer KAFKA_STORAGE_ERROR. */
  isLost(topic: string, partition: number): boolean {
    return this.#placement.isLost(topic, partition)
  }

  /** null when there is no log, or it has no partition.metadata. */
  topicIdOf(topic: string, partition: number): string | null {
    return this.#books.current.get(topic, partition)?.topicId ?? null
  }

  /** `directory.id` of the directory with the log; null when there is no log. */
  directoryIdOf(topic: string, partition: number): string | null {
    return this.#books.current.get(topic, partition)?.directory.id ?? null
  }

  /** Every log, future ones too. */
  *[Symbol.iterator](): Generator<PartitionLog> {
    for (const { log } of this.#books) yield log
  }

  /**
   * The partition's log; made when absent, in the directory asked for by AlterReplicaLogDirs or else the one with the fewest logs.
   * `topicId` null leaves the id as it is.
   * @throws KafkaError KAFKA_STORAGE_ERROR when the log is, or may be, in an offline directory, or no directory can take it;
   * INCONSISTENT_TOPIC_ID when the log belongs to another incarnation of the topic.
   */
  getOrCreate(topic: string, partition: number, topicId: string | null, options: CreateLogOptions = {}): PartitionLog {
    const present = this.#books.current.get(topic, partition)
    if (present === undefined) return this.#create(topic, partition, topicId, options)
    this.#checkTopicId(present, topicId)
    return present.log
  }

  #create(topic: string, partition: number, topicId: string | null, { isNew = false }: CreateLogOptions): PartitionLog {
    const directories = this.#placement.directoriesFor(topic, partition, { isNew })
    const { log } = this.#maker.createInFirst(directories, { topic, partition, topicId, isFuture: false })
    this.#placement.forgetPreferred(topic, partition)
    return log
  }

  #checkTopicId(hosted: HostedLog, topicId: string | null): void {
    const { log, directory } = hosted
    if (topicId === null || hosted.topicId === topicId) return
    if (hosted.topicId !== null)
      throw new KafkaError(
        ErrorCode.INCONSISTENT_TOPIC_ID,
        `${log.directory}: expected topic id ${topicId}, the log has ${hosted.topicId}`,
      )
    directory.attempt('writing partition.metadata', () =>
      writePartitionMetadata(this.#services.disk, log.directory, topicId),
    )
    hosted.topicId = topicId
    directory.unsettled.add(hosted)
  }

  /**
   * Forgets the log (and a copy being made) at once and removes its files after `file.delete.delay.ms`. False when there is no such log; it
   * may be in an offline directory, and is then found to be stray when that comes back.
   */
  remove(topic: string, partition: number): boolean {
    this.#placement.forgetPreferred(topic, partition)
    const future = this.#books.futures.get(topic, partition)
    const current = this.#books.current.get(topic, partition)
    if (future !== undefined) this.#discard(future)
    if (current !== undefined) this.#discard(current)
    this.#configs.forgetUnused(topic)
    return current !== undefined
  }

  #discard(hosted: HostedLog): void {
    this.#moves.cancel(hosted)
    this.#cleaner?.abort(hosted)
    this.#retirement.discard(hosted)
  }

  /**
   * Sets aside, as `…-stray`, every log of which `isExpected` says that it belongs to no partition this broker has to host, and returns them.
   * To be called when the broker first knows the cluster's topics. A log with `topicId` null is older than topic ids.
   */
  reconcile(isExpected: (log: HostedPartition) => boolean): HostedPartition[] {
    const strays: HostedPartition[] = []
    for (const hosted of this.#books) {
      const { log, topicId } = hosted
      const { topic, partition, directory, sizeBytes } = log
      const described: HostedPartition = { topic, partition, topicId, directory, sizeBytes }
      if (isExpected(described)) continue
      this.#moves.cancel(hosted)
      this.#cleaner?.abort(hosted)
      this.#retirement.setAside(hosted)
      this.#configs.forgetUnused(topic)
      strays.push({ ...described, directory: log.directory })
    }
    return strays
  }

  /** Asks `configFor` again: for one topic, or for all when the broker's own defaults have changed. */
  updateConfig(topic?: string): void {
    this.#configs.update(topic)
  }

  /** The settings of the cleaner have changed. */
  cleanerConfigChanged(): void {
    this.#cleaner?.configChanged()
  }

  /** `cordoned.log.dirs`: absolute paths of directories that get no new logs as long as there is another one. */
  setCordoned(paths: Iterable<string>): void {
    const cordoned = new Set(paths)
    for (const directory of this.#books.directories) directory.isCordoned = cordoned.has(directory.path)
  }

  /** What DescribeLogDirs answers, in the order of the configuration. */
  directories(): Promise<DescribedDirectory[]> {
    return describeDirectories(this.#books, this.#services.disk)
  }

  /**
   * AlterReplicaLogDirs: begins to copy the replica to `path` (absolute, of the configuration); `onLogReplaced` tells the end.
   * Another move of it is given up. Nothing happens when it is there already. For a partition that is not here the directory is remembered.
   * @throws KafkaError in Kafka's order: INVALID_TOPIC_EXCEPTION (name too long), LOG_DIR_NOT_FOUND, KAFKA_STORAGE_ERROR,
   * INVALID_REPLICA_ASSIGNMENT (cordoned), REPLICA_NOT_AVAILABLE (not here, remembered).
   */
  moveReplica(topic: string, partition: number, path: string): void {
    const target = this.#placement.moveTarget(topic, partition, path)
    this.#placement.requireNotLost(topic, partition)
    const current = this.#books.current.get(topic, partition)
    const future = this.#books.futures.get(topic, partition)
    if (future !== undefined && future.directory !== target) this.#discard(future)
    if (current === undefined) {
      this.#placement.prefer(topic, partition, target)
      throw new KafkaError(ErrorCode.REPLICA_NOT_AVAILABLE, `there is no replica of ${topic}-${partition} here yet`)
    }
    if (current.directory === target || future?.directory === target) return
    this.#books.requireAllOnline(`the copy of ${topic}-${partition}`)
    const { topicId } = current
    this.#cleaner?.abort(current)
    this.#moves.start(current, this.#maker.createIn(target, { topic, partition, topicId, isFuture: true }))
  }

  #directoryFailed(directory: LogDirectory, error: Error, lost: readonly HostedLog[]): void {
    for (const hosted of lost) {
      this.#moves.cancel(hosted)
      this.#cleaner?.abort(hosted)
      this.#books.delete(hosted)
      if (!hosted.isFuture) this.#placement.markLost(hosted.key)
    }
    this.#options.onDirectoryFailure?.({
      directory: directory.path,
      directoryId: directory.id,
      error,
      lost: lost.filter(({ isFuture }) => !isFuture).map(partitionOf),
      lostCopies: lost.filter(({ isFuture }) => isFuture).map(partitionOf),
      remaining: this.#books.onlineDirectories.length,
    })
  }

  /**
   * Flushes and closes every log that was written to, writes checkpoints and the clean-shutdown marker with the broker's epoch, releases the
   * locks. The second call waits for the first. Nothing may use the manager or its logs any more.
   */
  close(brokerEpoch = -1n): Promise<void> {
    this.#closed ??= this.#close(brokerEpoch)
    return this.#closed
  }

  async #close(brokerEpoch: bigint): Promise<void> {
    await this.#cleaner?.[Symbol.asyncDispose]()
    await this.#tasks?.[Symbol.asyncDispose]()
    await this.#moves[Symbol.asyncDispose]()
    await this.#purge[Symbol.asyncDispose]()
    const { clock, logger, concurrencyPerDirectory: concurrency = defaultConcurrency } = this.#options
    await Promise.all(
      this.#books.directories.map((directory) =>
        closeDirectory(directory, { clock, logger, concurrency, brokerEpoch }),
      ),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function partitionOf({ log: { topic, partition } }: HostedLog): LostPartition {
  return { topic, partition }
}
