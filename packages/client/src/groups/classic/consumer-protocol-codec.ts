/** Subscriptions and assignments as the bytes that the classic protocol carries. Written in the newest version; readers take what they know. */
import {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
  ErrorCode,
  KafkaError,
  MalformedMessageError,
  Reader,
  Writer,
  type Message,
} from '@millrace/protocol'
import type { MemberAssignment, MemberSubscription } from '../../assignors/assignor.ts'
import { partitionsByTopic } from '../../assignors/partitions-by-topic.ts'
import { compareText } from '../../assignors/subscribed-members.ts'
import type { TopicPartition } from '../../record.ts'

export const CONSUMER_PROTOCOL_TYPE = 'consumer'

export function encodeSubscription(subscription: Omit<MemberSubscription, 'groupInstanceId'>): Uint8Array {
  const { topics, ownedPartitions, generationId, rackId, userData } = subscription
  const writer = new Writer()
  const [, version] = ConsumerProtocolSubscription.versions
  writer.int16(version)
  // In order: a coordinator that sees the same bytes again knows that nothing has changed.
  ConsumerProtocolSubscription.encode(
    writer,
    {
      topics: topics.toSorted(compareText),
      userData,
      ownedPartitions: partitionsByTopic(ownedPartitions.toSorted(comparePartitions)),
      generationId,
      rackId,
    },
    version,
  )
  return Buffer.concat(writer.finish())
}

/** @throws KafkaError CORRUPT_MESSAGE. */
export function decodeSubscription(bytes: Uint8Array, groupInstanceId: string | null): MemberSubscription {
  const { topics, userData, ownedPartitions, generationId, rackId } = decode(ConsumerProtocolSubscription, bytes)
  return { groupInstanceId, topics, userData, ownedPartitions: listed(ownedPartitions), generationId, rackId }
}

export function encodeAssignment({ partitions, userData }: MemberAssignment): Uint8Array {
  const writer = new Writer()
  const [, version] = ConsumerProtocolAssignment.versions
  writer.int16(version)
  const assignedPartitions = partitionsByTopic(partitions)
  ConsumerProtocolAssignment.encode(writer, { assignedPartitions, userData: userData ?? null }, version)
  return Buffer.concat(writer.finish())
}

/** @throws KafkaError CORRUPT_MESSAGE. */
export function decodeAssignment(bytes: Uint8Array): MemberAssignment {
  const { assignedPartitions, userData } = decode(ConsumerProtocolAssignment, bytes)
  return { partitions: listed(assignedPartitions), userData }
}

function decode<M extends Message>(message: M, bytes: Uint8Array): ReturnType<M['decode']> {
  const [oldest, newest] = message.versions
  try {
    const reader = new Reader(bytes)
    const version = reader.int16()
    if (version < oldest) throw new MalformedMessageError(`version ${version}`, 0)
    // Newer ones only append fields.
    return message.decode(reader, Math.min(version, newest)) as ReturnType<M['decode']>
  } catch (error) {
    if (!(error instanceof MalformedMessageError)) throw error
    throw new KafkaError(ErrorCode.CORRUPT_MESSAGE, `${message.name} cannot be read: ${error.message}`, {
      cause: error,
    })
  }
}

function listed(topics: readonly { topic: string; partitions: readonly number[] }[]): TopicPartition[] {
  return topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
}

function comparePartitions(one: TopicPartition, other: TopicPartition): number {
  return compareText(one.topic, other.topic) || one.partition - other.partition
}
