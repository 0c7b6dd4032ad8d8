import { subscribe } from 'node:diagnostics_channel'
import * as api from '@opentelemetry/api'
import { Kafka, openTelemetry, serde, type CommitMessage, type Logger } from '@millrace/client'

const logger: Logger = {
  debug() {},
  info() {},
  warn: (message, fields) => console.log('warning:', message, fields),
  error: (message, fields) => console.log('error:', message, fields),
  child: () => logger,
}
const kafka = new Kafka({
  brokers: process.env['KAFKA'] ?? 'localhost:9092',
  logger,
  // Spans, where the application has set OpenTelemetry up; nothing where it has not.
  tracing: openTelemetry(api),
})
subscribe('millrace:consumer:commit', (message) => {
  const { groupId, offsets, error } = message as CommitMessage
  for (const { topic, partition, offset } of offsets)
    console.log(`${groupId}, ${topic}-${partition}: ${error === null ? `committed ${offset}` : error.message}`)
})

await using producer = kafka.producer({ topic: 'orders', value: serde.string })
await producer.send({ value: 'tea', partition: 0 })
await using consumer = kafka.consumer({
  groupId: 'billing',
  topics: ['orders'],
  value: serde.string,
  offsetReset: 'earliest',
  enableAutoCommit: false,
})
for await (const record of consumer) {
  await consumer.commit(record)
  break
}
const sent = producer.metrics().find(({ group, name }) => group === 'producer-metrics' && name === 'record-send-total')
console.log(`records sent: ${sent?.value}`)
