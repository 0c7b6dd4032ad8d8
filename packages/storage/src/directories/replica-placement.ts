/**
 * In which directory a replica belongs: the one AlterReplicaLogDirs asked for, or the one with the fewest logs; and in none while it may be
 * in a directory that is offline.
 */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { LogBooks } from './log-books.ts'
import type { LogDirectory } from './log-directory.ts'
import { partitionKey } from './offset-checkpoint.ts'
import { canBeMoved } from './partition-directory-name.ts'

export class ReplicaPlacement {
  readonly #books: LogBooks
  /** Lost with a directory, by key, until the end or a new topic of the name. */
  readonly #lost = new Set<string>()
  /** Where AlterReplicaLogDirs wants partitions that do not exist here yet; by key. */
  readonly #preferred = new Map<string, LogDirectory>()

  constructor(books: LogBooks) {
    this.#books = books
  }

  isLost(topic: string, partition: number): boolean {
    return this.#lost.has(partitionKey(topic, partition))
  }

  /** The log went offline with its directory. */
  markLost(key: string): void {
    this.#lost.add(key)
  }

  /** @throws KafkaError KAFKA_STORAGE_ERROR. */
  requireNotLost(topic: string, partition: number): void {
    if (this.isLost(topic, partition))
      throw new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, `the log directory of ${topic}-${partition} is offline`)
  }

  /**
   * The directories to try for a log, in this order. `isNew`: it cannot be in a directory that is offline; one of its name there is of an
   * earlier topic. @throws KafkaError KAFKA_STORAGE_ERROR when the log is, or may be, in an offline directory.
   */
  directoriesFor(topic: string, partition: number, { isNew }: { isNew: boolean }): readonly LogDirectory[] {
    const key = partitionKey(topic, partition)
    if (isNew) this.#lost.delete(key)
    else {
      this.requireNotLost(topic, partition)
      this.#books.requireAllOnline(`${topic}-${partition}`)
    }
    const preferred = this.#preferred.get(key)
    return preferred?.isOnline === true ? [preferred] : this.#books.byFewestLogs()
  }

  /** Until the log is made, or removed. */
  prefer(topic: string, partition: number, directory: LogDirectory): void {
    this.#preferred.set(partitionKey(topic, partition), directory)
  }

  forgetPreferred(topic: string, partition: number): void {
    this.#preferred.delete(partitionKey(topic, partition))
  }

  /**
   * The directory a replica is asked to be moved to.
   * @throws KafkaError in Kafka's order: INVALID_TOPIC_EXCEPTION (name too long), LOG_DIR_NOT_FOUND, KAFKA_STORAGE_ERROR,
   * INVALID_REPLICA_ASSIGNMENT (cordoned).
   */
  moveTarget(topic: string, partition: number, path: string): LogDirectory {
    if (!canBeMoved(topic, partition))
      throw new KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, `topic name is too long to be moved: ${topic}`)
    const target = this.#books.directories.find((directory) => directory.path === path)
    if (target === undefined)
      throw new KafkaError(ErrorCode.LOG_DIR_NOT_FOUND, `${path} is not one of the configured log directories`)
    if (!target.isOnline) throw new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, `log directory ${path} is offline`)
    if (target.isCordoned)
      throw new KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, `log directory ${path} is cordoned`)
    return target
  }
}
