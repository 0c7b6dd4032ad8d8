/** Transactions against a real broker of ours, by both protocols: `transaction.version` 2, and the one before it. */
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { TestBroker, type TestBrokerOptions } from '@millrace/broker/testing'
import { ErrorCode, FindCoordinator, KafkaError, ListOffsets, OffsetFetch, UpdateFeatures } from '@millrace/protocol'
import { Kafka } from '../../kafka.ts'
import { channels, type ConnectionMessage, type RequestMessage } from '../../observe/channels.ts'
import { committedValues } from '../testing/committed-values.ts'

const protocols = [
  ['transaction.version 2', {}],
  ['transaction.version 0', { featureLevels: { 'transaction.version': 0 } }],
] as const satisfies readonly (readonly [string, TestBrokerOptions])[]

async function start(options: TestBrokerOptions) {
  const broker = await TestBroker.start(options)
  await broker.createTopic('t', { partitions: 2 })
  const kafka = new Kafka({ brokers: `127.0.0.1:${broker.port}`, enableMetricsPush: false })
  return { broker, kafka, [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose]() }
}

async function committedOffset(broker: TestBroker, groupId: string, partition = 0): Promise<bigint> {
  const client = await broker.connect()
  await client.ask(FindCoordinator, 3, { key: groupId, keyType: 0 })
  const { topics } = await client.ask(OffsetFetch, 5, {
    groupId,
    topics: [{ name: 't', partitionIndexes: [partition] }],
  })
  client.close()
  return topics[0]!.partitions[0]!.committedOffset
}

