/** The start: take the directories, see that they are ours, open all logs in all of them at once. */
import type { Disk, Logger, Random } from '@millrace/runtime'
import { loadLogs, type LoadedLogs, type LoadOptions } from './load-logs.ts'
import type { HostedLog, LogDirectory } from './log-directory.ts'
import {
  newDirectoryId,
  readMetaProperties,
  verifyMetaProperties,
  writeMetaProperties,
  type MetaProperties,
} from './meta-properties.ts'

export interface OpenOptions extends LoadOptions {
  readonly disk: Disk
  readonly random: Random
  readonly logger: Logger
  readonly nodeId: number
  readonly clusterId: string
}

export interface OpenedDirectories {
  readonly logs: readonly HostedLog[]
  readonly toDelete: ReadonlyArray<{ readonly directory: LogDirectory; readonly name: string }>
  readonly cleanShutdownEpoch: bigint | null
}

/** @throws as `LogManager.open`. */
export async function openDirectories(
  directories: readonly LogDirectory[],
  options: OpenOptions,
): Promise<OpenedDirectories> {
  requireDistinct(directories)
  for (const directory of directories) directory.guard(() => directory.acquire())
  establishIdentity(directories, options)
  const loaded: LoadedLogs[] = []
  const toDelete: Array<{ directory: LogDirectory; name: string }> = []
  const outcomes = await Promise.allSettled(
    directories.map(async (directory) => {
      if (!directory.isOnline) return
      await directory.guardAsync(async () => {
        const logs = await loadLogs(directory, options)
        loaded.push(logs)
        for (const name of logs.toDelete) toDelete.push({ directory, name })
      })
    }),
  )
  const logs = loaded.flatMap(({ current, future }) => [...current, ...future])
  try {
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    requireOneOnline(directories)
    requireOneOfEach(loaded)
  } catch (error) {
    for (const { log } of logs) log.abandon(error as Error)
    throw error
  }
  return {
    logs: withoutSecondCopies(logs, toDelete, options.logger),
    toDelete,
    cleanShutdownEpoch: epochOf(directories),
  }
}

function requireDistinct(directories: readonly LogDirectory[]): void {
  if (directories.length === 0) throw new Error('log.dirs: expected at least one directory')
  const paths = new Set<string>()
  for (const { path } of directories) {
    if (paths.has(path)) throw new Error(`log.dirs: ${path} is named twice`)
    paths.add(path)
  }
}

/** meta.properties of each directory; a malformed one takes its directory offline. @throws ForeignDirectoryError. */
function establishIdentity(directories: readonly LogDirectory[], options: OpenOptions): void {
  const { disk, random, logger, clusterId, nodeId } = options
  const found = new Map<string, MetaProperties | null>()
  for (const directory of directories) {
    if (!directory.isOnline) continue
    try {
      found.set(directory.path, readMetaProperties(disk, directory.path))
    } catch (error) {
      directory.fail(error as Error)
    }
  }
  requireOneOnline(directories)
  verifyMetaProperties(found, { clusterId, nodeId })
  for (const directory of directories) {
    const known = found.get(directory.path)
    if (!directory.isOnline || known === undefined) continue
    directory.guard(() => {
      directory.id = known?.directoryId ?? newDirectoryId(random)
      if (known?.directoryId === directory.id) return
      logger.info('Writing meta.properties', { directory: directory.path, directoryId: directory.id })
      writeMetaProperties(disk, directory.path, {
        ...(known ?? { version: 1, clusterId, nodeId }),
        directoryId: directory.id,
      })
    })
  }
}

function requireOneOnline(directories: readonly LogDirectory[]): void {
  if (directories.some(({ isOnline }) => isOnline)) return
  const reasons = directories.map(({ path, failure }) => `${path}: ${failure?.message}`)
  throw new Error(`none of the log directories can be used: ${reasons.join('; ')}`, { cause: directories[0]?.failure })
}

/** @throws Error when a partition has a log in two directories. */
function requireOneOfEach(loaded: readonly LoadedLogs[]): void {
  const seen = new Map<string, HostedLog>()
  for (const { current } of loaded)
    for (const hosted of current) {
      const other = seen.get(hosted.key)
      if (other !== undefined)
        throw new Error(
          `two logs of one partition: ${other.log.directory} and ${hosted.log.directory}. A directory may have failed while the replica was ` +
            'moved from one to the other. Remove the one in the directory that failed, and start again',
        )
      seen.set(hosted.key, hosted)
    }
}

/** A copy can be made again, so of two the one that is further stays. They come from a move that was redirected just before a crash. */
function withoutSecondCopies(
  logs: readonly HostedLog[],
  toDelete: Array<{ directory: LogDirectory; name: string }>,
  logger: Logger,
): HostedLog[] {
  const best = new Map<string, HostedLog>()
  for (const hosted of logs) {
    if (!hosted.isFuture) continue
    const other = best.get(hosted.key)
    if (other === undefined || other.log.logEndOffset < hosted.log.logEndOffset) best.set(hosted.key, hosted)
  }
  return logs.filter((hosted) => {
    if (!hosted.isFuture || best.get(hosted.key) === hosted) return true
    const { directory, log } = hosted
    logger.warn('Removing the second of two copies of a replica', { directory: log.directory })
    log.abandon(new Error('there is another copy'))
    toDelete.push({ directory, name: log.directory.slice(directory.path.length + 1) })
    return false
  })
}

/** As Kafka: only when all directories are online and say the same. */
function epochOf(directories: readonly LogDirectory[]): bigint | null {
  const epochs = new Set(directories.map(({ cleanShutdown }) => cleanShutdown?.brokerEpoch ?? null))
  const [epoch] = epochs
  return epochs.size === 1 && directories.every(({ isOnline }) => isOnline) ? (epoch ?? null) : null
}
