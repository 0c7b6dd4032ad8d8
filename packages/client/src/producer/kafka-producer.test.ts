/** The producer against a real broker of ours. */
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { TestBroker, type TestBrokerOptions } from '@millrace/broker/testing'
import { ErrorCode, Fetch, KafkaError, readRecords, batchPositions } from '@millrace/protocol'
import { Kafka } from '../kafka.ts'
import { serde } from '../serde/serdes.ts'

async function start(topics: Readonly<Record<string, number>> = { t: 1 }, options: TestBrokerOptions = {}) {
  const broker = await TestBroker.start(options)
  for (const [name, partitions] of Object.entries(topics)) await broker.createTopic(name, { partitions })
  const kafka = new Kafka({ brokers: `127.0.0.1:${broker.port}` })
  return { broker, kafka, [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose]() }
}

/** Values of the records in a partition. */
async function valuesIn(broker: TestBroker, topic: string, partition = 0): Promise<string[]> {
  const client = await broker.connect()
  const { responses } = await client.ask(Fetch, 11, {
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 0x7fff_ffff,
    isolationLevel: 1,
    topics: [{ topic, partitions: [{ partition, fetchOffset: 0n, partitionMaxBytes: 0x7fff_ffff }] }],
  })
  client.close()
  const records = responses[0]!.partitions[0]!.records ?? new Uint8Array()
  return [...batchPositions(records)].flatMap((at) =>
    [...readRecords(records, at)].map(({ value }) => Buffer.from(value ?? []).toString()),
  )
}

test('a record is written where its metadata say, with key, headers and timestamp', async () => {
  await using world = await start()
  await using producer = world.kafka.producer({ key: serde.string, value: serde.json<{ n: number }>() })
  const written = await producer.send({
    topic: 't',
    key: 'k',
    value: { n: 1 },
    timestamp: 1234,
    headers: { kind: 'test', none: null, raw: Buffer.from([1]) },
  })
  assert.deepEqual(written, { topic: 't', partition: 0, offset: 0n, timestamp: 1234 })
  assert.deepEqual(await valuesIn(world.broker, 't'), ['{"n":1}'])
})

test('records of one turn share batches, and their promises resolve in order', async () => {
  await using world = await start()
  await using producer = world.kafka.producer({ lingerMs: 0 })
  await producer.partitionsFor('t')
  const order: number[] = []
  await Promise.all(
    Array.from({ length: 300 }, async (_, index) => {
      const { offset } = await producer.send({ topic: 't', value: `v${index}` })
      assert.equal(offset, BigInt(index))
      order.push(index)
    }),
  )
  assert.deepEqual(
    order,
    order.toSorted((one, other) => one - other),
  )
  const requests = producer.metrics().find(({ name }) => name === 'records-per-request-max')!
  assert.equal(requests.value, 300)
})

test('an array has one promise, and its metadata are in the order of its records', async () => {
  await using world = await start({ a: 3, b: 1 })
  await using producer = world.kafka.producer({ topic: 'a' })
  const records = Array.from({ length: 100 }, (_, index) =>
    index % 4 === 3 ? { topic: 'b', value: String(index) } : { partition: index % 3, value: String(index) },
  )
  const written = await producer.sendAll(records)
  for (const [index, { topic, partition }] of written.entries()) {
    assert.equal(topic, index % 4 === 3 ? 'b' : 'a')
    if (topic === 'a') assert.equal(partition, index % 3)
  }
  const stored = await valuesIn(world.broker, 'b')
  assert.deepEqual(
    stored,
    written.flatMap(({ topic }, index) => (topic === 'b' ? [String(index)] : [])),
  )
  assert.deepEqual(await producer.sendAll([]), [])
})

test('a value that cannot be serialized rejects that send alone', async () => {
  await using world = await start()
  await using producer = world.kafka.producer({ value: serde.int })
  const sends = [1, 2.5, 3].map((value) => producer.send({ topic: 't', value }))
  const [one, two, three] = await Promise.allSettled(sends)
  assert.equal(one!.status, 'fulfilled')
  assert.match(String((two as PromiseRejectedResult).reason), /2\.5 is not a 32 bit integer/)
  assert.equal(three!.status, 'fulfilled')
})

test('acks 0 has no offsets', async () => {
  await using world = await start()
  await using producer = world.kafka.producer({ acks: 0 })
  assert.equal((await producer.send({ topic: 't', value: 'v' })).offset, -1n)
  await producer.close()
  assert.deepEqual(await valuesIn(world.broker, 't'), ['v'])
})