for (const [name, options] of protocols) {
  test(`${name}: a transaction is written whole, or not at all`, async () => {
    await using world = await start(options)
    await using producer = world.kafka.producer({ transactionalId: 'tx' })
    const result = await producer.transaction(async (transaction) => {
      await transaction.send({ topic: 't', partition: 0, value: 'one' })
      void transaction.send({ topic: 't', partition: 1, value: 'two' })
      return 'done'
    })
    assert.equal(result, 'done')
    const mistake = new Error('changed my mind')
    const spoiled = producer.transaction(async (transaction) => {
      await transaction.send({ topic: 't', partition: 0, value: 'lost' })
      throw mistake
    })
    await assert.rejects(spoiled, mistake)
    await producer.transaction(async (transaction) => {
      await transaction.send({ topic: 't', partition: 0, value: 'lost too' })
      await transaction.abort()
      await assert.rejects(transaction.send({ topic: 't', value: 'late' }), /ended already/)
    })
    await producer.transaction((transaction) => transaction.sendAll([{ topic: 't', partition: 0, value: 'three' }]))
    assert.deepEqual(await committedValues(world.broker, 't', 0), ['one', 'three'])
    assert.deepEqual(await committedValues(world.broker, 't', 1), ['two'])
  })

  test(`${name}: an empty transaction costs nothing`, async () => {
    await using world = await start(options)
    await using producer = world.kafka.producer({ transactionalId: 'tx' })
    await producer.transaction(async () => {})
    await producer.transaction(async (transaction) => transaction.abort())
    await producer.transaction(async (transaction) => void transaction.send({ topic: 't', partition: 0, value: 'v' }))
    assert.deepEqual(await committedValues(world.broker, 't', 0), ['v'])
  })

  test(`${name}: offsets are committed with the records, or not at all`, async () => {
    await using world = await start(options)
    await using producer = world.kafka.producer({ transactionalId: 'tx' })
    await producer.transaction(async (transaction) => {
      void transaction.send({ topic: 't', partition: 1, value: 'v' })
      await transaction.sendOffsets([{ topic: 't', partition: 0, offset: 7n, metadata: 'note' }], 'group')
    })
    assert.equal(await committedOffset(world.broker, 'group'), 7n)
    await producer.transaction(async (transaction) => {
      // They would be cut to the 64 bits of the field.
      const places = [{ topic: 't', partition: 0, offset: 2n ** 64n + 5n }]
      await assert.rejects(transaction.sendOffsets(places, 'group'), RangeError)
    })
    assert.equal(await committedOffset(world.broker, 'group'), 7n)
    await producer.transaction(async (transaction) => {
      await transaction.sendOffsets([{ topic: 't', partition: 0, offset: 9n }], 'group')
      await transaction.abort()
    })
    assert.equal(await committedOffset(world.broker, 'group'), 7n)
    await producer.transaction((transaction) =>
      transaction.sendOffsets([{ topic: 't', partition: 0, offset: 11n }], {
        groupId: 'group',
        generationId: -1,
        memberId: '',
        groupInstanceId: null,
      }),
    )
    assert.equal(await committedOffset(world.broker, 'group'), 11n)
  })

  test(`${name}: a commit waits for records that waited for memory, and then for their topic`, async () => {
    await using world = await start(options)
    await world.broker.createTopic('other')
    await using producer = world.kafka.producer({ transactionalId: 'tx', bufferMemory: 2000, batchSize: 1 })
    const value = 'x'.repeat(900)
    await producer.transaction(async (transaction) => {
      await transaction.send({ topic: 't', partition: 0, value })
      void transaction.sendAll([
        ...[0, 1, 2, 3, 4].map(() => ({ topic: 't', partition: 0, value })),
        { topic: 'other', partition: 0, value: 'the last' },
      ])
    })
    assert.deepEqual(await committedValues(world.broker, 'other', 0), ['the last'])
  })

  test(`${name}: a member that the group does not know spoils the transaction, not the producer`, async () => {
    await using world = await start(options)
    await using producer = world.kafka.producer({ transactionalId: 'tx' })
    const group = { groupId: 'group', generationId: 3, memberId: 'nobody', groupInstanceId: null }
    const refused = producer.transaction((transaction) =>
      transaction.sendOffsets([{ topic: 't', partition: 0, offset: 7n }], group),
    )
    await assert.rejects(refused, /UNKNOWN_MEMBER_ID|ILLEGAL_GENERATION/)
    await producer.transaction(async (transaction) => void transaction.send({ topic: 't', partition: 0, value: 'v' }))
    assert.deepEqual(await committedValues(world.broker, 't', 0), ['v'])
  })

  test(`${name}: a producer that another one has replaced fails for good, and says why`, async () => {
    await using world = await start(options)
    await using old = world.kafka.producer({ transactionalId: 'tx' })
    await old.transaction(async (transaction) => void transaction.send({ topic: 't', partition: 0, value: 'old' }))
    await old.initTransactions().catch(() => {})
    old.beginTransaction()
    await old.send({ topic: 't', partition: 0, value: 'left open' })
    await using next = world.kafka.producer({ transactionalId: 'tx' })
    await next.transaction(async (transaction) => void transaction.send({ topic: 't', partition: 0, value: 'new' }))
    const isFenced = (error: unknown): boolean => {
      assert.ok(error instanceof KafkaError)
      assert.match(error.message, /tx.*another producer/)
      assert.equal(error.code, ErrorCode.PRODUCER_FENCED)
      return true
    }
    await assert.rejects(old.commitTransaction(), isFenced)
    await assert.rejects(
      old.transaction(async () => {}),
      isFenced,
    )
    await assert.rejects(old.send({ topic: 't', value: 'v' }), isFenced)
    assert.deepEqual(await committedValues(world.broker, 't', 0), ['old', 'new'])
  })

  test(`${name}: a record that fails makes the commit fail, and the next transaction goes on`, async () => {
    await using world = await start(options)
    await world.broker.createTopic('small', { configs: { 'max.message.bytes': 500 } })
    await using producer = world.kafka.producer({ transactionalId: 'tx' })
    const spoiled = producer.transaction(async (transaction) => {
      void transaction.send({ topic: 't', partition: 0, value: 'lost' })
      void transaction.send({ topic: 'small', value: 'x'.repeat(1000) })
    })
    await assert.rejects(spoiled, /MESSAGE_TOO_LARGE/)
    const doubly = producer.transaction(async (transaction) => {
      await transaction.send({ topic: 'small', value: 'x'.repeat(1000) }).catch(() => {})
      // Nobody looks at what became of this one.
      void transaction.send({ topic: 't', partition: 0, value: 'lost' })
    })
    await assert.rejects(doubly, /MESSAGE_TOO_LARGE/)
    const unserializable = producer.transaction(async (transaction) => {
      void transaction.send({ topic: 't', partition: 0, value: 17 as unknown as string })
    })
    await assert.rejects(unserializable, /expected a text or bytes/)
    for (const value of ['a', 'b'])
      await producer.transaction(async (transaction) => void transaction.send({ topic: 't', partition: 0, value }))
    assert.deepEqual(await committedValues(world.broker, 't', 0), ['a', 'b'])
  })

  test(`${name}: concurrent transactions come one after the other`, async () => {
    await using world = await start(options)
    await using producer = world.kafka.producer({ transactionalId: 'tx' })
    await Promise.all(
      [1, 2, 3].map((number) =>
        producer.transaction(async (transaction) => {
          await transaction.send({ topic: 't', partition: 0, value: `${number}a` })
          await transaction.send({ topic: 't', partition: 0, value: `${number}b` })
        }),
      ),
    )
    assert.deepEqual(await committedValues(world.broker, 't', 0), ['1a', '1b', '2a', '2b', '3a', '3b'])
  })

  test(`${name}: closing aborts what is open`, async () => {
    await using world = await start(options)
    const producer = world.kafka.producer({ transactionalId: 'tx' })
    await producer.initTransactions()
    producer.beginTransaction()
    await producer.send({ topic: 't', partition: 0, value: 'lost' })
    await producer.close()
    assert.deepEqual(await committedValues(world.broker, 't', 0), [])
    const client = await world.broker.connect()
    const ends = async (isolationLevel: number) =>
      (
        await client.ask(ListOffsets, 2, {
          replicaId: -1,
          isolationLevel,
          topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
        })
      ).topics[0]!.partitions[0]!.offset
    assert.equal(await ends(1), await ends(0), 'no transaction is open')
    client.close()
  })
}

