/** Making a new log: its directory, its partition.metadata and the object. */
import type { Logger } from '@millrace/runtime'
import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { LogConfig } from '../log-config.ts'
import type { LogServices } from '../log-services.ts'
import { PartitionLog } from '../partition-log.ts'
import type { LogBooks } from './log-books.ts'
import type { HostedLog, LogDirectory } from './log-directory.ts'
import { partitionKey } from './offset-checkpoint.ts'
import { futureDirectoryName, partitionDirectoryName } from './partition-directory-name.ts'
import { writePartitionMetadata } from './partition-metadata.ts'

export interface LogMakerOptions {
  readonly services: LogServices
  readonly books: LogBooks
  readonly logger: Logger
  readonly configFor: (topic: string) => LogConfig
  readonly producerIdExpirationMs?: number | undefined
  readonly maxTransactionTimeoutMs?: number | undefined
}

export interface NewLog {
  readonly topic: string
  readonly partition: number
  readonly topicId: string | null
  readonly isFuture: boolean
}

export class LogMaker {
  readonly #options: LogMakerOptions

  constructor(options: LogMakerOptions) {
    this.#options = options
  }

  /** Tries the directories in order; one that fails goes offline. @throws KafkaError KAFKA_STORAGE_ERROR when none can take the log. */
  createInFirst(directories: readonly LogDirectory[], log: NewLog): HostedLog {
    let failure: unknown
    for (const directory of directories) {
      try {
        return this.createIn(directory, log)
      } catch (error) {
        if (directory.isOnline) throw error
        failure = error
      }
    }
    throw new KafkaError(
      ErrorCode.KAFKA_STORAGE_ERROR,
      `no log directory can take ${log.topic}-${log.partition}; tried: ${directories.map(({ path }) => path).join(', ')}`,
      { cause: failure },
    )
  }

  /** @throws KafkaError KAFKA_STORAGE_ERROR; then the directory is offline, or there is an unknown directory of that name. */
  createIn(directory: LogDirectory, { topic, partition, topicId, isFuture }: NewLog): HostedLog {
    const { services, books, logger, configFor, producerIdExpirationMs, maxTransactionTimeoutMs } = this.#options
    const { disk, clock, random } = services
    const name = isFuture ? futureDirectoryName(topic, partition, random) : partitionDirectoryName(topic, partition)
    const path = `${directory.path}/${name}`
    const key = partitionKey(topic, partition)
    directory.attempt(`creating ${name}`, () => {
      if (disk.existsSync(path)) throw existsError(path)
      directory.checkpoints.forget(key)
      disk.makeDirectorySync(path)
      if (topicId !== null) writePartitionMetadata(disk, path, topicId)
    })
    const config = configFor(topic)
    const log = PartitionLog.create({
      services,
      logger,
      directory: path,
      topic,
      partition,
      config,
      ...(producerIdExpirationMs === undefined ? undefined : { producerIdExpirationMs }),
      ...(maxTransactionTimeoutMs === undefined ? undefined : { maxTransactionTimeoutMs }),
      onDirtyOffsetLowered: () => directory.checkpoints.writeSoon(),
      onFailure: (error) => directory.fail(error),
    })
    const hosted: HostedLog = { log, key, directory, isFuture, topicId, lastFlushMs: clock.monotonicMs() }
    books.add(hosted)
    directory.unsettled.add(hosted)
    if (demandsSync(config)) directory.attempt(`syncing ${name}`, () => directory.unsettled.settleNow(hosted))
    return hosted
  }
}

/** Whether the topic promises that records survive a crash of the system without the help of other replicas. */
export function demandsSync({ flushMessages, flushMs }: LogConfig): boolean {
  return flushMessages < Number.MAX_SAFE_INTEGER || flushMs < Number.MAX_SAFE_INTEGER
}

/** Not a failure of the disk: the other logs of the directory are sound. */
function existsError(path: string): KafkaError {
  return new KafkaError(
    ErrorCode.UNKNOWN_SERVER_ERROR,
    `${path} exists, but holds no log known to this broker; move it away`,
  )
}