for (const compressionType of ['gzip', 'snappy', 'lz4', 'zstd'] as const)
  test(`${compressionType}: small batches and large ones arrive in order`, async () => {
    await using world = await start()
    await using producer = world.kafka.producer({ compressionType, batchSize: 200_000 })
    const values = Array.from({ length: 3000 }, (_, index) => `${index} ${'x'.repeat(index % 500)}`)
    await producer.sendAll(values.map((value) => ({ topic: 't', value })))
    assert.deepEqual(await valuesIn(world.broker, 't'), values)
  })

test('a batch that is too large for the topic is split until it fits', async () => {
  await using world = await start({})
  await world.broker.createTopic('small', { configs: { 'max.message.bytes': 1000 } })
  await using producer = world.kafka.producer({ batchSize: 50_000 })
  const values = Array.from({ length: 200 }, (_, index) => `${index} ${'x'.repeat(100)}`)
  const written = await producer.sendAll(values.map((value) => ({ topic: 'small', value })))
  assert.deepEqual(await valuesIn(world.broker, 'small'), values)
  assert.deepEqual(
    written.map(({ offset }) => offset),
    values.map((_, index) => BigInt(index)),
  )
})

test('a record that is too large fails alone, and those behind it are written', async () => {
  await using world = await start({})
  await world.broker.createTopic('small', { configs: { 'max.message.bytes': 1000 } })
  await using producer = world.kafka.producer()
  const values = ['a', 'b'.repeat(2000), 'c']
  const settled = await Promise.allSettled(values.map((value) => producer.send({ topic: 'small', value })))
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.equal(((settled[1] as PromiseRejectedResult).reason as KafkaError).code, ErrorCode.MESSAGE_TOO_LARGE)
  assert.deepEqual(await valuesIn(world.broker, 'small'), ['a', 'c'])
})

test('a record above maxRequestSize is refused before it is sent', async () => {
  await using world = await start()
  await using producer = world.kafka.producer({ maxRequestSize: 1000 })
  await assert.rejects(producer.send({ topic: 't', value: 'x'.repeat(1001) }), /more than maxRequestSize \(1000\)/)
  await producer.send({ topic: 't', value: 'x'.repeat(500) })
})

test('records sent just before a commit are in the transaction though their topic was not known yet; before an abort they fail', async () => {
  await using world = await start({ t: 1, u: 1 })
  await using producer = world.kafka.producer({ transactionalId: 'tx' })
  await producer.initTransactions()
  producer.beginTransaction()
  const committed = producer.send({ topic: 't', value: 'committed' })
  await producer.commitTransaction()
  await committed
  producer.beginTransaction()
  const aborted = producer.send({ topic: 'u', value: 'aborted' })
  await producer.abortTransaction()
  await assert.rejects(aborted, { code: ErrorCode.INVALID_TXN_STATE })
  await producer.transaction((transaction) => transaction.send({ topic: 'u', value: 'next' }))
  assert.deepEqual(await valuesIn(world.broker, 't').then((values) => values.slice(0, 1)), ['committed'])
  assert.deepEqual(await valuesIn(world.broker, 'u').then((values) => values.slice(0, 1)), ['next'])
})

test('a transaction is written whole, or not at all', async () => {
  await using world = await start()
  await using producer = world.kafka.producer({ transactionalId: 'tx' })
  const result = await producer.transaction(async (transaction) => {
    await transaction.send({ topic: 't', value: 'one' })
    void transaction.send({ topic: 't', value: 'two' })
    return 'done'
  })
  assert.equal(result, 'done')
  const mistake = new Error('changed my mind')
  await assert.rejects(
    producer.transaction(async (transaction) => {
      await transaction.send({ topic: 't', value: 'lost' })
      throw mistake
    }),
    mistake,
  )
  await producer.transaction(async (transaction) => {
    await transaction.send({ topic: 't', value: 'lost too' })
    await transaction.abort()
  })
  await producer.transaction((transaction) => transaction.sendAll([{ topic: 't', value: 'three' }]))
  const all = await valuesIn(world.broker, 't')
  assert.deepEqual(
    all.filter((value) => !value.startsWith('lost') && /^[a-z]/.test(value)),
    ['one', 'two', 'three'],
  )
})
