/** Where a consumer is told to go on. */
import { KafkaJSNonRetriableError } from './errors.ts'
import type { TopicPartitionOffset } from './handlers.ts'

export type SeekTarget = bigint | 'beginning' | 'end'

/** Offsets that stand for a place, as Kafka's protocol has them. */
const places = new Map<bigint, SeekTarget>([
  [-2n, 'beginning'],
  [-1n, 'end'],
])

/** @throws KafkaJSNonRetriableError for what is no place in a partition. */
export function seekTargetOf({ topic, partition, offset }: TopicPartitionOffset): SeekTarget {
  if (!topic) throw new KafkaJSNonRetriableError(`Invalid topic ${topic}`)
  if (Number.isNaN(Number(partition)))
    throw new KafkaJSNonRetriableError(`Invalid partition, expected a number received ${partition}`)
  const wanted = integerOf(offset)
  if (wanted === null) throw new KafkaJSNonRetriableError(`Invalid offset, expected a long received ${offset}`)
  const place = places.get(wanted)
  if (place !== undefined) return place
  if (wanted < 0n) throw new KafkaJSNonRetriableError('Offset must not be a negative number')
  return wanted
}

function integerOf(text: string): bigint | null {
  try {
    return BigInt(text)
  } catch {
    return null
  }
}
