// What a user writes: compiled against the published types and run on every supported Node by installed.test.mjs.
// The linter does not see the published types.
/* oxlint-disable typescript/await-thenable */
import { Kafka, KafkaError, serde, type ConsumerOptions, type RecordMetadata } from '@millrace/client'
import { Kafka as KafkaOfMillrace, startBroker } from 'millrace'

interface Order {
  readonly item: string
  readonly count: number
}

await using broker = await startBroker({ configs: { 'num.partitions': 2 } })
const kafka = new Kafka({ brokers: broker.bootstrapServers, clientId: 'user' })

await using admin = kafka.admin()
await admin.createTopics([{ name: 'orders', numPartitions: 2, replicationFactor: 1 }])

await using producer = kafka.producer({ topic: 'orders', key: serde.string, value: serde.json<Order>() })
const written: RecordMetadata = await producer.send({ key: 'customer', value: { item: 'tea', count: 2 } })
console.log(written.topic, written.offset)

// Snappy and LZ4 come with native code, and large batches are compressed by a thread.
for (const compressionType of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
  await using compressing = kafka.producer({
    topic: 'orders',
    key: serde.string,
    value: serde.json<Order>(),
    compressionType,
  })
  const items = Array.from({ length: 300 }, (_, at) => ({ item: `${compressionType} ${at} `.repeat(50), count: at }))
  await compressing.sendAll(items.map((value) => ({ key: 'customer', value })))
}

// Options may be undefined, whether or not exactOptionalPropertyTypes is on.
const groupInstanceId: string | undefined = undefined
const options: ConsumerOptions<string, Order> = {
  groupId: 'billing',
  topics: ['orders'],
  key: serde.string,
  value: serde.json<Order>(),
  offsetReset: 'earliest',
  groupInstanceId,
}
await using consumer = kafka.consumer(options)
let read = 0
let counted = 0
for await (const record of consumer) {
  const order: Order | null = record.value
  counted += order?.count ?? 0
  if (++read === 1501) {
    await consumer.commit(record)
    break
  }
}
console.log(read, counted)

await admin.incrementalAlterConfigs([
  { type: 'GROUP', name: 'sharing', set: { 'share.auto.offset.reset': 'earliest' } },
])
await using sharing = kafka.shareConsumer({ groupId: 'sharing', topics: ['orders'], value: serde.json<Order>() })
for await (const { value } of sharing) {
  console.log(typeof value?.count)
  break
}

const failure: unknown = await admin.describeTopics(['nothing']).catch((error: unknown) => error)
console.log(failure instanceof KafkaError && failure.code)
await using same = new KafkaOfMillrace({ brokers: broker.bootstrapServers }).admin()
console.log((await same.listTopics()).map(({ name }) => name).join())

export async function wrong(): Promise<void> {
  // @ts-expect-error the key is a text
  await producer.send({ key: 1, value: { item: 'tea', count: 1 } })
  // @ts-expect-error the value lacks its count
  await producer.send({ key: 'x', value: { item: 'tea' } })
  // @ts-expect-error without a serde values are bytes or texts
  await kafka.producer({ topic: 'orders' }).send({ value: { item: 'tea', count: 1 } })
  // @ts-expect-error without a topic of the producer's own every record names one
  await kafka.producer({ value: serde.string }).send({ value: 'text' })
  // @ts-expect-error an offset is a bigint
  await consumer.commit([{ topic: 'orders', partition: 0, offset: 1 }])
  // @ts-expect-error there is no such option
  kafka.consumer({ groupID: 'billing' })
  // @ts-expect-error brokers are required
  new Kafka({})
}
