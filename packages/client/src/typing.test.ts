/**
 * What the compiler says of programs: each line under `@ts-expect-error` must not compile, the others must. `npm run check` is the judge; that the
 * file runs shows that the calls which do compile are accepted.
 */
import { test } from 'node:test'
import { z } from 'zod'
import { Kafka, serde, type Consumer, type ConsumerRecord, type Producer, type TopiclessRecord } from './index.ts'

interface Order {
  readonly item: string
  readonly count: number
}

const kafka = new Kafka({ brokers: 'localhost:9092' })
const order: Order = { item: 'tea', count: 2 }

/** Compiled, not called: there is no broker. */
const programs = {
  async producers() {
    const typed = kafka.producer({ topic: 'orders', key: serde.string, value: serde.json<Order>() })
    typed satisfies Producer<TopiclessRecord<string, Order>>
    await typed.send({ key: 'a', value: order })
    await typed.send({ value: null })
    await typed.send({ topic: 'elsewhere', value: order, headers: { a: 'b' }, timestamp: Date.now(), partition: 1 })
    // What may be left out may be undefined, so that whoever passes it on need not leave it out.
    const none = undefined
    await typed.send({ key: none, value: order, headers: none, timestamp: none, partition: none }, { signal: none })
    const { offset } = await typed.send({ value: order })
    offset satisfies bigint
    // @ts-expect-error the key is a string
    await typed.send({ key: 1, value: order })
    // @ts-expect-error count is missing
    await typed.send({ key: 'a', value: { item: 'tea' } })
    // @ts-expect-error a record has a value, be it null
    await typed.send({ key: 'a' })
    // @ts-expect-error timestamps are numbers
    await typed.send({ value: order, timestamp: '0' })
    // @ts-expect-error sendAll takes records of the same types
    await typed.sendAll([{ value: 'text' }])

    // Naming the value alone does, with keys that are texts.
    const named = kafka.producer<Order>({ topic: 'orders', key: serde.string, value: serde.json<Order>() })
    named satisfies Producer<TopiclessRecord<string, Order>>
    // @ts-expect-error the serde is one of numbers
    kafka.producer<Order>({ topic: 'orders', key: serde.string, value: serde.int })

    const schema = z.object({ item: z.string() })
    const validated = kafka.producer({ topic: 't', value: serde.json(schema) })
    await validated.send({ value: { item: 'tea' } })
    // @ts-expect-error the schema has texts
    await validated.send({ value: { item: 1 } })

    const plain = kafka.producer()
    await plain.send({ topic: 't', key: new Uint8Array(1), value: 'text' })
    // @ts-expect-error without a topic of its own, each record names one
    await plain.send({ value: 'text' })
    // @ts-expect-error without a serde, values are bytes or texts
    await plain.send({ topic: 't', value: order })
    // @ts-expect-error there is no such option
    kafka.producer({ linger: 5 })
    // @ts-expect-error no such value
    kafka.producer({ acks: 2 })
    // @ts-expect-error a serde reads; a producer needs one that writes
    kafka.producer({ value: { deserialize: () => 1 } })

    await typed.transaction(async (transaction) => {
      await transaction.send({ key: 'a', value: order })
      await transaction.sendOffsets([{ topic: 't', partition: 0, offset: 1n }], 'group')
      // @ts-expect-error offsets are bigint
      await transaction.sendOffsets([{ topic: 't', partition: 0, offset: 1 }], 'group')
      // @ts-expect-error the types hold in transactions
      await transaction.send({ key: 'a', value: 1 })
    })
  },

  async consumers() {
    const consumer = kafka.consumer({ groupId: 'g', topics: ['orders'], key: serde.string, value: serde.json<Order>() })
    consumer satisfies Consumer<string, Order>
    for await (const record of consumer) {
      record satisfies ConsumerRecord<string, Order>
      record.key satisfies string | null
      // @ts-expect-error values may be null: tombstones
      void record.value.item
      if (record.value !== null) record.value.item satisfies string
      await consumer.commit(record)
      break
    }
    for await (const batch of consumer.batches()) {
      for (const { value } of batch) value satisfies Order | null
      await consumer.commit(batch)
      await consumer.commit([batch.end])
      break
    }
    await consumer.commit()
    await consumer.commit([{ topic: 't', partition: 0, offset: 5n }])
    // @ts-expect-error an offset is a bigint
    await consumer.commit([{ topic: 't', partition: 0, offset: 5 }])
    // @ts-expect-error an offset alone says nothing
    await consumer.commit(5n)
    // @ts-expect-error a partition has a topic
    await consumer.commit([{ partition: 0, offset: 5n }])
    await consumer.seek('beginning')
    await consumer.seek({ timestamp: 0 }, [{ topic: 't', partition: 0 }])
    // @ts-expect-error no such place
    await consumer.seek('start')
    await consumer.run({
      concurrency: 10,
      ordering: 'key',
      eachRecord: async ({ value }, { signal, attempt }) => {
        value satisfies Order | null
        signal satisfies AbortSignal
        attempt satisfies number
      },
      retry: { attempts: 3, topic: 'orders-retry' },
      deadLetter: { topic: 'orders-dead' },
    })
    // @ts-expect-error there is nobody to handle records
    await consumer.run({ concurrency: 2 })
    // @ts-expect-error 'topic' is no ordering
    await consumer.run({ eachRecord: () => {}, ordering: 'topic' })
    // @ts-expect-error a consumer needs a serde that reads
    kafka.consumer({ groupId: 'g', value: { serialize: () => new Uint8Array() } })
    // @ts-expect-error no such option
    kafka.consumer({ groupId: 'g', autoOffset: 'earliest' })
    const bytes = kafka.consumer({ groupId: 'g' })
    bytes satisfies Consumer<Uint8Array, Uint8Array>
  },

  async shareConsumers() {
    const consumer = kafka.shareConsumer({ groupId: 's', topics: ['t'], value: serde.json<Order>() })
    for await (const record of consumer) {
      record.value satisfies Order | null
      record.deliveryCount satisfies number | null
      break
    }
    // @ts-expect-error a share consumer has a group
    kafka.shareConsumer({ topics: ['t'] })
  },

  async admins() {
    const admin = kafka.admin()
    const [one] = await admin.describeTopics(['t'])
    one.partitions satisfies readonly unknown[]
    // @ts-expect-error one topic was asked for
    const [, none] = await admin.describeTopics(['t'])
    // @ts-expect-error topics are objects here
    await admin.createTopics(['t'])
    await admin.createTopics([{ name: 't', numPartitions: 3, configs: { 'retention.ms': 1000 } }])
    return none
  },
}

test('the programs whose types are checked here are accepted by the makers of clients', async () => {
  programs satisfies Record<string, () => Promise<unknown>>
  await using producer = kafka.producer({ topic: 'orders', key: serde.string, value: serde.json<Order>() })
  await using consumer = kafka.consumer({ groupId: 'g', topics: ['orders'], value: serde.json<Order>() })
  await using share = kafka.shareConsumer({ groupId: 's', topics: ['t'] })
  await using admin = kafka.admin()
  void [producer, consumer, share, admin]
})
