import { Kafka, serde } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using producer = kafka.producer({ topic: 'orders', value: serde.string })
await producer.sendAll([{ value: 'tea' }, { value: 'milk' }, { value: 'bread' }])

await using consumer = kafka.consumer({
  groupId: 'billing',
  topics: ['orders'],
  value: serde.string,
  offsetReset: 'earliest',
  autoCommitIntervalMs: 5_000,
})

// A record counts as handled when the next one is asked for. Handled ones are committed every five seconds, before partitions are given to
// another member, and when the consumer is closed.
for await (const record of consumer) {
  console.log(`charged for ${record.value}`)
  if (consumer.currentLag(record) === 0n) break
}
