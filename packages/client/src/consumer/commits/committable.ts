/** What `commit` takes, as offsets. */
import type { ConsumerRecord, TopicPartitionOffset } from '../../record.ts'
import type { Committable, ConsumerBatch } from '../consumer.ts'

/** A record or a batch stands for everything up to and with it. @throws TypeError for what is neither. */
export function offsetsOf<K, V>(upTo: Committable<K, V>): readonly TopicPartitionOffset[] {
  if (isList(upTo)) return upTo.map(checked)
  if (isBatch(upTo)) return [upTo.end]
  const { topic, partition, offset, leaderEpoch } = checked(upTo as ConsumerRecord<K, V>)
  return [{ topic, partition, offset: offset + 1n, ...(typeof leaderEpoch === 'number' ? { leaderEpoch } : {}) }]
}

function isList<K, V>(upTo: Committable<K, V>): upTo is readonly TopicPartitionOffset[] {
  return Array.isArray(upTo)
}

function isBatch<K, V>(upTo: Committable<K, V>): upTo is ConsumerBatch<K, V> {
  return typeof upTo === 'object' && upTo !== null && 'end' in upTo
}

function checked<T extends { readonly topic: string; readonly partition: number; readonly offset: bigint }>(one: T): T {
  if (typeof one?.topic !== 'string' || !Number.isInteger(one.partition) || typeof one.offset !== 'bigint')
    throw new TypeError(
      'commit expects a record, a batch, or a list of { topic, partition, offset } with a bigint offset',
    )
  if (one.offset < 0n) throw new RangeError(`offset ${one.offset} cannot be committed: offsets begin at 0`)
  return one
}
