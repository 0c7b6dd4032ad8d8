/**
 * What members of the classic protocol say in the bytes that are theirs: which topics they subscribe to and own, and how they are told what they
 * are assigned. Each begins with its version; newer ones than ours only append.
 */
import {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
  ErrorCode,
  KafkaError,
  MalformedMessageError,
  Reader,
  Writer,
  type Decoded,
  type Message,
  type Shape,
} from '@millrace/protocol'
import type { MetadataImage } from '../../../metadata/image.ts'
import type { Assignment } from '../assignors/assignor.ts'
import { ascending } from './owned-partitions.ts'
import type { ReportedPartitions } from './reconcile.ts'

export type Subscription = ReturnType<typeof ConsumerProtocolSubscription.decode>
export type TopicsAssigned = ReturnType<typeof ConsumerProtocolAssignment.decode>

/** @throws MalformedMessageError */
export function decodeSubscription(bytes: Uint8Array): Subscription {
  return decode(bytes, ConsumerProtocolSubscription)
}

/** @throws MalformedMessageError */
export function decodeTopicsAssigned(bytes: Uint8Array): TopicsAssigned {
  return decode(bytes, ConsumerProtocolAssignment)
}

/** In the version of the subscription of who is told it. @throws MalformedMessageError when that cannot be read. */
export function encodeTopicsAssigned(
  assignment: Assignment,
  subscription: Uint8Array,
  image: MetadataImage,
): Uint8Array {
  const version = versionOf(new Reader(subscription), ConsumerProtocolAssignment)
  const writer = new Writer()
  writer.int16(version)
  const assignedPartitions = Array.from(assignment).flatMap(([topicId, partitions]) => {
    const topic = image.topicNameById(topicId)
    return topic === undefined ? [] : [{ topic, partitions: ascending(partitions) }]
  })
  ConsumerProtocolAssignment.encode(writer, { assignedPartitions }, version)
  return Buffer.concat(writer.finish())
}

/** By topic id; of the topics that exist. */
export function withTopicIds(
  owned: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
  image: MetadataImage,
): ReportedPartitions {
  return owned.flatMap(({ topic, partitions }) => {
    const topicId = image.topics.get(topic)?.id
    return topicId === undefined ? [] : [{ topicId, partitions }]
  })
}

/** For what must not fail: it was read before. */
export function asServerError<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof MalformedMessageError)) throw error
    throw new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, 'Malformed embedded consumer protocol.', { cause: error })
  }
}

function decode<Fields extends Shape>(bytes: Uint8Array, declaration: Message<Fields>): Decoded<Fields> {
  const reader = new Reader(bytes)
  return declaration.decode(reader, versionOf(reader, declaration))
}

function versionOf(reader: Reader, { versions: [oldest, newest] }: { versions: readonly [number, number] }): number {
  const version = reader.int16()
  if (version < oldest) throw new MalformedMessageError(`version ${version} is below ${oldest}`, 0)
  return Math.min(version, newest)
}
