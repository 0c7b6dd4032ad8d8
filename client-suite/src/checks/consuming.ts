// Every way to read, and every way to say where from.
import { KafkaError, serde, type Consumer, type OffsetReset } from '@millrace/client'
import { expectEqual, expectSameItems, expectTrue } from '@millrace/interop/checking'
import type { Bench } from '../bench.ts'
import { section } from '../check.ts'
import { numbers, partitionsOf, take, takeFor } from '../reading.ts'

export const { checks, check } = section('consuming')

/** A topic whose partitions hold '0', '1', … with timestamps a second apart. */
async function filled(bench: Bench, { partitions = 1, count = 100, keys = 1 } = {}): Promise<string> {
  const topic = await bench.topic({ partitions })
  const producer = bench.use(bench.kafka().producer({ topic, key: serde.string, value: serde.string }))
  const startMs = Date.now() - 3_600_000
  await producer.sendAll(
    partitionsOf(topic, partitions).flatMap(({ partition }) =>
      numbers(count).map((value, at) => ({
        partition,
        key: `key ${at % keys}`,
        value,
        timestamp: startMs + at * 1000,
      })),
    ),
  )
  return topic
}

function reader(bench: Bench, offsetReset: OffsetReset = 'earliest'): Consumer<string, string> {
  return bench.use(bench.kafka().consumer({ key: serde.string, value: serde.string, offsetReset, fetchMaxWaitMs: 100 }))
}

const valuesIn = (records: readonly { readonly value: string | null }[]) => records.map(({ value }) => value)

check('record by record', async (bench) => {
  const topic = await filled(bench, { partitions: 3 })
  const consumer = reader(bench)
  consumer.assign(partitionsOf(topic, 3))
  const records = await take(consumer, 300, bench.signal)
  for (const partition of [0, 1, 2])
    expectEqual(
      valuesIn(records.filter((record) => record.partition === partition)),
      numbers(100),
      `partition ${partition}`,
    )
})

check('batch by batch', async (bench) => {
  const topic = await filled(bench, { partitions: 2 })
  const consumer = bench.use(
    bench.kafka().consumer({ value: serde.string, offsetReset: 'earliest', maxPollRecords: 30 }),
  )
  consumer.assign(partitionsOf(topic, 2))
  const next = [0n, 0n]
  for await (const batch of consumer.batches({ signal: bench.signal })) {
    expectTrue(batch.count > 0 && batch.count <= 30, `a batch of ${batch.count}`)
    expectEqual(String(batch.firstOffset), String(next[batch.partition]), 'first offset')
    expectEqual([...batch].length, batch.count, 'records of a batch')
    expectEqual(String(batch.end.offset), String(batch.lastOffset + 1n), 'end')
    expectEqual(String(batch.lag), String(100n - batch.end.offset), 'lag')
    next[batch.partition] = batch.end.offset
    if (next.every((offset) => offset === 100n)) break
  }
})

for (const ordering of ['partition', 'key'] as const)
  check(`handlers side by side, in order by ${ordering}`, async (bench) => {
    const topic = await filled(bench, { partitions: 4, keys: 5 })
    const consumer = reader(bench)
    consumer.assign(partitionsOf(topic, 4))
    const done = new AbortController()
    const order = new Map<string, string[]>()
    const busy = new Set<string>()
    let [now, most, handled] = [0, 0, 0]
    await consumer.run({
      concurrency: 8,
      ordering,
      signal: AbortSignal.any([done.signal, bench.signal]),
      eachRecord: async ({ partition, key, value }) => {
        const lane = ordering === 'partition' ? `${partition}` : `${partition} ${key}`
        expectTrue(!busy.has(lane), `two records of ${lane} at a time`)
        busy.add(lane)
        most = Math.max(most, ++now)
        await new Promise((resolve) => setTimeout(resolve, 1))
        const seen = order.get(lane) ?? []
        order.set(lane, seen)
        seen.push(value!)
        busy.delete(lane)
        now--
        if (++handled === 400) done.abort()
      },
    })
    expectEqual(order.size, ordering === 'partition' ? 4 : 20, 'lanes')
    for (const [lane, values] of order)
      expectEqual(
        values,
        values.toSorted((a, b) => Number(a) - Number(b)),
        lane,
      )
    expectTrue(most > 1 && most <= 8, `${most} at a time`)
    return `${most} at a time`
  })

