import { Kafka, serde } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using producer = kafka.producer({ topic: 'orders', value: serde.string })
await producer.sendAll([{ value: 'tea' }, { value: 'milk' }, { value: 'bread' }])

await using consumer = kafka.consumer({
  groupId: 'billing',
  topics: ['orders'],
  value: serde.string,
  offsetReset: 'earliest',
  enableAutoCommit: false,
})

for await (const batch of consumer.batches()) {
  for (const record of batch) console.log(`charged for ${record.value}`)
  // Nothing more is handled before this is stored. It throws when the group has given the partition to another member.
  await consumer.commit(batch)
  console.log(`committed ${batch.end.offset}`)
  if (batch.lag === 0n) break
}
