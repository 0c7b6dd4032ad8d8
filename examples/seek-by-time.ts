import { Kafka, serde } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using producer = kafka.producer({ topic: 'readings', value: serde.string })
const noon = Date.UTC(2026, 0, 1, 12)
const hour = 3_600_000
for (const [value, timestamp] of [
  ['morning', noon - 3 * hour],
  ['noon', noon],
  ['evening', noon + 6 * hour],
] as const)
  await producer.send({ value, timestamp })

await using consumer = kafka.consumer({ value: serde.string })
consumer.assign([{ topic: 'readings', partition: 0 }])
// Goes on with the first record at or after that time.
await consumer.seek({ timestamp: noon - hour })
for await (const record of consumer) {
  console.log(new Date(record.timestamp).toISOString(), record.value)
  if (consumer.currentLag(record) === 0n) break
}
