import { Kafka, serde, type Serde } from '@millrace/client'
import { z } from 'zod'

const order = z.object({ item: z.string(), count: z.number().int().positive() })

/** A format of your own. */
const day: Serde<Date> = {
  serialize: (date) => Buffer.from(date.toISOString().slice(0, 10)),
  deserialize: (bytes) => new Date(Buffer.from(bytes).toString()),
}

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using producer = kafka.producer({ topic: 'orders', key: day, value: serde.json(order) })
const key = new Date('2026-01-01')
await producer.send({ key, value: { item: 'tea', count: 2 } })
try {
  await producer.send({ key, value: { item: 'milk', count: -1 } })
} catch (error) {
  console.log('not sent:', (error as Error).name)
}

await using consumer = kafka.consumer({
  groupId: 'billing',
  topics: ['orders'],
  key: day,
  value: serde.json(order),
  offsetReset: 'earliest',
})
for await (const record of consumer) {
  console.log(record.key?.getUTCFullYear(), record.value?.item, record.value?.count)
  break
}
