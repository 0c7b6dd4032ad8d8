/** What KafkaJS's documentation shows, run against a broker: only the import is another. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import {
  AssignerProtocol,
  CompressionTypes,
  ConfigResourceTypes,
  Kafka,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
  logLevel,
  Partitioners,
  type EachBatchPayload,
  type KafkaMessage,
  type LogEntry,
  type PartitionAssigner,
} from './index.ts'
import { clients, collector, textOf } from './testing/clients.ts'

test('getting started: what is sent is read', async (context) => {
  const { producer, consumer: open } = await clients(context)
  const sent = await producer.send({
    topic: 'test-topic',
    messages: [
      { value: 'Hello KafkaJS user!' },
      {
        key: 'key1',
        value: 'with headers',
        headers: { 'correlation-id': '2bfb', list: ['a', 'b'] },
        timestamp: '1700000000000',
      },
      { key: Buffer.from('k'), value: null },
    ],
  })
  assert.deepEqual(sent, [
    { topicName: 'test-topic', partition: 0, errorCode: 0, baseOffset: '0', logAppendTime: '-1' },
  ])

  const consumer = await open()
  await consumer.subscribe({ topic: 'test-topic', fromBeginning: true })
  const messages = collector<KafkaMessage>(3)
  await consumer.run({ eachMessage: async ({ message }) => messages.add(message) })
  const [first, second, third] = await messages.all
  assert.equal(first!.value!.toString(), 'Hello KafkaJS user!')
  assert.deepEqual([first!.key, first!.offset, first!.headers], [null, '0', {}])
  assert.deepEqual([second!.key!.toString(), second!.timestamp, second!.offset], ['key1', '1700000000000', '1'])
  assert.deepEqual(second!.headers, {
    'correlation-id': Buffer.from('2bfb'),
    list: [Buffer.from('a'), Buffer.from('b')],
  })
  assert.equal(third!.value, null)
})

test('sendBatch writes to several topics, with every codec', async (context) => {
  const { producer, admin } = await clients(context)
  for (const compression of Object.values(CompressionTypes))
    await producer.sendBatch({
      compression,
      topicMessages: ['topic-a', 'topic-b'].map((topic) => ({
        topic,
        messages: [{ key: 'key', value: `hello ${topic}` }],
      })),
    })
  assert.deepEqual(await admin.fetchTopicOffsets('topic-b'), [{ partition: 0, offset: '5', high: '5', low: '0' }])
})

test('offsets are committed after each batch, and a second run goes on behind them', async (context) => {
  const { producer, admin, consumer: open } = await clients(context)
  await producer.send({ topic: 't', messages: ['a', 'b', 'c'].map((value) => ({ value })) })
  const consumer = await open()
  await consumer.subscribe({ topics: ['t'], fromBeginning: true })
  const first = collector<string>(3)
  await consumer.run({ eachMessage: async ({ message }) => first.add(textOf(message)) })
  await first.all
  await consumer.stop()
  assert.deepEqual(await admin.fetchOffsets({ groupId: 'test-group', topics: ['t'] }), [
    { topic: 't', partitions: [{ partition: 0, offset: '3', metadata: null }] },
  ])
  await producer.send({ topic: 't', messages: [{ value: 'd' }] })
  const second = collector<string>(1)
  await consumer.run({ eachMessage: async ({ message }) => second.add(textOf(message)) })
  assert.deepEqual(await second.all, ['d'])
})

test('a handler that throws gets its message again, and none is lost', async (context) => {
  const { producer, consumer: open } = await clients(context)
  await producer.send({ topic: 't', messages: ['a', 'b', 'c'].map((value) => ({ value })) })
  const consumer = await open()
  await consumer.subscribe({ topics: ['t'], fromBeginning: true })
  const seen = collector<string>(5)
  let failures = 2
  await consumer.run({
    eachMessage: async ({ message }) => {
      seen.add(textOf(message))
      if (textOf(message) === 'b' && failures-- > 0) throw new Error('not now')
    },
  })
  assert.deepEqual(await seen.all, ['a', 'b', 'b', 'b', 'c'])
})

test('eachBatch resolves what it says, and the rest comes again', async (context) => {
  const { producer, admin, consumer: open } = await clients(context)
  await producer.send({ topic: 't', messages: ['a', 'b', 'c'].map((value) => ({ value })) })
  const consumer = await open()
  await consumer.subscribe({ topics: ['t'], fromBeginning: true })
  const batches = collector<string[]>(2)
  await consumer.run({
    eachBatchAutoResolve: false,
    eachBatch: async ({
      batch,
      resolveOffset,
      heartbeat,
      isRunning,
      isStale,
      uncommittedOffsets,
    }: EachBatchPayload) => {
      assert.equal(isRunning() && !isStale(), true)
      await heartbeat()
      batches.add(batch.messages.map(textOf))
      const isFirst = batches.values.length === 1
      resolveOffset(isFirst ? batch.messages[0]!.offset : batch.lastOffset())
      if (isFirst) {
        assert.deepEqual([batch.highWatermark, batch.offsetLag(), batch.offsetLagLow()], ['3', '0', '2'])
        assert.deepEqual(uncommittedOffsets(), {
          topics: [{ topic: 't', partitions: [{ partition: 0, offset: '1' }] }],
        })
      }
    },
  })
  assert.deepEqual(await batches.all, [
    ['a', 'b', 'c'],
    ['b', 'c'],
  ])
  await consumer.stop()
  const [topic] = await admin.fetchOffsets({ groupId: 'test-group' })
  assert.equal(topic!.partitions[0]!.offset, '3')
})

test('partitions are handled at the same time, each in its order', async (context) => {
  const { producer, consumer: open } = await clients(context, 3)
  const messages = Array.from({ length: 30 }, (_, index) => ({ value: String(index), partition: index % 3 }))
  await producer.send({ topic: 't', messages })
  const consumer = await open()
  await consumer.subscribe({ topics: ['t'], fromBeginning: true })
  const seen = collector<{ partition: number; value: number }>(30)
  let atWork = 0
  let most = 0
  const all = Promise.withResolvers<void>()
  await consumer.run({
    partitionsConsumedConcurrently: 3,
    eachMessage: async ({ partition, message }) => {
      most = Math.max(most, ++atWork)
      if (most === 3) all.resolve()
      await all.promise
      seen.add({ partition, value: Number(message.value) })
      atWork--
    },
  })
  const values = await seen.all
  assert.equal(most, 3)
  for (const partition of [0, 1, 2]) {
    const own = values.filter((one) => one.partition === partition).map(({ value }) => value)
    assert.deepEqual(
      own,
      Array.from({ length: 10 }, (_, index) => index * 3 + partition),
    )
  }
})

test('a partition paused by its handler waits, and goes on where it stopped', async (context) => {
  const { producer, consumer: open } = await clients(context)
  await producer.send({ topic: 'jobs', messages: ['a', 'b', 'c'].map((value) => ({ value })) })
  const consumer = await open()
  await consumer.subscribe({ topics: ['jobs'], fromBeginning: true })
  const seen = collector<string>(3)
  const paused = Promise.withResolvers<() => void>()
  await consumer.run({
    eachMessage: async ({ message, pause }) => {
      seen.add(textOf(message))
      if (textOf(message) === 'a') paused.resolve(pause())
    },
  })
  const resume = await paused.promise
  assert.deepEqual(consumer.paused(), [{ topic: 'jobs', partitions: [0] }])
  assert.deepEqual(seen.values, ['a'])
  resume()
  assert.deepEqual(await seen.all, ['a', 'b', 'c'])
  assert.deepEqual(consumer.paused(), [])
})

test('seek goes to an offset, and makes what is being handled stale', async (context) => {
  const { producer, consumer: open } = await clients(context)
  await producer.send({ topic: 'example', messages: ['a', 'b', 'c', 'd'].map((value) => ({ value })) })
  const consumer = await open()
  await consumer.subscribe({ topics: ['example'], fromBeginning: true })
  const seen = collector<string>(4)
  const running = consumer.run({
    eachMessage: async ({ message }) => {
      seen.add(textOf(message))
      if (seen.values.length === 2) consumer.seek({ topic: 'example', partition: 0, offset: '1' })
    },
  })
  consumer.seek({ topic: 'example', partition: 0, offset: '2' })
  await running
  assert.deepEqual((await seen.all).slice(0, 4), ['c', 'd', 'b', 'c'])
})

test('seek knows the ends of a partition by their numbers, and refuses nonsense', async (context) => {
  const { producer, consumer: open } = await clients(context)
  await producer.send({ topic: 'example', messages: ['a', 'b'].map((value) => ({ value })) })
  const consumer = await open()
  await consumer.subscribe({ topics: ['example'], fromBeginning: true })
  const firstTwo = collector<string>(2)
  const seen = collector<string>(4)
  await consumer.run({
    eachMessage: async ({ message }) => {
      firstTwo.add(textOf(message))
      seen.add(textOf(message))
    },
  })
  const place = { topic: 'example', partition: 0 }
  await firstTwo.all
  consumer.seek({ ...place, offset: '-2' })
  assert.deepEqual(await seen.all, ['a', 'b', 'a', 'b'])
  for (const offset of ['x', '-3']) assert.throws(() => consumer.seek({ ...place, offset }), KafkaJSNonRetriableError)
})

test('stopping is told once, however many ask for it, and offsets committed are told alone', async (context) => {
  const { producer, consumer: open, admin } = await clients(context, 3)
  await producer.send({ topic: 'example', messages: [{ partition: 1, value: 'a' }] })
  const consumer = await open()
  const told: string[] = []
  for (const name of [consumer.events.STOP, consumer.events.DISCONNECT])
    consumer.on(name, ({ type }) => void told.push(type))
  await consumer.subscribe({ topics: ['example'], fromBeginning: true })
  const seen = collector<string>(1)
  await consumer.run({ eachMessage: async ({ message }) => seen.add(textOf(message)) })
  await seen.all
  await Promise.all([consumer.stop(), consumer.stop()])
  await consumer.disconnect()
  assert.deepEqual(told, ['consumer.stop', 'consumer.disconnect'])
  assert.deepEqual(await admin.fetchOffsets({ groupId: 'test-group' }), [
    { topic: 'example', partitions: [{ partition: 1, offset: '1', metadata: null }] },
  ])
})

test('transactions: what is committed is read, what is aborted is not', async (context) => {
  const { kafka, consumer: open, admin } = await clients(context)
  const producer = kafka.producer({
    transactionalId: 'my-transactional-producer',
    maxInFlightRequests: 1,
    idempotent: true,
  })
  await producer.connect()
  context.after(() => producer.disconnect())
  for (const outcome of ['abort', 'commit'] as const) {
    const transaction = await producer.transaction()
    await assert.rejects(producer.transaction(), /There is already an ongoing transaction/)
    await transaction.send({ topic: 't', messages: [{ value: outcome }] })
    await transaction.sendOffsets({
      consumerGroupId: 'elsewhere',
      topics: [{ topic: 't', partitions: [{ partition: 0, offset: outcome === 'abort' ? '7' : '1' }] }],
    })
    await transaction[outcome]()
    assert.equal(transaction.isActive(), false)
    await assert.rejects(transaction.commit(), { name: 'KafkaJSNonRetriableError', message: /once ended/ })
  }
  const consumer = await open()
  await consumer.subscribe({ topic: 't', fromBeginning: true })
  const seen = collector<string>(1)
  await consumer.run({ eachMessage: async ({ message }) => seen.add(textOf(message)) })
  assert.deepEqual(await seen.all, ['commit'])
  assert.deepEqual(await admin.fetchOffsets({ groupId: 'elsewhere' }), [
    { topic: 't', partitions: [{ partition: 0, offset: '1', metadata: null }] },
  ])
})

test('the admin makes, describes and deletes', async (context) => {
  const { admin } = await clients(context)
  const topics = [{ topic: 'made', numPartitions: 2, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }]
  assert.equal(await admin.createTopics({ topics }), true)
  assert.equal(await admin.createTopics({ topics }), false)
  await assert.rejects(admin.createTopics({ topics: [{ topic: 'made', numPartitions: 1 }, { topic: 'b/d' }] }), {
    name: 'KafkaJSAggregateError',
  })
  await admin.createPartitions({ topicPartitions: [{ topic: 'made', count: 3 }] })
  const { topics: described } = await admin.fetchTopicMetadata({ topics: ['made'] })
  assert.deepEqual(
    described[0]!.partitions.map(({ partitionId, leader }) => [partitionId, leader]),
    [
      [0, 1],
      [1, 1],
      [2, 1],
    ],
  )
  const configs = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: 'made', configNames: ['cleanup.policy'] }],
  })
  assert.equal(configs.resources[0]!.configEntries[0]!.configValue, 'compact')
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      { type: ConfigResourceTypes.TOPIC, name: 'made', configEntries: [{ name: 'cleanup.policy', value: 'delete' }] },
    ],
  })
  await admin.setOffsets({ groupId: 'g', topic: 'made', partitions: [{ partition: 1, offset: '0' }] })
  assert.ok((await admin.listGroups()).groups.some(({ groupId }) => groupId === 'g'))
  assert.deepEqual(await admin.deleteGroups(['g']), [{ groupId: 'g', errorCode: 0 }])
  await assert.rejects(admin.deleteGroups(['g']), { name: 'KafkaJSDeleteGroupsError' })
  await assert.rejects(admin.deleteTopicRecords({ topic: 'made', partitions: [{ partition: 9, offset: '0' }] }), {
    name: 'KafkaJSDeleteTopicRecordsError',
  })
  const { brokers, controller } = await admin.describeCluster()
  assert.deepEqual([brokers.length, controller], [1, 1])
  await admin.deleteTopics({ topics: ['made'] })
  assert.ok(!(await admin.listTopics()).includes('made'))
  await assert.rejects(admin.fetchTopicOffsets('made'), KafkaJSProtocolError)
  await assert.rejects(
    admin.fetchOffsets({ groupId: 'g', topics: ['made'], resolveOffsets: true }),
    KafkaJSProtocolError,
  )
  await assert.rejects(admin.deleteTopics({ topics: ['made'] }), (error: KafkaJSProtocolError) => {
    assert.ok(error instanceof KafkaJSProtocolError)
    assert.equal(error.type, 'UNKNOWN_TOPIC_OR_PARTITION')
    return true
  })
})

test('what is not there, and may not come by asking, is told at once', async (context) => {
  const { consumer: open } = await clients(context)
  const consumer = await open('g', { allowAutoTopicCreation: false })
  await assert.rejects(consumer.subscribe({ topics: ['unborn'] }), { type: 'UNKNOWN_TOPIC_OR_PARTITION' })
  const brokers = (): never => {
    throw new Error('no discovery')
  }
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING })
  await assert.rejects(kafka.producer().connect(), { name: 'KafkaJSConnectionError', message: /threw: no discovery/ })
})

test('what is not of the types is refused for good, and nothing else happens', async (context) => {
  const { admin } = await clients(context)
  const wrong = [
    () => admin.createTopics({} as never),
    () => admin.deleteTopics({} as never),
    () => admin.createPartitions({ topicPartitions: 'a' } as never),
    () => admin.describeConfigs({ resources: [{ type: 77, name: 'a' }] } as never),
    () => admin.alterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: 'a' }] } as never),
    () => admin.alterPartitionReassignments({} as never),
    () => admin.listPartitionReassignments({ topics: 'a' } as never),
    () => admin.createAcls({} as never),
    () => admin.deleteAcls({} as never),
    () => admin.setOffsets({ groupId: 'g', topic: 'a', partitions: [{ partition: 0, offset: 'x' }] }),
    () => admin.fetchOffsets({} as never),
    () => admin.deleteTopicRecords({ topic: 'a' } as never),
    () => admin.deleteGroups(7 as never),
    () => admin.describeGroups(7 as never),
  ]
  for (const ask of wrong) await assert.rejects(ask(), KafkaJSNonRetriableError, String(ask))
})

test('options that have no effect are named in a warning', async (context) => {
  const { bootstrapServers } = await clients(context)
  const warnings: string[] = []
  const config = {
    brokers: [bootstrapServers],
    logCreator: () => (entry: LogEntry) => void (entry.label === 'WARN' && warnings.push(entry.log.message)),
    socketFactory: () => {},
    ssl: { minVersion: 'TLSv1.3' as const, rejectUnauthorized: false },
    connectionTimeout: 50,
    retry: { retries: 0 },
  }
  await assert.rejects(new Kafka(config).admin().connect())
  assert.match(warnings.join(), /socketFactory has no effect.*options of ssl have no effect: minVersion/)
})

test('events tell of joins, batches, commits and requests', async (context) => {
  const { producer, consumer: open } = await clients(context)
  await producer.send({ topic: 't', messages: [{ value: 'a' }] })
  const consumer = await open()
  const { GROUP_JOIN, START_BATCH_PROCESS, END_BATCH_PROCESS, COMMIT_OFFSETS, REQUEST } = consumer.events
  const types = new Set<string>()
  const committed = Promise.withResolvers<void>()
  for (const name of [GROUP_JOIN, START_BATCH_PROCESS, END_BATCH_PROCESS, COMMIT_OFFSETS, REQUEST])
    consumer.on(name, (event) => {
      types.add(event.type)
      if (event.type === COMMIT_OFFSETS) committed.resolve()
      throw new Error('listeners do not matter')
    })
  assert.throws(() => consumer.on('consumer.nothing' as never, () => {}), KafkaJSNonRetriableError)
  await consumer.subscribe({ topic: 't', fromBeginning: true })
  await consumer.run({ eachMessage: async () => {} })
  await committed.promise
  assert.deepEqual(
    [...types].toSorted(),
    [COMMIT_OFFSETS, END_BATCH_PROCESS, GROUP_JOIN, REQUEST, START_BATCH_PROCESS].toSorted(),
  )
})

test('a partitioner and an assigner of the program are asked', async (context) => {
  const { kafka } = await clients(context, 2)
  const producer = kafka.producer({
    createPartitioner:
      () =>
      ({ partitionMetadata }) =>
        partitionMetadata.length - 1,
  })
  await producer.connect()
  context.after(() => producer.disconnect())
  assert.equal((await producer.send({ topic: 't', messages: [{ key: 'any', value: 'a' }] }))[0]!.partition, 1)

  const { MemberAssignment, MemberMetadata } = AssignerProtocol
  const assigner: PartitionAssigner = ({ cluster }) => ({
    name: 'OnlyTheLast',
    version: 1,
    async assign({ members, topics }) {
      const { partitionId } = cluster.findTopicPartitionMetadata(topics[0]!).at(-1)!
      return members.map(({ memberId }) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({ version: 1, assignment: { [topics[0]!]: [partitionId] } }),
      }))
    },
    protocol({ topics }) {
      return { name: this.name, metadata: MemberMetadata.encode({ version: this.version, topics }) }
    },
  })
  const consumer = kafka.consumer({ groupId: 'g', partitionAssigners: [assigner] })
  await consumer.connect()
  context.after(() => consumer.disconnect())
  await consumer.subscribe({ topic: 't' })
  const joined = Promise.withResolvers<unknown>()
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => joined.resolve(payload.memberAssignment))
  await consumer.run({ eachMessage: async () => {} })
  assert.deepEqual(await joined.promise, { t: [1] })
})

/** What KafkaJS 2.2.4 chooses of 100 partitions for the keys below. */
const goldenDefault = [66, 49, 46, 24, 12, 77]
const goldenLegacy = [73, 45, 29, 15, 38, 67]

