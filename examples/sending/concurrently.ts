import { Kafka, serde } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using producer = kafka.producer({ topic: 'orders', key: serde.string, value: serde.string })

// Records sent at the same time share batches, and those of a key keep their order.
const sends = Array.from({ length: 1_000 }, (_, index) =>
  producer.send({ key: `customer-${index % 10}`, value: `order ${index}` }),
)
for (const outcome of await Promise.allSettled(sends))
  if (outcome.status === 'rejected') console.error('not stored:', outcome.reason)

// The same for an array, with one promise instead of a thousand.
const stored = await producer.sendAll(Array.from({ length: 1_000 }, (_, index) => ({ value: `order ${index}` })))
console.log(`${sends.length + stored.length} orders are stored`)
