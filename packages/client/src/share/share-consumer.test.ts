import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { ErrorCode, FindCoordinator, type KafkaError } from '@millrace/protocol'
import { startBroker, type StartBrokerOptions } from 'millrace'
import { Kafka } from '../kafka.ts'
import { serde } from '../serde/serdes.ts'
import { answers, ScriptedBroker } from '../testing/scripted-broker.ts'
import type { ShareConsumerOptions } from './options.ts'
import type { AcknowledgementResult, ShareConsumer, ShareRecord } from './share-consumer.ts'
import { TopicWriter } from './testing/topic-writer.ts'

const groupId = 'workers'

const quick = {
  'group.share.assignment.interval.ms': 0,
  'group.share.heartbeat.interval.ms': 100,
  'group.share.min.heartbeat.interval.ms': 100,
}

interface Setting {
  readonly partitions?: number
  readonly configs?: NonNullable<StartBrokerOptions['configs']>
}

async function world(context: TestContext, { partitions = 1, configs = {} }: Setting = {}) {
  const broker = await startBroker({
    configs: { ...quick, 'share.coordinator.state.topic.num.partitions': 1, ...configs },
  })
  context.after(() => broker.close())
  const writer = new TopicWriter(broker.bootstrapServers)
  context.after(() => writer[Symbol.asyncDispose]())
  await writer.create('t', partitions)
  await writer.fromTheBeginning(groupId)
  const kafka = new Kafka({ brokers: broker.bootstrapServers })
  const consumer = (options: Partial<ShareConsumerOptions<string, string>> = {}): ShareConsumer<string, string> => {
    const made = kafka.shareConsumer({
      groupId,
      topics: ['t'],
      key: serde.string,
      value: serde.string,
      fetchMaxWaitMs: 50,
      ...options,
    })
    context.after(() => made.close())
    return made
  }
  return { broker, writer, consumer }
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index))

async function take(consumer: ShareConsumer<string, string>, count: number): Promise<ShareRecord<string, string>[]> {
  const taken: ShareRecord<string, string>[] = []
  for await (const record of consumer) {
    taken.push(record)
    if (taken.length === count) break
  }
  return taken
}

const fetchesOf = (consumer: ShareConsumer<string, string>): number =>
  consumer.metrics().find(({ name }) => name === 'fetch-total')!.value

const valuesOf = (records: readonly ShareRecord<string, string>[]): (string | null)[] =>
  records.map(({ value }) => value)

test('every record of all partitions comes once, with its delivery count', async (context) => {
  const { writer, consumer } = await world(context, { partitions: 3 })
  for (let partition = 0; partition < 3; partition++)
    await writer.write('t', numbers(partition * 10, partition * 10 + 9), partition)
  const taken = await take(consumer(), 30)
  assert.deepEqual(
    valuesOf(taken).toSorted((a, b) => Number(a) - Number(b)),
    numbers(0, 29),
  )
  assert.ok(taken.every(({ deliveryCount }) => deliveryCount === 1))
})

test('two members get different records of one partition', async (context) => {
  const { writer, consumer } = await world(context)
  const taken: string[] = []
  const counts = [0, 0]
  const abort = new AbortController()
  const read = async (member: number): Promise<void> => {
    for await (const record of consumer({ maxPollRecords: 10 }).records({ signal: abort.signal })) {
      taken.push(record.value!)
      counts[member]!++
    }
  }
  const reading = [read(0), read(1)]
  let written = 0
  while (counts.includes(0)) {
    await writer.write('t', numbers(written, written + 9))
    written += 10
  }
  while (taken.length < written) await new Promise((resolve) => setTimeout(resolve, 5))
  abort.abort()
  await Promise.all(reading)
  assert.equal(new Set(taken).size, written)
  assert.equal(taken.length, written)
})

test('a record is accepted when the next is asked for, and one not reached is released by close', async (context) => {
  const { writer, consumer } = await world(context)
  await writer.write('t', numbers(0, 4))
  const first = consumer()
  await take(first, 3)
  await first.close()
  const again = await take(consumer(), 3)
  assert.deepEqual(valuesOf(again), ['2', '3', '4'])
  assert.deepEqual(
    again.map(({ deliveryCount }) => deliveryCount),
    [2, 2, 2],
  )
})