check('a handler that throws ends run, and only what was done is committed', async (bench) => {
  const topic = await filled(bench)
  const groupId = bench.name()
  const options = { groupId, topics: [topic], value: serde.string, offsetReset: 'earliest' } as const
  const boom = new Error('boom')
  const first = bench.use(bench.kafka().consumer(options))
  const outcome = await first
    .run({
      signal: bench.signal,
      eachRecord: ({ value }) => {
        if (value === '40') throw boom
      },
    })
    .catch((error: unknown) => error)
  expectTrue(outcome === boom || (outcome instanceof Error && outcome.cause === boom), `run came to ${String(outcome)}`)
  await first.close()
  const second = bench.use(bench.kafka().consumer(options))
  expectEqual(valuesIn(await take(second, 60, bench.signal)), numbers(60, 40), 'values read again')
})

check('positions: an offset, the beginning, the end, a time', async (bench) => {
  const topic = await filled(bench)
  const consumer = reader(bench)
  const partition = { topic, partition: 0 }
  consumer.assign([partition])
  const [first] = await take(consumer, 1, bench.signal)
  const firstOf = async () => (await take(consumer, 1, bench.signal))[0]!.value
  await consumer.seek(70n)
  expectEqual(await firstOf(), '70', 'after seeking an offset')
  await consumer.seek('beginning')
  expectEqual(await firstOf(), '0', 'after seeking the beginning')
  await consumer.seek({ timestamp: first!.timestamp + 41_500 }, [partition])
  expectEqual(await firstOf(), '42', 'after seeking a time')
  await consumer.seek('end')
  expectEqual(String(await consumer.position(partition)), '100', 'position at the end')
  const producer = bench.use(bench.kafka().producer({ topic, value: serde.string }))
  const [next] = await Promise.all([firstOf(), producer.send({ value: 'behind the end', timestamp: Date.now() })])
  expectEqual(next, 'behind the end', 'after seeking the end')
  const [begin] = await consumer.beginningOffsets([partition])
  const [end] = await consumer.endOffsets([partition])
  expectEqual([String(begin!.offset), String(end!.offset)], ['0', '101'], 'ends of the partition')
  const found = await consumer.offsetsForTimes([
    { ...partition, timestamp: first!.timestamp + 10_000 },
    { ...partition, timestamp: Date.now() + 3_600_000 },
  ])
  expectEqual([String(found[0]?.offset), found[1]], ['10', null], 'offsets for times')
})

check('without a committed offset: earliest, latest, by duration, none', async (bench) => {
  const topic = await filled(bench)
  const producer = bench.use(bench.kafka().producer({ topic, value: serde.string }))
  const start = (offsetReset: OffsetReset) => {
    const consumer = reader(bench, offsetReset)
    consumer.assign([{ topic, partition: 0 }])
    return consumer
  }
  expectEqual(valuesIn(await take(start('earliest'), 1, bench.signal)), ['0'], 'earliest')
  const latest = start('latest')
  expectEqual(String(await latest.position({ topic, partition: 0 })), '100', 'latest')
  await producer.send({ value: 'new', timestamp: Date.now() })
  expectEqual(valuesIn(await take(latest, 1, bench.signal)), ['new'], 'latest')
  // The record of an hour ago less 90 s is the last but few.
  const [recent] = await take(start({ byDurationMs: 3_600_000 - 90_500 }), 1, bench.signal)
  expectTrue(Number(recent!.value) >= 85 && Number(recent!.value) <= 95, `by duration: ${recent!.value}`)
  const outcome = await take(start('none'), 1, bench.signal).catch((error: unknown) => error)
  expectTrue(outcome instanceof KafkaError, `none: ${String(outcome)}`)
  return (outcome as KafkaError).message
})

