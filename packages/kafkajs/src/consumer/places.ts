/** Places in partitions that a program names: to go on from, or to commit. */
import type { TopicPartitionOffset as ClientOffset } from '@millrace/client'
import { KafkaJSNonRetriableError } from '../errors.ts'
import type { TopicPartitionOffset, TopicPartitionOffsetAndMetadata } from './handlers.ts'

export type SeekTarget = bigint | 'beginning' | 'end'

/** Offsets that stand for a place, as Kafka's protocol has them. */
const ends = new Map<bigint, SeekTarget>([
  [-2n, 'beginning'],
  [-1n, 'end'],
])

/** @throws KafkaJSNonRetriableError for what is no place in a partition. */
export function seekTargetOf(place: TopicPartitionOffset): SeekTarget {
  const offset = offsetOf(place)
  return ends.get(offset) ?? notNegative(offset)
}

/** @throws KafkaJSNonRetriableError for what cannot be committed. */
export function committableFrom(place: TopicPartitionOffsetAndMetadata): ClientOffset & { readonly metadata?: string } {
  const offset = notNegative(offsetOf(place))
  const { topic, partition, metadata = null } = place
  if (metadata === null) return { topic, partition, offset }
  if (typeof metadata !== 'string')
    throw new KafkaJSNonRetriableError(`Invalid offset metadata, expected string or null, received ${String(metadata)}`)
  return { topic, partition, offset, metadata }
}

function offsetOf({ topic, partition, offset }: TopicPartitionOffset): bigint {
  if (!topic) throw new KafkaJSNonRetriableError(`Invalid topic ${topic}`)
  if (Number.isNaN(Number(partition)))
    throw new KafkaJSNonRetriableError(`Invalid partition, expected a number received ${partition}`)
  try {
    return BigInt(offset)
  } catch {
    throw new KafkaJSNonRetriableError(`Invalid offset, expected a long received ${offset}`)
  }
}

function notNegative(offset: bigint): bigint {
  if (offset < 0n) throw new KafkaJSNonRetriableError('Offset must not be a negative number')
  return offset
}
