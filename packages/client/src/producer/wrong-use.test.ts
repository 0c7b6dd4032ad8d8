/** What a producer does with records, arguments and callbacks that are not what its types ask for. */
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { TestBroker } from '@millrace/broker/testing'
import { ErrorCode, InitProducerId, Metadata } from '@millrace/protocol'
import { silentLogger } from '@millrace/runtime'
import { Kafka } from '../kafka.ts'
import { answers, ScriptedBroker } from '../testing/scripted-broker.ts'
import type { ProducerOptions } from './options.ts'
import type { Producer } from './producer.ts'
import { committedValues } from './testing/committed-values.ts'

async function start() {
  const broker = await TestBroker.start()
  await broker.createTopic('t', { partitions: 1 })
  const kafka = new Kafka({ brokers: `127.0.0.1:${broker.port}` })
  const warnings: unknown[] = []
  const note = (_message: string, fields?: object): void => void warnings.push((fields as { error: Error }).error)
  const logger = { ...silentLogger, warn: note, error: note, child: () => logger }
  return {
    broker,
    warnings,
    /** Without types. */
    producer: (options: ProducerOptions<unknown, unknown> = {}): Producer<unknown> =>
      kafka.producer({ topic: 't', lingerMs: 0, logger, ...options }) as unknown as Producer<unknown>,
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  }
}

test('what is no record, or lacks a value, is refused and nothing is written', async () => {
  await using world = await start()
  await using producer = world.producer()
  for (const [wrong, message] of [
    [null, /should be an object with a topic and a value, but is null/],
    [undefined, /but is undefined/],
    ['text', /but is a string/],
    [5, /but is a number/],
    [{}, /has no value; null says that it shall have none/],
    [{ value: undefined }, /has no value/],
    [{ value: 'x', timestamp: -1 }, /whole milliseconds from 0 up, but is -1/],
    [{ value: 'x', timestamp: NaN }, /but is NaN/],
    [{ value: 'x', headers: null }, /headers should be an object, or a list of pairs \[name, value\], but are null/],
    [{ value: 'x', headers: 'abc' }, /headers should be .* but are a string/],
    [{ value: 'x', headers: 5 }, /headers should be .* but are a number/],
    [{ value: 'x', headers: new Map([['a', 'b']]) }, /headers should be .* but are an object \(Map\)/],
    [{ value: 'x', headers: ['ab'] }, /a header should be a pair \[name, value\], but is a string/],
    [{ value: 'x', headers: [null] }, /a header should be a pair \[name, value\], but is null/],
    [{ value: 'x', headers: [{ key: 'a', value: null }] }, /a header should be a pair .* but is an object \(Object\)/],
  ] as const) {
    await assert.rejects(producer.send(wrong), message)
    await assert.rejects(producer.sendAll([wrong]), message)
  }
  assert.deepEqual(await committedValues(world.broker, 't'), [])
  await producer.send({ value: 'x' })
})

test('what is no list of records is refused by a rejection', async () => {
  await using world = await start()
  await using producer = world.producer()
  for (const wrong of [null, undefined, 5, 'text', {}, new Set([{ value: 'x' }])])
    await assert.rejects(producer.sendAll(wrong as never), /sendAll: expected a list of records/)
  for (const wrong of [null, undefined, 5]) await assert.rejects(producer.partitionsFor(wrong as never), TypeError)
})

test('a failure that is no Error is a failure all the same', async () => {
  await using world = await start()
  const thrown = (reason: unknown) => ({
    get value(): never {
      throw reason
    },
  })
  await using producer = world.producer({ transactionalId: 'x' })
  for (const reason of [null, undefined, 'no']) {
    const inTransaction = producer.transaction(async (transaction) => {
      await transaction.send({ value: 'spoilt' })
      transaction.sendAll([thrown(reason)]).catch(() => {})
    })
    await assert.rejects(inTransaction, /a record could not be sent/)
  }
  await using plain = world.producer()
  for (const reason of [null, undefined, 'no']) {
    const failed = await plain.sendAll([{ value: 'a' }, thrown(reason)]).then(
      () => assert.fail('resolved'),
      (error: unknown) => error,
    )
    assert.equal(failed, reason)
    const signal = AbortSignal.abort(reason)
    await assert.rejects(plain.sendAll([{ value: 'b' }], { signal }))
  }
  await producer.transaction(async (transaction) => void (await transaction.send({ value: 'good' })))
  assert.deepEqual(await committedValues(world.broker, 't'), ['a', 'a', 'a', 'good'])
})

test('record objects and lists may be used again while what was sent waits for the topic', async () => {
  await using world = await start()
  await using producer = world.producer()
  const record = { value: '' }
  const sent: Promise<unknown>[] = []
  for (const value of ['a', 'b']) {
    record.value = value
    sent.push(producer.send(record))
  }
  const list = [{ value: 'c' }, { value: 'd' }]
  sent.push(producer.sendAll(list))
  list.length = 0
  await Promise.all(sent)
  assert.deepEqual(await committedValues(world.broker, 't'), ['a', 'b', 'c', 'd'])
})