check('an offset that is not there any more: reset, or an error', async (bench) => {
  const topic = await filled(bench)
  const consumer = reader(bench)
  consumer.assign([{ topic, partition: 0 }])
  await consumer.seek(5000n)
  expectEqual(valuesIn(await take(consumer, 1, bench.signal)), ['0'], 'earliest')
  const strict = reader(bench, 'none')
  strict.assign([{ topic, partition: 0 }])
  await strict.seek(5000n)
  const outcome = await take(strict, 1, bench.signal).catch((error: unknown) => error)
  expectTrue(outcome instanceof KafkaError && outcome.code === 1, `none: ${String(outcome)}`)
  return (outcome as KafkaError).message
})

check('paused partitions rest, the others go on, and nothing is lost', async (bench) => {
  const topic = await filled(bench, { partitions: 2 })
  const consumer = reader(bench)
  const [one, other] = partitionsOf(topic, 2) as [
    { topic: string; partition: number },
    { topic: string; partition: number },
  ]
  consumer.assign([one, other])
  consumer.pause([one])
  const first = await take(consumer, 100, bench.signal)
  expectEqual(valuesIn(first), numbers(100), 'of the partition that is not paused')
  expectTrue(
    first.every(({ partition }) => partition === 1),
    'a record of the paused partition came',
  )
  expectEqual(consumer.paused(), [one], 'paused')
  expectEqual((await takeFor(consumer, 500)).length, 0, 'records while paused')
  consumer.resume([one])
  expectEqual(valuesIn(await take(consumer, 100, bench.signal)), numbers(100), 'after resuming')
})

check('lag', async (bench) => {
  const topic = await filled(bench)
  const consumer = reader(bench)
  const partition = { topic, partition: 0 }
  consumer.assign([partition])
  await take(consumer, 30, bench.signal)
  const lag = consumer.currentLag(partition)
  expectTrue(lag === 70n || lag === 71n, `lag ${lag}`)
})

check('committed records only, and no markers', async (bench) => {
  const topic = await bench.topic()
  const producer = bench.use(bench.kafka().producer({ topic, value: serde.string, transactionalId: bench.name() }))
  const expected: string[] = []
  for (let round = 0; round < 10; round++)
    await producer.transaction(async (transaction) => {
      await transaction.send({ value: `${round}` })
      if (round % 2 === 1) await transaction.abort()
      else expected.push(`${round}`)
    })
  const consumer = bench.use(
    bench.kafka().consumer({ value: serde.string, offsetReset: 'earliest', isolationLevel: 'read_committed' }),
  )
  consumer.assign([{ topic, partition: 0 }])
  expectEqual(valuesIn(await take(consumer, expected.length, bench.signal)), expected, 'values')
  const open = bench.use(bench.kafka().producer({ topic, value: serde.string, transactionalId: bench.name() }))
  await open.initTransactions()
  open.beginTransaction()
  await open.send({ value: 'open' })
  expectEqual((await takeFor(consumer, 700)).length, 0, 'records of an open transaction')
  await open.commitTransaction()
  expectEqual(valuesIn(await take(consumer, 1, bench.signal)), ['open'], 'after the commit')
})

check('many small fetches: one partition at a time fits into an answer', async (bench) => {
  const topic = await bench.topic({ partitions: 10 })
  const producer = bench.use(bench.kafka().producer({ topic, value: serde.string, batchSize: 0, lingerMs: 0 }))
  const large = 'x'.repeat(3000)
  await producer.sendAll(
    partitionsOf(topic, 10).flatMap(({ partition }) =>
      numbers(20).map((value) => ({ partition, value: value + large })),
    ),
  )
  const consumer = bench.use(
    bench
      .kafka()
      .consumer({ value: serde.string, offsetReset: 'earliest', maxPartitionFetchBytes: 100, fetchMaxBytes: 200 }),
  )
  consumer.assign(partitionsOf(topic, 10))
  const records = await take(consumer, 200, bench.signal)
  const seen = records.map(({ partition, value }) => `${partition}/${value!.slice(0, -large.length)}`)
  expectSameItems(
    seen,
    partitionsOf(topic, 10).flatMap(({ partition }) => numbers(20).map((value) => `${partition}/${value}`)),
    'records',
  )
})
