/** What DescribeLogDirs tells of the directories. */
import type { Disk, DiskSpace } from '@millrace/runtime'
import { ErrorCode } from '@millrace/protocol'
import type { DescribedDirectory } from '../log-manager-options.ts'
import { isDiskFailure } from './io-error.ts'
import type { LogBooks } from './log-books.ts'
import type { HostedLog, LogDirectory } from './log-directory.ts'

/** All at one moment, so that a replica which moves meanwhile is in one directory or the other. */
export async function describeDirectories(books: LogBooks, disk: Disk): Promise<DescribedDirectory[]> {
  const spaces = await Promise.all(books.directories.map((directory) => spaceOf(directory, disk)))
  return books.directories.map((directory, at) => describe(directory, spaces[at]!, books))
}

/** null when it cannot be told. */
async function spaceOf(directory: LogDirectory, disk: Disk): Promise<DiskSpace | null> {
  if (!directory.isOnline) return null
  try {
    return await disk.space(directory.path)
  } catch (error) {
    if (!isDiskFailure(error)) throw error
    directory.fail(error)
    return null
  }
}

function describe(directory: LogDirectory, space: DiskSpace | null, books: LogBooks): DescribedDirectory {
  const { path, id, isCordoned } = directory
  if (space === null || !directory.isOnline)
    return {
      path,
      directoryId: id,
      errorCode: ErrorCode.KAFKA_STORAGE_ERROR,
      totalBytes: -1n,
      usableBytes: -1n,
      isCordoned,
      logs: [],
    }
  return {
    path,
    directoryId: id,
    errorCode: ErrorCode.NONE,
    totalBytes: BigInt(Math.trunc(space.totalBytes)),
    usableBytes: BigInt(Math.trunc(space.usableBytes)),
    isCordoned,
    logs: [...directory.logs.values(), ...directory.futures.values()].map((hosted) => ({
      topic: hosted.log.topic,
      partition: hosted.log.partition,
      sizeBytes: hosted.log.sizeBytes,
      offsetLag: offsetLag(hosted, books),
      isFuture: hosted.isFuture,
    })),
  }
}

/** Source: Kafka's ReplicaManager.getLogEndOffsetLag. */
function offsetLag({ log, isFuture }: HostedLog, books: LogBooks): bigint {
  const current = books.current.get(log.topic, log.partition)?.log
  if (current === undefined) return -1n
  if (isFuture) return current.logEndOffset - log.logEndOffset
  const lag = current.highWatermark - log.logEndOffset
  return lag > 0n ? lag : 0n
}
