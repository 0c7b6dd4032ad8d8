import { Kafka, serde } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })

await using producer = kafka.producer({ topic: 'greetings', value: serde.string })
await producer.send({ value: 'hello from JavaScript' })

await using consumer = kafka.consumer({
  groupId: 'js-readers',
  topics: ['greetings'],
  value: serde.string,
  offsetReset: 'earliest',
})
for await (const record of consumer) {
  console.log(record.value)
  break
}
