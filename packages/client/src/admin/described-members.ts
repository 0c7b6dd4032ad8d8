/** What consumers of the classic protocol tell of themselves inside their metadata and assignments. */
import {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
  MalformedMessageError,
  Reader,
} from '@millrace/protocol'
import type { Message } from '@millrace/protocol'
import type { TopicPartition } from '../record.ts'

/** Topics a member is subscribed to; none when what it sent cannot be read. */
export function subscribedTopics(metadata: Uint8Array): readonly string[] {
  return decoded(metadata, ConsumerProtocolSubscription)?.topics ?? []
}

/** Partitions a member was given; none when they cannot be read. */
export function assignedPartitions(assignment: Uint8Array): readonly TopicPartition[] {
  const topics = decoded(assignment, ConsumerProtocolAssignment)?.assignedPartitions ?? []
  return topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
}

/** Newer versions only add to the end, so they are read as the newest known. */
function decoded<M extends Message>(bytes: Uint8Array, message: M): ReturnType<M['decode']> | null {
  if (bytes.length < 2) return null
  const reader = new Reader(bytes)
  const version = Math.min(reader.int16(), message.versions[1])
  try {
    return message.decode(reader, version) as ReturnType<M['decode']>
  } catch (error) {
    if (!(error instanceof MalformedMessageError)) throw error
    // A member may put there what it likes; it is described without it.
    return null
  }
}
