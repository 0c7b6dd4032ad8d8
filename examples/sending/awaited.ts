import { Kafka, serde } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using producer = kafka.producer({ topic: 'orders', key: serde.string, value: serde.json<{ item: string }>() })

// One after the other: the second is not sent before the first is stored.
for (const item of ['tea', 'milk']) {
  const { partition, offset } = await producer.send({ key: 'customer-1', value: { item } })
  console.log(`${item} is at offset ${offset} of partition ${partition}`)
}
