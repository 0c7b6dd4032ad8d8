import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Kafka,
  KafkaJSNumberOfRetriesExceeded,
  logLevel,
  type ConsumerGroupJoinEvent,
  type ConsumerHeartbeatEvent,
  type InstrumentationEvent,
  type RequestEvent,
} from '../index.ts'
import { clients, collector, textOf } from '../testing/clients.ts'

test('a join, heartbeats and requests are told with all that KafkaJS tells', async (context) => {
  const { producer, consumer: open } = await clients(context)
  await producer.send({ topic: 't', messages: [{ value: 'a' }] })
  const consumer = await open('g', { heartbeatInterval: 50 })
  const joined = Promise.withResolvers<ConsumerGroupJoinEvent>()
  const beaten = Promise.withResolvers<ConsumerHeartbeatEvent>()
  const requested = Promise.withResolvers<RequestEvent>()
  consumer.on(consumer.events.GROUP_JOIN, joined.resolve)
  consumer.on(consumer.events.HEARTBEAT, beaten.resolve)
  consumer.on(consumer.events.REQUEST, requested.resolve)
  await consumer.subscribe({ topic: 't' })
  await consumer.run({ eachMessage: async () => {} })
  const { memberId, duration, ...join } = (await joined.promise).payload
  assert.ok(duration >= 0)
  assert.deepEqual(join, {
    groupId: 'g',
    isLeader: true,
    leaderId: memberId,
    groupProtocol: 'RoundRobinAssigner',
    memberAssignment: { t: [0] },
  })
  assert.deepEqual((await beaten.promise).payload, { groupId: 'g', memberId, groupGenerationId: 1 })
  const { payload } = await requested.promise
  assert.deepEqual(Object.keys(payload).toSorted(), [
    'apiKey',
    'apiName',
    'apiVersion',
    'broker',
    'clientId',
    'correlationId',
    'createdAt',
    'duration',
    'pendingDuration',
    'sentAt',
    'size',
  ])
})

test('a crash stops and disconnects, and tells the error of the handler; a mistake of the program is the end', async (context) => {
  const { producer, consumer: open } = await clients(context)
  await producer.send({ topic: 't', messages: [{ value: '{"broken' }] })
  const consumer = await open()
  await consumer.subscribe({ topic: 't', fromBeginning: true })
  const { CONNECT, STOP, DISCONNECT, CRASH } = consumer.events
  const told = collector<InstrumentationEvent<unknown>>(4)
  for (const name of [CONNECT, STOP, DISCONNECT, CRASH] as const) consumer.on(name, (event) => told.add(event))
  await consumer.run({ eachMessage: async ({ message }) => void JSON.parse(textOf(message)) })
  const events = await told.all
  assert.deepEqual(
    events.map(({ type }) => type),
    [CONNECT, STOP, DISCONNECT, CRASH],
  )
  const { error, restart } = events[3]!.payload as { error: Error; restart: boolean }
  assert.deepEqual([error.name, restart], ['KafkaJSNonRetriableError', false])
  assert.ok(error.cause instanceof SyntaxError)
})

test('a consumer repeats five times though the other clients may not', async (context) => {
  const { bootstrapServers, producer } = await clients(context)
  await producer.send({ topic: 't', messages: [{ value: 'a' }] })
  const retry = { retries: 0, initialRetryTime: 5 }
  const kafka = new Kafka({ brokers: [bootstrapServers], logLevel: logLevel.NOTHING, retry })
  const consumer = kafka.consumer({ groupId: 'g', maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic: 't', fromBeginning: true })
  const crashed = Promise.withResolvers<unknown>()
  consumer.on(consumer.events.CRASH, ({ payload }) => crashed.resolve(payload.error))
  let calls = 0
  await consumer.run({
    eachMessage: async () => {
      calls++
      throw new Error('not now')
    },
  })
  assert.ok((await crashed.promise) instanceof KafkaJSNumberOfRetriesExceeded)
  assert.equal(calls, 6)
  await consumer.disconnect()
})

test('a run that crashes while joining resolves, and events tell of it', async (context) => {
  const { consumer: open } = await clients(context)
  const consumer = await open('g', { sessionTimeout: 2_147_483_647 })
  await consumer.subscribe({ topic: 't' })
  const crashed = Promise.withResolvers<boolean>()
  consumer.on(consumer.events.CRASH, ({ payload }) => crashed.resolve(payload.restart))
  await consumer.run({ eachMessage: async () => {} })
  assert.equal(await crashed.promise, false)
})

test('leaving a group is told as no rebalance', async (context) => {
  const { producer, consumer: open } = await clients(context)
  await producer.send({ topic: 't', messages: [{ value: 'a' }] })
  const consumer = await open('g')
  const told: string[] = []
  const { REBALANCING, STOP } = consumer.events
  for (const name of [REBALANCING, STOP] as const) consumer.on(name, ({ type }) => void told.push(type))
  await consumer.subscribe({ topic: 't' })
  await consumer.run({ eachMessage: async () => {} })
  await consumer.disconnect()
  assert.deepEqual(told, [STOP])
})
