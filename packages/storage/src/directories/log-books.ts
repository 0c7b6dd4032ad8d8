/** Which logs there are, in which directory. */
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { HostedLog, LogDirectory } from './log-directory.ts'
import { LogIndex } from './log-index.ts'

/**
 * Invariants: a log in `current` or `futures` is in the books of its online directory, under the same kind, and the other way round; a
 * partition has at most one of each kind.
 */
export class LogBooks {
  /** In the order of the configuration. */
  readonly directories: readonly LogDirectory[]
  readonly current = new LogIndex()
  readonly futures = new LogIndex()

  constructor(directories: readonly LogDirectory[]) {
    this.directories = directories
  }

  get onlineDirectories(): LogDirectory[] {
    return this.directories.filter(({ isOnline }) => isOnline)
  }

  get areAllOnline(): boolean {
    return this.directories.every(({ isOnline }) => isOnline)
  }

  hasTopic(topic: string): boolean {
    return this.current.has(topic) || this.futures.has(topic)
  }

  *ofTopic(topic: string): Generator<HostedLog> {
    yield* this.current.ofTopic(topic)
    yield* this.futures.ofTopic(topic)
  }

  *[Symbol.iterator](): Generator<HostedLog> {
    yield* this.current
    yield* this.futures
  }

  add(hosted: HostedLog): void {
    this.#indexOf(hosted).set(hosted)
    hosted.directory.add(hosted)
  }

  delete(hosted: HostedLog): void {
    this.#indexOf(hosted).delete(hosted)
    hosted.directory.forget(hosted)
  }

  /** A copy becomes the partition's log. */
  promote(future: HostedLog): void {
    this.delete(future)
    future.isFuture = false
    this.add(future)
  }

  #indexOf(hosted: HostedLog): LogIndex {
    return hosted.isFuture ? this.futures : this.current
  }

  /** Online directories, the one with the fewest logs first; cordoned ones only when there is no other, and then just one. */
  byFewestLogs(): LogDirectory[] {
    const online = this.onlineDirectories
    const open = online.filter(({ isCordoned }) => !isCordoned)
    if (open.length === 0) return online.slice(0, 1)
    const count = (directory: LogDirectory): number => directory.logs.size + directory.futures.size
    return open.toSorted((a, b) => count(a) - count(b))
  }

  /** @throws KafkaError KAFKA_STORAGE_ERROR when a directory is offline, in which `what` may be. */
  requireAllOnline(what: string): void {
    if (this.areAllOnline) return
    const offline = this.directories.filter(({ isOnline }) => !isOnline).map(({ path }) => path)
    throw new KafkaError(
      ErrorCode.KAFKA_STORAGE_ERROR,
      `${what} cannot be created because it may be in an offline log directory: ${offline.join(', ')}`,
    )
  }
}
