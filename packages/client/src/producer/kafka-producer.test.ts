/** The producer against a real broker of ours. */
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { TestBroker, type TestBrokerOptions } from '@millrace/broker/testing'
import { DeleteTopics, ErrorCode, type KafkaError } from '@millrace/protocol'
import { Kafka } from '../kafka.ts'
import { serde } from '../serde/serdes.ts'
import { committedValues } from './testing/committed-values.ts'

async function start(topics: Readonly<Record<string, number>> = { t: 1 }, options: TestBrokerOptions = {}) {
  const broker = await TestBroker.start(options)
  for (const [name, partitions] of Object.entries(topics)) await broker.createTopic(name, { partitions })
  const kafka = new Kafka({ brokers: `127.0.0.1:${broker.port}` })
  return { broker, kafka, [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose]() }
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
  assert.deepEqual(await committedValues(world.broker, 't'), ['{"n":1}'])
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
  const stored = await committedValues(world.broker, 'b')
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
  assert.deepEqual(await committedValues(world.broker, 't'), ['v'])
})

for (const compressionType of ['gzip', 'snappy', 'lz4', 'zstd'] as const)
  test(`${compressionType}: small batches and large ones arrive in order`, async () => {
    await using world = await start()
    await using producer = world.kafka.producer({ compressionType, batchSize: 200_000 })
    const values = Array.from({ length: 3000 }, (_, index) => `${index} ${'x'.repeat(index % 500)}`)
    await producer.sendAll(values.map((value) => ({ topic: 't', value })))
    assert.deepEqual(await committedValues(world.broker, 't'), values)
  })

test('a batch that is too large for the topic is split until it fits', async () => {
  await using world = await start({})
  await world.broker.createTopic('small', { configs: { 'max.message.bytes': 1000 } })
  await using producer = world.kafka.producer({ batchSize: 50_000 })
  const values = Array.from({ length: 200 }, (_, index) => `${index} ${'x'.repeat(100)}`)
  const written = await producer.sendAll(values.map((value) => ({ topic: 'small', value })))
  assert.deepEqual(await committedValues(world.broker, 'small'), values)
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
  assert.deepEqual(await committedValues(world.broker, 'small'), ['a', 'c'])
})

test('a record above maxRequestSize is refused before it is sent', async () => {
  await using world = await start()
  await using producer = world.kafka.producer({ maxRequestSize: 1000 })
  await assert.rejects(producer.send({ topic: 't', value: 'x'.repeat(1001) }), /more than maxRequestSize \(1000\)/)
  await producer.send({ topic: 't', value: 'x'.repeat(500) })
})

test('a topic that was deleted and made anew takes records again', async () => {
  await using world = await start()
  await using producer = world.kafka.producer({ topic: 't', lingerMs: 0 })
  await producer.sendAll(['a', 'b'].map((value) => ({ value })))
  const client = await world.broker.connect()
  await client.ask(DeleteTopics, 5, { topicNames: ['t'], timeoutMs: 5000 })
  client.close()
  await world.broker.createTopic('t')
  const written = await producer.send({ value: 'c' })
  assert.equal(written.offset, 0n)
  assert.equal((await producer.send({ value: 'd' })).offset, 1n)
  assert.deepEqual(await committedValues(world.broker, 't'), ['c', 'd'])
})

test('a topic that is missing is made by the broker, if it does that; else sends fail in time and say what to do', async () => {
  await using world = await start({}, { configs: { 'auto.create.topics.enable': true } })
  await using creating = world.kafka.producer()
  assert.equal((await creating.send({ topic: 'new', value: 'v' })).offset, 0n)
  await using careful = world.kafka.producer({ allowAutoCreateTopics: false, maxBlockMs: 1_000 })
  const [missing, there] = await Promise.allSettled([
    careful.send({ topic: 'missing', value: 'v' }),
    careful.send({ topic: 'new', value: 'v' }),
  ])
  assert.match(String((missing as PromiseRejectedResult).reason), /the brokers do not know it; create it first/)
  assert.equal(there.status, 'fulfilled')
  await assert.rejects(careful.send({ topic: 'no such/name', value: 'v' }), /the name is not allowed/)
})

test('partitionsFor tells leaders and replicas', async () => {
  await using world = await start({ t: 2 })
  await using producer = world.kafka.producer()
  assert.deepEqual(
    (await producer.partitionsFor('t')).map(({ partition, leaderId, replicas }) => [partition, leaderId, replicas]),
    [
      [0, 1, [1]],
      [1, 1, [1]],
    ],
  )
})

test('records that waited in different lines keep the order of the calls', async () => {
  await using world = await start({ t: 1, other: 1 })
  await using producer = world.kafka.producer({ bufferMemory: 2000, batchSize: 1 })
  const value = 'x'.repeat(900)
  await producer.send({ topic: 't', value })
  const filling = producer.sendAll([0, 1, 2, 3].map(() => ({ topic: 't', value })))
  // Memory is full: the first waits for memory, and then for its topic; the second for its topic.
  const first = producer.sendAll([{ topic: 'other', value: 'first' }])
  const second = producer.send({ topic: 'other', value: 'second' })
  await Promise.all([filling, first, second])
  assert.deepEqual(await committedValues(world.broker, 'other'), ['first', 'second'])
})
