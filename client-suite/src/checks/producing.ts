// Every way to write, read back as it was written.
import { KafkaError, serde } from '@millrace/client'
import { anyRecord, codecs, corpus, expectEqual, expectTrue } from '@millrace/interop/checking'
import { Produce } from '@millrace/protocol'
import { BackgroundWriter } from '../background.ts'
import { section } from '../check.ts'
import { numbers, take, valuesOf } from '../reading.ts'

export const { checks, check } = section('producing')

for (const acks of [1, 'all'] as const)
  check(`acks ${acks}: offsets and promises in order`, async (bench) => {
    const topic = await bench.topic()
    const producer = bench.use(bench.kafka().producer({ topic, value: serde.string, acks }))
    const settled: number[] = []
    const sent = numbers(500).map(async (value, at) => {
      const { offset } = await producer.send({ value })
      settled.push(at)
      return offset
    })
    const offsets = (await Promise.all(sent)).map(Number)
    expectEqual(offsets, numbers(500).map(Number), 'offsets')
    expectEqual(settled, offsets, 'order of the promises')
    // With acks 1 followers may not have them yet, and until they have the partition does not end behind them.
    const consumer = bench.use(bench.kafka().consumer({ value: serde.string, offsetReset: 'earliest' }))
    consumer.assign([{ topic, partition: 0 }])
    const values = (await take(consumer, 500, bench.signal)).map(({ value }) => value)
    expectEqual(values, numbers(500), 'values')
  })

check('acks 0: everything arrives', async (bench) => {
  const topic = await bench.topic()
  const producer = bench.use(bench.kafka().producer({ topic, value: serde.string, acks: 0 }))
  const [first] = await Promise.all(numbers(200).map((value) => producer.send({ value })))
  expectEqual(Number(first!.offset), -1, 'offset')
  const consumer = bench.use(bench.kafka().consumer({ value: serde.string, offsetReset: 'earliest' }))
  consumer.assign([{ topic, partition: 0 }])
  const values = (await take(consumer, 200, bench.signal)).map(({ value }) => value)
  expectEqual(values, numbers(200), 'values')
})

for (const codec of codecs) {
  const needs = codec === 'zstd' ? [{ api: Produce, version: 7 }] : []
  check(
    `${codec === 'none' ? 'uncompressed' : codec}: keys, values, headers and timestamps come back byte for byte`,
    async (bench) => {
      const topic = await bench.topic({ configs: { 'max.message.bytes': '2000000' } })
      const records = corpus(Date.now() - 3_600_000, anyRecord)
      const kafka = bench.kafka()
      const producer = bench.use(
        kafka.producer({ topic, compressionType: codec, lingerMs: 20, batchSize: 100_000, maxRequestSize: 2_000_000 }),
      )
      await producer.sendAll(
        records.map(({ key, value, headers, timestamp }) => ({
          key,
          value,
          timestamp,
          headers: headers.map(({ name, value: content }) => [name, content] as const),
        })),
      )
      const consumer = bench.use(kafka.consumer({ offsetReset: 'earliest' }))
      consumer.assign([{ topic, partition: 0 }])
      const read = await take(consumer, records.length, bench.signal)
      const hex = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('hex'))
      for (const [at, record] of records.entries()) {
        const got = read[at]!
        const where = `record ${at}`
        expectEqual(Number(got.offset), at, `${where}: offset`)
        expectEqual(got.timestamp, record.timestamp, `${where}: timestamp`)
        expectEqual(hex(got.key), hex(record.key), `${where}: key`)
        expectEqual(hex(got.value), hex(record.value), `${where}: value`)
        expectEqual(
          got.headers.map(({ key, value }) => [key, hex(value)]),
          record.headers.map(({ name, value }) => [name, hex(value)]),
          `${where}: headers`,
        )
      }
      return `${records.length} records`
    },
    { needs },
  )
}

