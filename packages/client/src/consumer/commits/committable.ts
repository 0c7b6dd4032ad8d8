/** What `commit` takes, as offsets. */
import { checkPlace } from '../../checked-places.ts'
import type { ConsumerRecord, TopicPartitionOffset } from '../../record.ts'
import type { Committable, ConsumerBatch } from '../consumer.ts'
import { RetriedRecord } from '../run/failures/retried-record.ts'

const expected = 'commit expects a record, a batch, or a list of { topic, partition, offset } with a bigint offset'

/**
 * A record or a batch stands for everything up to and with it. What the application does to its objects afterwards changes nothing.
 * @throws TypeError, RangeError for what cannot be committed.
 */
export function offsetsOf<K, V>(upTo: Committable<K, V>): readonly TopicPartitionOffset[] {
  if (isList(upTo)) return upTo.map((one) => ({ ...checkPlace(one, expected) }))
  if (isBatch(upTo)) return [{ ...checkPlace(upTo.end, expected) }]
  const record = checkPlace(upTo as ConsumerRecord<K, V>, expected)
  // Of one that is tried again the first topic has been committed past: going back there would have everything behind it read again.
  const { topic, partition, offset, leaderEpoch } = RetriedRecord.carrierOf(record)
  return [{ topic, partition, offset: offset + 1n, ...(typeof leaderEpoch === 'number' ? { leaderEpoch } : {}) }]
}

function isList<K, V>(upTo: Committable<K, V>): upTo is readonly TopicPartitionOffset[] {
  return Array.isArray(upTo)
}

function isBatch<K, V>(upTo: Committable<K, V>): upTo is ConsumerBatch<K, V> {
  return typeof upTo === 'object' && upTo !== null && 'end' in upTo
}
