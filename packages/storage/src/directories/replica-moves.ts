/** The moves of replicas between directories: a few at once, the others waiting in the order they were asked for. */
import type { Logger } from '@millrace/runtime'
import type { LogServices } from '../log-services.ts'
import { isDiskFailure } from './io-error.ts'
import type { LogBooks } from './log-books.ts'
import type { HostedLog } from './log-directory.ts'
import { partitionDirectoryName } from './partition-directory-name.ts'
import { ReplicaMove } from './replica-move.ts'
import type { Retirement } from './retirement.ts'

export interface ReplicaMovesOptions {
  readonly services: LogServices
  readonly books: LogBooks
  readonly retirement: Retirement
  readonly logger: Logger
  /** For all moves together. */
  readonly bytesPerSecond: number
  /** The copy has become the partition's log. */
  readonly onReplaced: (hosted: HostedLog) => void
}

interface Entry {
  readonly source: HostedLog
  readonly future: HostedLog
  readonly move: ReplicaMove
}

const maxAtOnce = 2

export class ReplicaMoves implements AsyncDisposable {
  readonly #options: ReplicaMovesOptions
  #waiting: Entry[] = []
  /** What is under way, with its end. */
  readonly #running = new Map<Entry, Promise<void>>()
  #stopped = false

  constructor(options: ReplicaMovesOptions) {
    this.#options = options
  }

  start(source: HostedLog, future: HostedLog): void {
    const { services, bytesPerSecond } = this.#options
    const move = new ReplicaMove({
      source: source.log,
      future: future.log,
      clock: services.clock,
      bytesPerSecond: bytesPerSecond / maxAtOnce,
      prepare: () => prepare(future),
      exchange: () => this.#exchange(source, future),
    })
    this.#waiting.push({ source, future, move })
    this.#startNext()
  }

  /** A copy found at start. Without a current log, and with all directories there, the process ended between the two renames. */
  resume(future: HostedLog): void {
    const { books } = this.#options
    const source = books.current.get(future.log.topic, future.log.partition)
    if (source !== undefined) this.start(source, future)
    else if (books.areAllOnline) this.#promote(future)
  }

  /** Gives up moves from or to this log. */
  cancel(hosted: HostedLog): void {
    const concerns = ({ source, future }: Entry): boolean => source === hosted || future === hosted
    this.#waiting = this.#waiting.filter((entry) => !concerns(entry))
    for (const entry of this.#running.keys()) if (concerns(entry)) entry.move.cancel()
  }

  #startNext(): void {
    while (!this.#stopped && this.#running.size < maxAtOnce) {
      const entry = this.#waiting.shift()
      if (entry === undefined) return
      const end = this.#run(entry).finally(() => {
        this.#running.delete(entry)
        this.#startNext()
      })
      this.#running.set(entry, end)
    }
  }

  async #run({ source, future, move }: Entry): Promise<void> {
    const { topic, partition } = source.log
    const logger = this.#options.logger.child({
      topic,
      partition,
      from: source.directory.path,
      to: future.directory.path,
    })
    logger.info('Moving a replica to another log directory')
    try {
      const outcome = await move.run()
      logger.info(outcome === 'moved' ? 'Moved the replica' : 'Gave up moving the replica')
    } catch (error) {
      // A failed disk has taken its directory offline already. The copy stays; a later start goes on with it.
      if (isDiskFailure(error)) logger.warn('A disk failed while a replica was moved', { error })
      else logger.error('Moving a replica failed', { error })
    }
  }

  /**
   * First the old log becomes `…-delete`, then the copy takes its name; a crash in between leaves a copy without a current log, which the
   * next start promotes. The other order could leave two logs of one name.
   */
  #exchange(source: HostedLog, future: HostedLog): void {
    const { retirement, onReplaced } = this.#options
    future.log.cleaning.takeOver(source.log.cleaning)
    retirement.discardDurably(source)
    this.#promote(future)
    onReplaced(future)
  }

  #promote(future: HostedLog): void {
    const { directory, log } = future
    const name = partitionDirectoryName(log.topic, log.partition)
    directory.attempt(`renaming to ${name}`, () => directory.renameDurably(future, name))
    this.#options.books.promote(future)
    directory.checkpoints.writeSoon()
  }

  /** Moves under way stop; their copies stay and the next start goes on with them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    this.#waiting = []
    for (const { move } of this.#running.keys()) move.cancel()
    await Promise.all(this.#running.values())
  }
}

/** Everything but the last records is durable before the copy takes over, the offsets in the checkpoints too. */
async function prepare({ log, directory }: HostedLog): Promise<void> {
  await log.flush()
  await directory.unsettled.settle()
  await directory.checkpoints.writeAll()
}