test('accepted and rejected records are done with, released ones come again with a higher count', async (context) => {
  const { writer, consumer } = await world(context)
  await writer.write('t', ['accept', 'release', 'reject'])
  const results: AcknowledgementResult[] = []
  const first = consumer({
    shareAcknowledgementMode: 'explicit',
    onAcknowledged: (news) => void results.push(...news),
  })
  for await (const record of first) {
    first.acknowledge(record, record.value as 'accept')
    if (record.value === 'reject') break
  }
  const committed = await first.commit()
  assert.deepEqual(committed, [{ topic: 't', partition: 0, offsets: [0n, 1n, 2n], error: null }])
  assert.deepEqual(results, committed)
  const again = await take(first, 1)
  assert.deepEqual(valuesOf(again), ['release'])
  assert.equal(again[0]!.deliveryCount, 2)
})

test('with explicit acknowledgement asking for more before the record is acknowledged is an error', async (context) => {
  const { writer, consumer } = await world(context)
  await writer.write('t', ['a', 'b'])
  const reading = consumer({ shareAcknowledgementMode: 'explicit' })
  await assert.rejects(take(reading, 2), /record t-0 at offset 0 is not acknowledged yet/)
})

test('a record cannot be acknowledged twice', async (context) => {
  const { writer, consumer } = await world(context)
  await writer.write('t', ['a'])
  const reading = consumer()
  const [record] = await take(reading, 1)
  reading.acknowledge(record!, 'reject')
  assert.throws(() => reading.acknowledge(record!), /acknowledged already/)
})

test('batches hold at most maxPollRecords of one partition', async (context) => {
  const { writer, consumer } = await world(context)
  await writer.write('t', numbers(0, 24))
  const sizes: number[] = []
  for await (const batch of consumer({ maxPollRecords: 10 }).batches()) {
    sizes.push(batch.count)
    if (sizes.reduce((sum, size) => sum + size) === 25) break
  }
  assert.deepEqual(sizes, [10, 10, 5])
})

test("with 'record_limit' no more than maxPollRecords are acquired, and all come", async (context) => {
  const { writer, consumer } = await world(context, { partitions: 2 })
  await writer.write('t', numbers(0, 19), 0)
  await writer.write('t', numbers(20, 39), 1)
  const limited = consumer({ maxPollRecords: 3, shareAcquireMode: 'record_limit' })
  const taken: string[] = []
  for await (const batch of limited.batches()) {
    assert.ok(batch.count <= 3)
    taken.push(...valuesOf(batch.records).map(String))
    if (taken.length === 40) break
  }
  assert.equal(new Set(taken).size, 40)
})

test('run accepts what its handler returns from, and releases or rejects what it throws for', async (context) => {
  const { writer, consumer } = await world(context)
  await writer.write('t', ['fine', 'again', 'never', 'says-reject'])
  const seen: string[] = []
  const errors: string[] = []
  const abort = new AbortController()
  const onError = ({ message }: Error): unknown => {
    errors.push(message)
    // It may be async, and reject: a rejection that nobody handles fails the test.
    return Promise.reject(new Error('itself'))
  }
  const running = consumer({ onError })
  await running.run({
    concurrency: 2,
    signal: abort.signal,
    rejects: (error) => (error as Error).message === 'never',
    eachRecord: async (record) => {
      seen.push(`${record.value}#${record.deliveryCount}`)
      await new Promise((resolve) => setImmediate(resolve))
      if (record.value === 'again' && record.deliveryCount === 3) abort.abort()
      if (record.value === 'again' && record.deliveryCount < 3) throw new Error('again')
      if (record.value === 'never') throw new Error('never')
      return record.value === 'says-reject' ? 'reject' : undefined
    },
  })
  await running.commit()
  assert.deepEqual(seen.toSorted(), ['again#1', 'again#2', 'again#3', 'fine#1', 'never#1', 'says-reject#1'])
  assert.deepEqual(errors.toSorted(), ['again', 'again', 'never'])
})

test('a record whose handler returns something else than an acknowledgement is released, and the error told', async (context) => {
  const { writer, consumer } = await world(context)
  await writer.write('t', ['a'])
  const errors: Error[] = []
  const counts: number[] = []
  const abort = new AbortController()
  await consumer({ onError: (error) => void errors.push(error) }).run({
    signal: abort.signal,
    eachRecord: async ({ deliveryCount }) => {
      counts.push(deliveryCount)
      if (deliveryCount === 1) return 'done' as 'accept'
      abort.abort()
      return 'accept'
    },
  })
  assert.deepEqual(counts, [1, 2])
  assert.match(errors[0]!.message, /'accept', 'release' or 'reject', but got done/)
})