check('arrays, forgotten records and flush', async (bench) => {
  const topic = await bench.topic({ partitions: 1 })
  const errors: Error[] = []
  const producer = bench.use(
    bench
      .kafka()
      .producer({ topic, value: serde.string, lingerMs: 60_000, onError: (error) => void errors.push(error) }),
  )
  for (const value of numbers(100)) producer.sendAndForget({ value })
  const rest = producer.sendAll(numbers(100, 100).map((value) => ({ value })))
  await producer.flush()
  expectEqual(
    (await rest).map(({ offset }) => Number(offset)),
    numbers(100, 100).map(Number),
    'offsets',
  )
  expectEqual(await valuesOf(bench, topic), [numbers(200)], 'values')
  expectEqual(errors.length, 0, 'errors')
})

check('keys go to the partitions that Java would choose', async (bench) => {
  const topic = await bench.topic({ partitions: 7 })
  const producer = bench.use(bench.kafka().producer({ topic, key: serde.string, value: serde.string }))
  const written = await producer.sendAll(
    ['21', 'foobar', 'a-little-bit-long-string', 'key'].map((key) => ({ key, value: key })),
  )
  // murmur2 of the key, without its sign, modulo 7; the first three are in Kafka's own UtilsTest.
  const hashes = [-973932308, -790332482, -985981536]
  const expected = hashes.map((hash) => (hash & 0x7fffffff) % 7)
  expectEqual(
    written.slice(0, 3).map(({ partition }) => partition),
    expected,
    'partitions',
  )
})

check('a record that is too large fails, and those around it do not', async (bench) => {
  const topic = await bench.topic({ configs: { 'max.message.bytes': '10000' } })
  const producer = bench.use(bench.kafka().producer({ topic, lingerMs: 20 }))
  const sizes = [100, 50_000, 100, 2_000_000, 100]
  const outcomes = await Promise.allSettled(
    sizes.map(async (size) => producer.send({ value: Buffer.alloc(size, 'x') })),
  )
  expectEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
    'outcomes',
  )
  for (const outcome of outcomes)
    if (outcome.status === 'rejected')
      expectTrue(
        outcome.reason instanceof KafkaError && outcome.reason.code === 10,
        `it says ${String(outcome.reason)}`,
      )
})

check('a topic that is missing is created, or its lack told', async (bench) => {
  const missing = bench.name('created')
  const producer = bench.use(bench.kafka().producer({ value: serde.string }))
  const { offset } = await producer.send({ topic: missing, value: 'first' })
  expectEqual(Number(offset), 0, 'offset')
  const shy = bench.use(bench.kafka().producer({ value: serde.string, allowAutoCreateTopics: false, maxBlockMs: 1000 }))
  const outcome = await shy.send({ topic: bench.name('absent'), value: 'x' }).then(
    () => 'sent',
    (error: unknown) => error,
  )
  expectTrue(outcome instanceof KafkaError, `sending to a topic that is not there came to ${String(outcome)}`)
  return (outcome as KafkaError).message
})

check("the broker's timestamps are told", async (bench) => {
  const topic = await bench.topic({ configs: { 'message.timestamp.type': 'LogAppendTime' } })
  const before = Date.now()
  const producer = bench.use(bench.kafka().producer({ topic, value: serde.string }))
  const { timestamp } = await producer.send({ value: 'x', timestamp: 1000 })
  expectTrue(timestamp >= before - 1000 && timestamp <= Date.now() + 1000, `timestamp ${timestamp}`)
  const consumer = bench.use(bench.kafka().consumer({ offsetReset: 'earliest' }))
  consumer.assign([{ topic, partition: 0 }])
  const [record] = await take(consumer, 1, bench.signal)
  expectEqual(record!.timestampType, 'LogAppendTime', 'type')
  expectEqual(record!.timestamp, timestamp, 'timestamp')
})

check(
  'idempotent: a broker that is killed and comes back loses, doubles and reorders nothing',
  async (bench) => {
    const partitions = 3
    const topic = await bench.topic({ partitions })
    const writer = new BackgroundWriter(bench, topic, partitions)
    for (let restarts = 0; restarts < 2; restarts++) {
      await writer.progress(500)
      await bench.testbed.restart(300)
    }
    await writer.progress(500)
    await writer.stop()
    return writer.verify()
  },
  { runsAlone: true, needsOneBroker: true, timeoutMs: 240_000 },
)
