/** What KafkaJS's producer does beyond what its documentation shows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KafkaJSNumberOfRetriesExceeded, type KafkaMessage, type Message } from '../index.ts'
import { clients, collector } from '../testing/clients.ts'

test('numbers and other values of JavaScript are sent as what they read as', async (context) => {
  const { kafka, producer, consumer: open } = await clients(context)
  const messages = [{ key: 42, value: 7, timestamp: null, headers: { attempt: 3, none: undefined } }]
  await producer.send({ topic: 't', messages: messages as unknown as Message[] })
  const legacy = kafka.producer({ createPartitioner: () => () => 0 })
  await legacy.connect()
  context.after(() => legacy.disconnect())
  await legacy.send({ topic: 't', messages: messages as unknown as Message[] })
  const consumer = await open()
  await consumer.subscribe({ topic: 't', fromBeginning: true })
  const seen = collector<KafkaMessage>(2)
  await consumer.run({ eachMessage: async ({ message }) => seen.add(message) })
  for (const { key, value, headers, timestamp } of await seen.all) {
    assert.deepEqual([String(key), String(value), headers], ['42', '7', { attempt: Buffer.from('3') }])
    assert.ok(Number(timestamp) > 1_600_000_000_000)
  }
})

test('messages without key go to one partition after the other', async (context) => {
  const { producer, admin } = await clients(context, 3)
  for (let at = 0; at < 6; at++) await producer.send({ topic: 't', messages: [{ value: `${at}` }] })
  await producer.send({ topic: 't', messages: ['a', 'b', 'c'].map((value) => ({ value })) })
  assert.deepEqual(
    (await admin.fetchTopicOffsets('t')).map(({ high }) => high),
    ['3', '3', '3'],
  )
})

test('a producer logs under its own name, and idempotence wants repetitions', async (context) => {
  const { kafka } = await clients(context)
  assert.throws(() => kafka.producer({ idempotent: true, retry: { retries: 0 } }), /must allow retries/)
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 0 })
  await producer.connect()
  context.after(() => producer.disconnect())
  await producer.send({ topic: 't', messages: [{ value: 'a' }] })
  await assert.rejects(producer.send({ topic: 't', messages: [{ value: 'a' }], acks: 1 }), {
    name: 'KafkaJSNonRetriableError',
  })
})

test('a topic that nobody may create by sending is missed after the repetitions', async (context) => {
  const { kafka, admin } = await clients(context)
  const producer = kafka.producer({ allowAutoTopicCreation: false, retry: { retries: 2, initialRetryTime: 20 } })
  await producer.connect()
  context.after(() => producer.disconnect())
  const message = { topic: 'unborn', messages: [{ value: 'a' }] }
  await assert.rejects(producer.send(message), (error) => {
    assert.ok(error instanceof KafkaJSNumberOfRetriesExceeded)
    assert.equal((error.cause as unknown as { type: string }).type, 'UNKNOWN_TOPIC_OR_PARTITION')
    return true
  })
  await admin.createTopics({ topics: [{ topic: 'unborn', numPartitions: 1 }] })
  assert.equal((await producer.send(message))[0]!.baseOffset, '0')
})