test('run has no more handlers under way than asked for', async (context) => {
  const { writer, consumer } = await world(context, { partitions: 2 })
  await writer.write('t', numbers(0, 49), 0)
  await writer.write('t', numbers(50, 99), 1)
  let inHand = 0
  let most = 0
  let count = 0
  const abort = new AbortController()
  await consumer().run({
    concurrency: 7,
    signal: abort.signal,
    eachRecord: async () => {
      most = Math.max(most, ++inHand)
      await new Promise((resolve) => setImmediate(resolve))
      inHand--
      if (++count === 100) abort.abort()
    },
  })
  assert.equal(most, 7)
  assert.equal(count, 100)
})

test('closing ends a loop that waits, and asks handlers to stop', async (context) => {
  const { writer, consumer } = await world(context)
  const waiting = consumer()
  const loop = take(waiting, 1)
  // It has heard that there is nothing.
  while (fetchesOf(waiting) === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await waiting.close()
  assert.deepEqual(await loop, [])
  await writer.write('t', ['a'])
  const running = consumer()
  let isAborted = false
  await running.run({
    eachRecord: async (_, { signal }) => {
      void running.close()
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      isAborted = true
    },
  })
  assert.ok(isAborted)
})

test('another topic is read from as soon as it is subscribed to', async (context) => {
  const { writer, consumer } = await world(context)
  await writer.create('u')
  await writer.write('t', ['t'])
  await writer.write('u', ['u'])
  const reading = consumer()
  assert.deepEqual(valuesOf(await take(reading, 1)), ['t'])
  reading.subscribe(['u'])
  assert.deepEqual(valuesOf(await take(reading, 1)), ['u'])
})

test('a broker that goes and comes back only makes the consumer wait', async (context) => {
  const { broker, writer, consumer } = await world(context, {})
  await writer.write('t', ['a'])
  const reading = consumer()
  const values: string[] = []
  const loop = (async () => {
    for await (const record of reading) {
      values.push(record.value!)
      if (record.value === 'b') break
      if (values.length > 50) break
    }
  })()
  while (values.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  await broker.close()
  const next = await startBroker({ port: broker.port, configs: quick })
  context.after(() => next.close())
  const again = new TopicWriter(next.bootstrapServers)
  context.after(() => again[Symbol.asyncDispose]())
  await again.create('t')
  await again.fromTheBeginning(groupId)
  await again.write('t', ['b'])
  await loop
  assert.equal(values.at(-1), 'b')
})

test('brokers without share groups are an error that says so', async (context) => {
  const broker = await ScriptedBroker.start([answers(FindCoordinator, findsItself)])
  context.after(() => broker[Symbol.asyncDispose]())
  const kafka = new Kafka({ brokers: `127.0.0.1:${broker.port}` })
  const reading = kafka.shareConsumer({ groupId: 'g', topics: ['t'] })
  context.after(() => reading.close())
  await assert.rejects(reading.records()[Symbol.asyncIterator]().next(), (error: KafkaError) => {
    assert.equal(error.code, ErrorCode.UNSUPPORTED_VERSION)
    assert.match(error.message, /no share groups/)
    return true
  })

  function findsItself() {
    return {
      coordinators: [{ key: 'g', nodeId: 1, host: '127.0.0.1', port: broker.port, errorCode: 0, errorMessage: null }],
    }
  }
})

test('options that contradict themselves, and records of others, are refused', async (context) => {
  const { consumer } = await world(context)
  assert.throws(() => consumer({ shareAcquireMode: 'records' as 'record_limit' }), /shareAcquireMode expects one of/)
  const reading = consumer()
  assert.throws(() => reading.acknowledge({} as ShareRecord<string, string>), /not a record of a share consumer/)
  await assert.rejects(reading.run({ eachRecord: () => {}, concurrency: 0 }), /concurrency expects a whole number/)
  await assert.rejects(reading.run({ eachMessage: () => {} } as never), /there is no option eachMessage/)
  await assert.rejects(reading.run({} as never), /eachRecord is missing/)
  await assert.rejects(reading.run(undefined as never), /expects an object with options/)
  assert.throws(() => reading.subscribe('jobs' as never), /subscribe expects a list of topics/)
  const unsubscribed = consumer({ topics: null })
  await assert.rejects(take(unsubscribed, 1), /not subscribed/)
})
