import { Kafka, serde } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using producer = kafka.producer({
  topic: 'clicks',
  value: serde.string,
  onError: (error) => console.error('a click is lost:', error.message),
})

// Nobody waits. What fails, after all attempts, goes to onError.
for (let click = 0; click < 1_000; click++) producer.sendAndForget({ value: `click ${click}` })

// Leaving the block sends what is left. To know that all is sent before that:
await producer.flush()
console.log('sent')