test('a transaction inside a transaction is refused when its turn does not come', async () => {
  await using world = await start({})
  await using producer = world.kafka.producer({ transactionalId: 'tx', maxBlockMs: 3_000 })
  await assert.rejects(
    producer.transaction(() => producer.transaction(async () => {})),
    /one can be at a time, and none inside another/,
  )
})

test('a transaction that waits for its turn while the producer closes does not begin', async () => {
  await using world = await start({})
  const producer = world.kafka.producer({ transactionalId: 'tx' })
  const inside = Promise.withResolvers<void>()
  const leave = Promise.withResolvers<void>()
  const first = producer.transaction(async (transaction) => {
    await transaction.send({ topic: 't', partition: 0, value: 'lost' })
    inside.resolve()
    await leave.promise
    throw new Error('changed my mind')
  })
  let isBegun = false
  const second = producer.transaction(async () => void (isBegun = true))
  const settled = Promise.allSettled([first, second])
  await inside.promise
  const closing = producer.close()
  leave.resolve()
  await closing
  const [, refused] = await settled
  assert.match(String((refused as PromiseRejectedResult).reason), /the producer is closed/)
  assert.equal(isBegun, false)
  assert.deepEqual(await committedValues(world.broker, 't', 0), [])
})

test('calls that do not fit the moment say what comes first', async () => {
  await using world = await start({})
  await using plain = world.kafka.producer()
  await assert.rejects(
    plain.transaction(async () => {}),
    /needs a producer with the option transactionalId/,
  )
  await using producer = world.kafka.producer({ transactionalId: 'tx' })
  assert.throws(() => producer.beginTransaction(), /initTransactions comes first/)
  await assert.rejects(producer.send({ topic: 't', value: 'v' }), /initTransactions comes first/)
  await producer.initTransactions()
  await assert.rejects(producer.send({ topic: 't', value: 'v' }), /no transaction was begun/)
  await assert.rejects(producer.commitTransaction(), /no transaction was begun/)
  producer.beginTransaction()
  assert.throws(() => producer.beginTransaction(), /under way already/)
  await producer.abortTransaction()
})

test('offsets and groups that are none are refused, and the transaction goes on', async () => {
  await using world = await start({})
  await using producer = world.kafka.producer({ transactionalId: 'tx' })
  await producer.transaction(async (transaction) => {
    for (const wrong of [
      null,
      [null],
      [{ topic: 't', partition: 0, offset: 5 }],
      [{ topic: 't', partition: 0, offset: '5' }],
      [{ topic: 't', partition: 0, offset: -1n }],
      [{ topic: 't', partition: 0.5, offset: 5n }],
      [{ topic: 't', offset: 5n }],
      [{ partition: 0, offset: 5n }],
      [{ topic: 't', partition: 0, offset: 5n, leaderEpoch: null }],
      [{ topic: 't', partition: 0, offset: 5n, metadata: 5 }],
    ])
      await assert.rejects(transaction.sendOffsets(wrong as never, 'g'), /offset/)
    for (const wrong of [null, undefined, 5, {}])
      await assert.rejects(transaction.sendOffsets([], wrong as never), /the group of offsets/)
    await transaction.sendOffsets([{ topic: 't', partition: 0, offset: 5n }], 'g')
  })
})

