import { Kafka, serde, type TopicPartitionOffset } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using admin = kafka.admin()
await admin.createTopics([{ name: 'orders', numPartitions: 3 }])
await using producer = kafka.producer({ topic: 'orders', key: serde.string, value: serde.string })
await producer.sendAll(Array.from({ length: 30 }, (_, index) => ({ key: `${index}`, value: `order ${index}` })))

await using consumer = kafka.consumer({
  groupId: 'billing',
  topics: ['orders'],
  value: serde.string,
  offsetReset: 'earliest',
  enableAutoCommit: false,
})

// Each partition on its own, every ten records: an offset is that of the next record to read.
const uncommitted = new Map<number, TopicPartitionOffset>()
let handled = 0
for await (const { topic, partition, offset } of consumer) {
  uncommitted.set(partition, { topic, partition, offset: offset + 1n })
  if (++handled % 10 === 0) {
    await consumer.commit([...uncommitted.values()])
    console.log(`committed ${handled} records in ${uncommitted.size} partitions`)
    uncommitted.clear()
  }
  if (handled === 30) break
}