test('the partitioners hash as KafkaJS does', () => {
  const partitionMetadata = Array.from({ length: 100 }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 1,
    replicas: [],
    isr: [],
  }))
  const partitions = (create: () => (args: never) => number): number[] => {
    const partition = create()
    return [
      'foobar',
      'lol',
      '100000',
      'a',
      'a-little-bit-long-string',
      'lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8',
    ].map((key) => partition({ topic: 't', partitionMetadata, message: { key, value: '' } } as never))
  }
  assert.deepEqual(partitions(Partitioners.DefaultPartitioner), goldenDefault)
  assert.deepEqual(partitions(Partitioners.LegacyPartitioner), goldenLegacy)
})

test('no broker: connect fails after its retries, and says why', async (context) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  const kafka = new Kafka({
    brokers: async () => [`127.0.0.1:${port}`],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 50,
    retry: { initialRetryTime: 10, retries: 2 },
  })
  const producer = kafka.producer()
  context.after(() => producer.disconnect())
  await assert.rejects(producer.connect(), (error: KafkaJSNumberOfRetriesExceeded) => {
    assert.ok(error instanceof KafkaJSNumberOfRetriesExceeded)
    assert.match(error.message, /connection refused/)
    return true
  })
  await assert.rejects(producer.send({ topic: 't', messages: [] }), /disconnected/)
})