test('a timed out transaction is fenced by the coordinator, and only closing is left', async () => {
  await using world = await start({ configs: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 20 } })
  await using producer = world.kafka.producer({ transactionalId: 'tx', transactionTimeoutMs: 1_000 })
  await producer.initTransactions()
  producer.beginTransaction()
  await producer.send({ topic: 't', partition: 0, value: 'late' })
  // Until the coordinator has aborted it, which it does by itself.
  const client = await world.broker.connect()
  const openUntil = async () =>
    (
      await client.ask(ListOffsets, 2, {
        replicaId: -1,
        isolationLevel: 1,
        topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
      })
    ).topics[0]!.partitions[0]!.offset
  while ((await openUntil()) === 0n) await new Promise((resolve) => setImmediate(resolve))
  client.close()
  await assert.rejects(producer.commitTransaction(), (error) => error instanceof KafkaError && !error.retriable)
  assert.deepEqual(await committedValues(world.broker, 't', 0), [])
})

test('records sent just before a commit are in the transaction though their topic was not known yet; before an abort they fail', async () => {
  await using world = await start({})
  await world.broker.createTopic('u')
  await using producer = world.kafka.producer({ transactionalId: 'tx' })
  await producer.initTransactions()
  producer.beginTransaction()
  const committed = producer.send({ topic: 't', partition: 0, value: 'committed' })
  await producer.commitTransaction()
  await committed
  producer.beginTransaction()
  const aborted = producer.send({ topic: 'u', value: 'aborted' })
  await producer.abortTransaction()
  await assert.rejects(aborted, { code: ErrorCode.TRANSACTION_ABORTABLE })
  await producer.transaction((transaction) => transaction.send({ topic: 'u', value: 'next' }))
  assert.deepEqual(await committedValues(world.broker, 't'), ['committed'])
  assert.deepEqual(await committedValues(world.broker, 'u'), ['next'])
})

test('a cluster that is brought to transaction.version 2 is noticed: the next transaction but one goes by it, in a new epoch', async () => {
  await using world = await start({ featureLevels: { 'transaction.version': 0 } })
  const kafka = new Kafka({
    brokers: `127.0.0.1:${world.broker.port}`,
    clientId: 'upgraded',
    enableMetricsPush: false,
    connectionsMaxIdleMs: 30,
  })
  const requests: string[] = []
  let open = 0
  let onAllClosed = () => {}
  const onRequest = (message: unknown): void => {
    const { clientId, api, version } = message as RequestMessage
    if (clientId === 'upgraded') requests.push(`${api} ${version}`)
  }
  const onConnection = (message: unknown): void => {
    const { clientId, event } = message as ConnectionMessage
    if (clientId !== 'upgraded') return
    open += event === 'opened' ? 1 : event === 'closed' ? -1 : 0
    if (open === 0) onAllClosed()
  }
  channels.request.subscribe(onRequest)
  channels.connection.subscribe(onConnection)
  try {
    await using producer = kafka.producer({ transactionalId: 'tx', lingerMs: 0 })
    const write = async (value: string): Promise<string[]> => {
      requests.length = 0
      await producer.transaction(async (transaction) => void transaction.send({ topic: 't', partition: 0, value }))
      return requests.filter((request) => /Produce|Txn|InitProducerId/.test(request))
    }
    const first = ['InitProducerId 5', 'AddPartitionsToTxn 3', 'Produce 11', 'EndTxn 4']
    assert.deepEqual(await write('a'), first)
    const client = await world.broker.connect()
    await client.ask(UpdateFeatures, 1, {
      timeoutMs: 5_000,
      featureUpdates: [{ feature: 'transaction.version', maxVersionLevel: 2, upgradeType: 1 }],
    })
    client.close()
    // What the cluster has agreed to is told on connecting.
    if (open > 0) await new Promise<void>((resolve) => (onAllClosed = resolve))
    assert.deepEqual(await write('b'), ['AddPartitionsToTxn 3', 'Produce 11', 'EndTxn 4', 'InitProducerId 5'])
    assert.deepEqual(await write('c'), ['Produce 13', 'EndTxn 5'])
  } finally {
    channels.request.unsubscribe(onRequest)
    channels.connection.unsubscribe(onConnection)
  }
  assert.deepEqual(await committedValues(world.broker, 't'), ['a', 'b', 'c'])
})
