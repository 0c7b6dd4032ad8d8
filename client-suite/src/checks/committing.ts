// Every way to say what has been done, and what the next reader makes of it.
import { serde, type Consumer, type ConsumerOptions } from '@millrace/client'
import { expectEqual } from '@millrace/interop/checking'
import type { Bench } from '../bench.ts'
import { section } from '../check.ts'
import { numbers, take } from '../reading.ts'

export const { checks, check } = section('committing')

/** A topic of 100 records and a way to be the only member of a group that reads it. */
async function scene(bench: Bench) {
  const topic = await bench.topic()
  const producer = bench.use(bench.kafka().producer({ topic, value: serde.string }))
  await producer.sendAll(numbers(100).map((value) => ({ value })))
  const groupId = bench.name()
  const member = (options: ConsumerOptions<Uint8Array, string> = {}): Consumer<Uint8Array, string> =>
    bench.use(
      bench.kafka().consumer({ groupId, topics: [topic], offsetReset: 'earliest', ...options, value: serde.string }),
    )
  const nextValue = async () => {
    const consumer = member({ enableAutoCommit: false })
    const [record] = await take(consumer, 1, bench.signal)
    await consumer.close()
    return record!.value
  }
  return { topic, member, nextValue }
}

check('by itself, at the end', async (bench) => {
  const { member, nextValue } = await scene(bench)
  const consumer = member()
  await take(consumer, 30, bench.signal)
  await consumer.close()
  expectEqual(await nextValue(), '29', 'next value: the record at which the loop was left does not count as handled')
})

check('by itself, every so often', async (bench) => {
  const { topic, member } = await scene(bench)
  const consumer = member({ autoCommitIntervalMs: 100 })
  let handled = 0
  for await (const record of consumer.records({ signal: bench.signal })) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (++handled === 100 && record.offset === 99n) break
  }
  for (;;) {
    bench.signal.throwIfAborted()
    const [committed] = await consumer.committed([{ topic, partition: 0 }])
    if (committed !== null && committed!.offset >= 50n) break
  }
})

check('waiting for it: all that was handled, a record, a batch, an offset with metadata', async (bench) => {
  const { topic, member, nextValue } = await scene(bench)
  const partition = { topic, partition: 0 }
  const consumer = member({ enableAutoCommit: false })
  const records = await take(consumer, 20, bench.signal)
  await consumer.commit(records[9])
  expectEqual(String((await consumer.committed([partition]))[0]?.offset), '10', 'after committing a record')
  await consumer.commit()
  // Nobody asked for a record behind the 20th, so it does not count as handled.
  expectEqual(String((await consumer.committed([partition]))[0]?.offset), '19', 'after committing all')
  for await (const batch of consumer.batches({ signal: bench.signal })) {
    await consumer.commit(batch)
    expectEqual(
      String((await consumer.committed([partition]))[0]?.offset),
      String(batch.end.offset),
      'after committing a batch',
    )
    break
  }
  await consumer.commit([{ ...partition, offset: 77n, metadata: 'so far' }])
  const [committed] = await consumer.committed([partition])
  expectEqual([String(committed?.offset), committed?.metadata], ['77', 'so far'], 'after committing an offset')
  await consumer.close()
  expectEqual(await nextValue(), '77', 'next value')
})

check('without waiting', async (bench) => {
  const { member, nextValue } = await scene(bench)
  const errors: Error[] = []
  const consumer = member({ enableAutoCommit: false, onError: (error) => void errors.push(error) })
  let handled = 0
  for await (const record of consumer.records({ signal: bench.signal })) {
    consumer.commitAsync(record)
    if (++handled === 60) break
  }
  await consumer.close()
  if (errors.length > 0) throw errors[0]
  expectEqual(await nextValue(), '60', 'next value')
})

check('not at all', async (bench) => {
  const { member, nextValue } = await scene(bench)
  const consumer = member({ enableAutoCommit: false })
  await take(consumer, 30, bench.signal)
  await consumer.close()
  expectEqual(await nextValue(), '0', 'next value')
})

check('of partitions that were assigned by hand', async (bench) => {
  const topic = await bench.topic({ partitions: 2 })
  const partition = { topic, partition: 1 }
  const producer = bench.use(bench.kafka().producer({ topic, value: serde.string }))
  await producer.sendAll(numbers(10).map((value) => ({ value, partition: 1 })))
  const groupId = bench.name()
  const open = () => {
    const consumer = bench.use(bench.kafka().consumer({ groupId, value: serde.string, offsetReset: 'earliest' }))
    consumer.assign([partition])
    return consumer
  }
  const first = open()
  await take(first, 4, bench.signal)
  await first.commit()
  await first.close()
  expectEqual((await take(open(), 1, bench.signal))[0]!.value, '3', 'next value')
})
