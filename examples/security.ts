import { readFileSync } from 'node:fs'
import { Kafka, serde } from '@millrace/client'

const kafka = new Kafka({
  brokers: process.env['KAFKA'] ?? 'localhost:9092',
  // `true` for a certificate that the system's authorities know.
  ssl: { ca: readFileSync(process.env['KAFKA_CA'] ?? 'ca.pem', 'utf8') },
  sasl: {
    mechanism: 'PLAIN',
    username: 'orders',
    password: process.env['KAFKA_PASSWORD'] ?? '',
  },
})
await using producer = kafka.producer({ topic: 'orders', value: serde.string })
const { offset } = await producer.send({ value: 'tea' })
console.log(`stored at ${offset}`)
