import { Kafka, serde, type TopicPartitionOffset } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using producer = kafka.producer({ topic: 'orders', value: serde.string })
await producer.sendAll([{ value: 'tea' }, { value: 'milk' }, { value: 'bread' }])

await using consumer = kafka.consumer({
  groupId: 'billing',
  topics: ['orders'],
  value: serde.string,
  offsetReset: 'earliest',
  enableAutoCommit: false,
  onError: (error) => console.error('a commit failed, a later one covers it:', error.message),
})

let last: TopicPartitionOffset | null = null
try {
  for await (const batch of consumer.batches()) {
    for (const record of batch) console.log(`charged for ${record.value}`)
    consumer.commitAsync(batch)
    last = batch.end
    if (batch.lag === 0n) break
  }
} finally {
  // The last one is worth waiting for: no later one covers it.
  if (last !== null) await consumer.commit([last])
}
