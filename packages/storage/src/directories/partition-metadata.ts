/**
 * `partition.metadata` in a partition's directory: which incarnation of the topic the log belongs to.
 *
 *     version: 0\n
 *     topic_id: <22 characters base64url>
 *
 * Source: Kafka's PartitionMetadataFile.
 */
import type { Disk } from '@millrace/runtime'

export const partitionMetadataFile = 'partition.metadata'

const zeroId = 'AAAAAAAAAAAAAAAAAAAAAA'
const decoder = new TextDecoder()
const encoder = new TextEncoder()

export class MalformedPartitionMetadataError extends Error {
  override readonly name = 'MalformedPartitionMetadataError'
}

export function encodePartitionMetadata(topicId: string): Uint8Array {
  return encoder.encode(`version: 0\ntopic_id: ${topicId}`)
}

/** The topic id. A newer version is accepted, as Kafka does for downgrades. @throws MalformedPartitionMetadataError. */
export function decodePartitionMetadata(bytes: Uint8Array, path: string): string {
  const text = decoder.decode(bytes)
  const [, version, topicId] = /^\S+\s+(\d+)\r?\n\S+\s+([\w-]{22})\s*(?:\n|$)/.exec(text) ?? []
  if (version === undefined || topicId === undefined)
    throw new MalformedPartitionMetadataError(
      `${path}: expected "version: 0" and "topic_id: <22 characters>", got ${JSON.stringify(text.slice(0, 100))}`,
    )
  if (topicId === zeroId) throw new MalformedPartitionMetadataError(`${path}: the topic id is zero`)
  return topicId
}

/**
 * Writes the file without syncing it: creating 10,000 partitions would need 20,000 syncs. Whoever syncs the log syncs this first
 * (`LogDirectory.settle`); after a crash of the system before that the file may be empty, and so is the log.
 */
export function writePartitionMetadata(disk: Disk, partitionDirectory: string, topicId: string): void {
  const content = encodePartitionMetadata(topicId)
  const file = disk.openSync(`${partitionDirectory}/${partitionMetadataFile}`, 'create')
  try {
    file.writeSync([content], 0)
    if (file.sizeSync() > content.length) file.truncateSync(content.length)
  } finally {
    file.closeSync()
  }
}
