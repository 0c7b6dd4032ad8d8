/** Opening every log of one log directory at start. */
import type { Disk, Logger } from '@millrace/runtime'
import type { LogConfig } from '../log-config.ts'
import type { LogServices } from '../log-services.ts'
import { PartitionLog } from '../partition-log.ts'
import type { CheckpointedOffsets } from './directory-checkpoints.ts'
import type { HostedLog, LogDirectory } from './log-directory.ts'
import { partitionKey } from './offset-checkpoint.ts'
import { forEachPaced } from './pace.ts'
import { parsePartitionDirectoryName, type PartitionDirectoryName } from './partition-directory-name.ts'
import {
  decodePartitionMetadata,
  MalformedPartitionMetadataError,
  partitionMetadataFile,
} from './partition-metadata.ts'

export interface LoadOptions {
  readonly services: LogServices
  readonly logger: Logger
  readonly configFor: (topic: string) => LogConfig
  /** Logs of one directory being opened at once (`num.recovery.threads.per.data.dir`). */
  readonly concurrency: number
  readonly producerIdExpirationMs?: number
  readonly maxTransactionTimeoutMs?: number
}

export interface LoadedLogs {
  readonly current: HostedLog[]
  readonly future: HostedLog[]
  /** Names of `-delete` directories an earlier process left. */
  readonly toDelete: string[]
}

const progressEveryMs = 5000

/** Directories that Kafka keeps beside the logs. */
const otherDirectories = new Set(['remote-log-index-cache', '__cluster_metadata-0', 'lost+found'])

/** Opens the logs; none is added to `directory` yet. @throws the first disk error, or a bug; then all that were opened are abandoned. */
export async function loadLogs(directory: LogDirectory, options: LoadOptions): Promise<LoadedLogs> {
  const { services, logger } = options
  const { clock, disk } = services
  const startMs = clock.monotonicMs()
  const offsets = directory.readState()
  const toDelete: string[] = []
  const found: Array<{ readonly name: string; readonly parsed: PartitionDirectoryName }> = []
  for (const { name, isDirectory } of disk.listSync(directory.path)) {
    if (!isDirectory || name.startsWith('.') || otherDirectories.has(name)) continue
    const parsed = parsePartitionDirectoryName(name)
    if (parsed === null)
      logger.warn('Ignoring a directory whose name is not that of a partition', { directory: directory.path, name })
    else if (parsed.kind === 'delete') toDelete.push(name)
    else if (parsed.kind === 'stray')
      logger.warn('Found a stray log; it belongs to no topic and can be removed by hand', {
        directory: directory.path,
        name,
      })
    else found.push({ name, parsed })
  }
  const wasClean = directory.cleanShutdown !== null
  if (found.length > 0 && !wasClean)
    logger.warn(
      directory.isSameBoot
        ? 'The last stop was not clean, but the system stayed up: checking the end of each log'
        : 'The last stop was not clean: recovering each log above its recovery point',
      { directory: directory.path, logs: found.length },
    )
  const loaded: HostedLog[] = []
  let lastProgressMs = startMs
  try {
    await forEachPaced(found, { clock, concurrency: options.concurrency }, async ({ name, parsed }) => {
      loaded.push(await openLog(directory, name, parsed, offsets, options))
      const nowMs = clock.monotonicMs()
      if (nowMs - lastProgressMs < progressEveryMs) return
      lastProgressMs = nowMs
      logger.info('Opening logs', { directory: directory.path, done: loaded.length, of: found.length })
    })
  } catch (error) {
    for (const { log } of loaded) log.abandon(error as Error)
    throw error
  }
  directory.markLoaded()
  logger.info('Opened log directory', {
    directory: directory.path,
    logs: loaded.length,
    wasCleanShutdown: wasClean,
    durationMs: Math.round(clock.monotonicMs() - startMs),
  })
  return {
    current: loaded.filter(({ isFuture }) => !isFuture),
    future: loaded.filter(({ isFuture }) => isFuture),
    toDelete,
  }
}

async function openLog(
  directory: LogDirectory,
  name: string,
  { topic, partition, kind }: PartitionDirectoryName,
  offsets: CheckpointedOffsets,
  options: LoadOptions,
): Promise<HostedLog> {
  const { services, logger, configFor, producerIdExpirationMs, maxTransactionTimeoutMs } = options
  const path = `${directory.path}/${name}`
  const key = partitionKey(topic, partition)
  const topicId = readTopicId(services.disk, path, logger)
  const log = await PartitionLog.open({
    services,
    logger,
    directory: path,
    topic,
    partition,
    config: configFor(topic),
    ...(producerIdExpirationMs === undefined ? undefined : { producerIdExpirationMs }),
    ...(maxTransactionTimeoutMs === undefined ? undefined : { maxTransactionTimeoutMs }),
    onFailure: (error) => directory.fail(error),
    recoveryPoint: offsets.recoveryPoints.get(key) ?? 0n,
    logStartOffset: offsets.logStartOffsets.get(key) ?? 0n,
    highWatermark: offsets.highWatermarks.get(key) ?? 0n,
    firstDirtyOffset: offsets.firstDirtyOffsets.get(key) ?? null,
    onDirtyOffsetLowered: () => directory.checkpoints.writeSoon(),
    wasCleanShutdown: directory.cleanShutdown !== null,
    trustPageCache: directory.isSameBoot,
  })
  return { log, key, directory, isFuture: kind === 'future', topicId, lastFlushMs: services.clock.monotonicMs() }
}

/**
 * null without the file, and when it is malformed: it is written without a sync when the log is made, so that a crash of the system soon
 * after may leave it empty. The log gets its id again when the broker learns of the partition.
 */
function readTopicId(disk: Disk, partitionDirectory: string, logger: Logger): string | null {
  const path = `${partitionDirectory}/${partitionMetadataFile}`
  try {
    return decodePartitionMetadata(disk.readFileSync(path), path)
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return null
    if (!(error instanceof MalformedPartitionMetadataError)) throw error
    logger.warn('Ignoring a malformed partition.metadata', { error })
    return null
  }
}
