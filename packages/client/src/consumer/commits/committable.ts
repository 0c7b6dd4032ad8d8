/** What `commit` takes, as offsets. */
import { checkPlace } from '../../checked-places.ts'
import type { ConsumerRecord, TopicPartitionOffset } from '../../record.ts'
import type { Committable, ConsumerBatch } from '../consumer.ts'

const expected = 'commit expects a record, a batch, or a list of { topic, partition, offset } with a bigint offset'

/**
 * A record or a batch stands for everything up to and with it. What the application does to its objects afterwards changes nothing.
 * @throws TypeError, RangeError for what cannot be committed.
 */
export function offsetsOf<K, V>(upTo: Committable<K, V>): readonly TopicPartitionOffset[] {
  if (isList(upTo)) return upTo.map((one) => ({ ...checkPlace(one, expected) }))
  if (isBatch(upTo)) return [{ ...checkPlace(upTo.end, expected) }]
  const { topic, partition, offset, leaderEpoch } = checkPlace(upTo as ConsumerRecord<K, V>, expected)
  return [{ topic, partition, offset: offset + 1n, ...(typeof leaderEpoch === 'number' ? { leaderEpoch } : {}) }]
}

function isList<K, V>(upTo: Committable<K, V>): upTo is readonly TopicPartitionOffset[] {
  return Array.isArray(upTo)
}

function isBatch<K, V>(upTo: Committable<K, V>): upTo is ConsumerBatch<K, V> {
  return typeof upTo === 'object' && upTo !== null && 'end' in upTo
}
