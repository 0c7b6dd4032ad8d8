/** What DescribeLogDirs tells of one directory. */
import type { Disk } from '@millrace/runtime'
import { ErrorCode } from '@millrace/protocol'
import type { DescribedDirectory } from '../log-manager-options.ts'
import { isDiskFailure } from './io-error.ts'
import type { LogBooks } from './log-books.ts'
import type { HostedLog, LogDirectory } from './log-directory.ts'

export async function describeDirectory(
  directory: LogDirectory,
  { disk, books }: { readonly disk: Disk; readonly books: LogBooks },
): Promise<DescribedDirectory> {
  const { path, id, isCordoned } = directory
  const offline: DescribedDirectory = {
    path,
    directoryId: id,
    errorCode: ErrorCode.KAFKA_STORAGE_ERROR,
    totalBytes: -1n,
    usableBytes: -1n,
    isCordoned,
    logs: [],
  }
  if (!directory.isOnline) return offline
  try {
    const { totalBytes, usableBytes } = await disk.space(path)
    return {
      ...offline,
      errorCode: ErrorCode.NONE,
      totalBytes: BigInt(Math.trunc(totalBytes)),
      usableBytes: BigInt(Math.trunc(usableBytes)),
      logs: [...directory.logs.values(), ...directory.futures.values()].map((hosted) => ({
        topic: hosted.log.topic,
        partition: hosted.log.partition,
        sizeBytes: hosted.log.sizeBytes,
        offsetLag: offsetLag(hosted, books),
        isFuture: hosted.isFuture,
      })),
    }
  } catch (error) {
    if (!isDiskFailure(error)) throw error
    directory.fail(error)
    return offline
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
