/** Taking logs out of service: they are renamed at once, so that their names are free, and their files go later or stay for the operator. */
import type { Logger, Random } from '@millrace/runtime'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { LogBooks } from './log-books.ts'
import type { HostedLog } from './log-directory.ts'
import { deleteDirectoryName, strayDirectoryName } from './partition-directory-name.ts'
import type { Purge } from './purge.ts'

export class Retirement {
  readonly #books: LogBooks
  readonly #purge: Purge
  readonly #random: Random
  readonly #logger: Logger

  constructor(options: { books: LogBooks; purge: Purge; random: Random; logger: Logger }) {
    this.#books = options.books
    this.#purge = options.purge
    this.#random = options.random
    this.#logger = options.logger
  }

  /** Renames to `…-delete`; reads under way go on until the files are removed after `file.delete.delay.ms`. */
  discard(hosted: HostedLog): void {
    const { log, directory } = hosted
    this.#books.delete(hosted)
    directory.guard(() => directory.rename(hosted, deleteDirectoryName(log.topic, log.partition, this.#random)))
    directory.checkpoints.writeSoon()
    this.#purge.add({ directory, path: log.directory, log }, log.config.fileDeleteDelayMs)
  }

  /** As `discard`, but the new name is durable when this returns. @throws KafkaError KAFKA_STORAGE_ERROR; then the log is as it was. */
  discardDurably(hosted: HostedLog): void {
    const { log, directory } = hosted
    const name = deleteDirectoryName(log.topic, log.partition, this.#random)
    directory.attempt(`renaming to ${name}`, () => directory.renameDurably(hosted, name))
    this.#books.delete(hosted)
    directory.checkpoints.writeSoon()
    this.#purge.add({ directory, path: log.directory, log }, log.config.fileDeleteDelayMs)
  }

  /** Renames to `…-stray`. */
  setAside(hosted: HostedLog): void {
    const { log, directory, topicId } = hosted
    this.#books.delete(hosted)
    directory.guard(() => directory.rename(hosted, strayDirectoryName(log.topic, log.partition, this.#random)))
    directory.checkpoints.writeSoon()
    log.abandon(new KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `${log.directory} is stray`))
    this.#logger.warn('Log belongs to no partition of this broker and is set aside', {
      topic: log.topic,
      partition: log.partition,
      topicId,
      renamedTo: log.directory,
    })
  }
}
