// Reading what is expected to be there, no longer than the check may take.
import type { Consumer, ConsumerRecord, TopicPartition } from '@millrace/client'
import type { Bench } from './bench.ts'

/** The next `count` records. @throws Error when reading ends before. */
export async function take<K, V>(
  consumer: Consumer<K, V>,
  count: number,
  signal: AbortSignal,
): Promise<ConsumerRecord<K, V>[]> {
  const records: ConsumerRecord<K, V>[] = []
  if (count === 0) return records
  for await (const record of consumer.records({ signal })) {
    records.push(record)
    if (records.length === count) return records
  }
  throw new Error(`reading ended after ${records.length} of ${count} records`)
}

/** What comes within `ms`, when nothing may come, or nothing more. */
export async function takeFor<K, V>(consumer: Consumer<K, V>, ms: number): Promise<ConsumerRecord<K, V>[]> {
  const records: ConsumerRecord<K, V>[] = []
  for await (const record of consumer.records({ signal: AbortSignal.timeout(ms) })) records.push(record)
  return records
}

export const partitionsOf = (topic: string, count: number): TopicPartition[] =>
  Array.from({ length: count }, (_, partition) => ({ topic, partition }))

/** All values of a topic's partitions from their beginnings to the ends they have now, by partition. */
export async function valuesOf(
  bench: Bench,
  topic: string,
  { partitions = 1, isolationLevel = 'read_uncommitted' as 'read_uncommitted' | 'read_committed' } = {},
): Promise<string[][]> {
  const decode = { deserialize: (bytes: Uint8Array) => Buffer.from(bytes).toString() }
  await using consumer = bench.kafka().consumer({ value: decode, offsetReset: 'earliest', isolationLevel })
  const all = partitionsOf(topic, partitions)
  consumer.assign(all)
  const values = all.map((): string[] => [])
  const ends = (await consumer.endOffsets(all)).map(({ offset }) => offset)
  const isDone = async () => {
    for (const [at, partition] of all.entries()) if ((await consumer.position(partition)) < ends[at]!) return false
    return true
  }
  if (await isDone()) return values
  // The end may be a marker of a transaction, behind which no record comes: so the positions are looked at again and again.
  const ended = new AbortController()
  const look = setInterval(() => {
    isDone().then(
      (done) => done && ended.abort(),
      () => {},
    )
  }, 50)
  try {
    for await (const { partition, value } of consumer.records({
      signal: AbortSignal.any([bench.signal, ended.signal]),
    }))
      values[partition]!.push(value ?? '')
  } finally {
    clearInterval(look)
  }
  return values
}

/** '0', '1', … */
export const numbers = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, at) => String(from + at))