test('callbacks that are async and fail are logged, and end nothing', async () => {
  await using world = await start()
  const failing = (name: string) => (): never => Promise.reject(new Error(name)) as never
  await using producer = world.producer({
    onError: failing('onError'),
    interceptors: [{ onSend: failing('onSend'), onAcknowledgement: failing('onAcknowledgement') }],
  })
  await producer.send({ value: 'x' })
  producer.sendAndForget({ value: 5 })
  await producer.flush()
  await using serializing = world.producer({ value: { serialize: failing('serialize') } })
  await assert.rejects(serializing.send({ value: 'x' }), /its serializer should give bytes/)
  await using partitioning = world.producer({ partitioner: failing('partitioner') })
  await assert.rejects(partitioning.send({ value: 'x' }), /the partitioner gave/)
  const messages = world.warnings.map((error) => (error as Error).message)
  for (const name of ['onError', 'onSend', 'onAcknowledgement']) assert.ok(messages.includes(name), name)
})

test('a signal may be of another make, or null; what is none is refused before anything waits for it', async () => {
  await using world = await start()
  await using producer = world.producer()
  for (const signal of [5, 'now', {}]) {
    await assert.rejects(producer.send({ value: 'x' }, { signal: signal as never }), /signal should be an AbortSignal/)
    await assert.rejects(producer.sendAll([{ value: 'x' }], { signal: signal as never }), /signal should be/)
  }
  const listeners: (() => void)[] = []
  const foreign = {
    aborted: false,
    reason: new Error('enough'),
    addEventListener: (_type: string, listener: () => void) => listeners.push(listener),
    removeEventListener: () => {},
  }
  const missing = { topic: 'missing', partition: 7, value: 'x' }
  const waiting = producer.send(missing, { signal: foreign as never })
  for (const listener of listeners) listener()
  await assert.rejects(waiting, /enough/)
  await producer.send({ value: 'x' }, { signal: null as never })
})

test('who sends a record again as soon as it has failed is let go on in between', async (context) => {
  const broker: ScriptedBroker = await ScriptedBroker.start([
    answers(Metadata, () => ({
      brokers: [{ nodeId: 1, host: '127.0.0.1', port: broker.port }],
      controllerId: 1,
      topics: [
        {
          errorCode: 0,
          name: 't',
          partitions: [0, 1].map((partitionIndex) => ({
            errorCode: 0,
            partitionIndex,
            leaderId: 1,
            replicaNodes: [1],
            isrNodes: [1],
          })),
        },
      ],
    })),
    answers(InitProducerId, () => ({
      throttleTimeMs: 0,
      errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
      producerId: -1n,
      producerEpoch: -1,
    })),
  ])
  context.after(() => broker[Symbol.asyncDispose]())
  const failed = Promise.withResolvers<void>()
  let failures = 0
  let isEnough = false
  await using producer = new Kafka({ brokers: broker.address }).producer({
    topic: 't',
    partitioner: 'round-robin',
    onError: () => {
      failed.resolve()
      if (++failures < 1000 && !isEnough) producer.sendAndForget({ value: 'x' })
    },
  })
  producer.sendAndForget({ value: 'x' })
  await failed.promise
  isEnough = true
  assert.equal(failures, 1)
})

test('a logger that throws stops nothing', async () => {
  await using world = await start()
  const closed = (): never => {
    throw new Error('write after end')
  }
  const logger = { debug: closed, info: closed, warn: closed, error: closed, child: closed }
  await using producer = world.producer({
    logger,
    interceptors: [{ onAcknowledgement: closed }],
    onError: closed,
  })
  assert.equal((await producer.sendAll([{ value: 'a' }, { value: 'b' }])).length, 2)
  producer.sendAndForget({ value: 5 })
  await producer.flush()
})

test('closing within what is no time is refused, and nothing is closed', async () => {
  await using world = await start()
  await using producer = world.producer()
  for (const timeoutMs of [NaN, -1, '5'])
    await assert.rejects(
      producer.close({ timeoutMs: timeoutMs as number }),
      /close: timeoutMs should be a number from 0 up/,
    )
  assert.equal((await producer.send({ value: 'x' })).offset, 0n)
})

test('a name that no request can hold is refused, and keeps no other topic from being known', async () => {
  await using world = await start()
  await using producer = world.producer()
  const code = ErrorCode.INVALID_TOPIC_EXCEPTION
  await assert.rejects(producer.send({ topic: 'n'.repeat(40_000), value: 'x' }), { code })
  await assert.rejects(producer.partitionsFor('n'.repeat(40_000)), { code })
  await producer.send({ value: 'x' })
})
