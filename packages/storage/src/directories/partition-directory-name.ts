/**
 * The names of the directories that hold one partition's log:
 *
 *     <topic>-<partition>                          the log
 *     <topic>-<partition>.<32 hex digits>-future   a copy being filled in another log directory (AlterReplicaLogDirs)
 *     <topic>-<partition>.<32 hex digits>-delete   renamed, to be removed after `file.delete.delay.ms`
 *     <topic>-<partition>.<32 hex digits>-stray    belongs to no topic of the cluster; kept for the operator
 *
 * A topic name has up to 249 characters and a file name up to 255, so a `-delete` or `-stray` name keeps only a part of a long topic name;
 * a `-future` name must be complete, which is why partitions of such topics cannot be moved. Source: Kafka's LocalLog.
 */
import type { Random } from '@millrace/runtime'

export type PartitionDirectoryKind = 'current' | 'future' | 'delete' | 'stray'

export interface PartitionDirectoryName {
  /** Cut off at the end when the kind is `delete` or `stray` and the name was too long. */
  readonly topic: string
  readonly partition: number
  readonly kind: PartitionDirectoryKind
}

const maxNameLength = 255
const uniqueIdLength = 32
const maxPartition = 0x7fffffff

export function partitionDirectoryName(topic: string, partition: number): string {
  return `${topic}-${partition}`
}

/** A new name for a directory that is to be deleted. */
export function deleteDirectoryName(topic: string, partition: number, random: Random): string {
  return cappedName(topic, `-${partition}.${uniqueId(random)}-delete`)
}

/** A new name for a directory that belongs to no known topic. */
export function strayDirectoryName(topic: string, partition: number, random: Random): string {
  return cappedName(topic, `-${partition}.${uniqueId(random)}-stray`)
}

/** A new name for a copy in another log directory. Ask `canBeMoved` first. */
export function futureDirectoryName(topic: string, partition: number, random: Random): string {
  return `${topic}-${partition}.${uniqueId(random)}-future`
}

/** Whether the `-future` name of this partition fits into a file name. Otherwise AlterReplicaLogDirs answers INVALID_TOPIC_EXCEPTION. */
export function canBeMoved(topic: string, partition: number): boolean {
  return topic.length + `-${partition}.`.length + uniqueIdLength + '-future'.length <= maxNameLength
}

/** What a directory name says; null when it is none of the four forms. */
export function parsePartitionDirectoryName(name: string): PartitionDirectoryName | null {
  let stem = name
  let kind: PartitionDirectoryKind = 'current'
  const marked = /^\S+-\S+\.\S+-(delete|future|stray)$/.exec(name)
  if (marked !== null) {
    kind = marked[1] as PartitionDirectoryKind
    stem = name.slice(0, name.lastIndexOf('.'))
  } else if (/-(delete|future|stray)$/.test(name)) return null
  const dash = stem.lastIndexOf('-')
  const digits = stem.slice(dash + 1)
  if (dash < 1 || !/^\d{1,10}$/.test(digits)) return null
  const partition = Number(digits)
  return partition > maxPartition ? null : { topic: stem.slice(0, dash), partition, kind }
}

function cappedName(topic: string, suffix: string): string {
  return topic.slice(0, maxNameLength - suffix.length) + suffix
}

function uniqueId(random: Random): string {
  return Buffer.from(random.bytes(uniqueIdLength / 2)).toString('hex')
}
