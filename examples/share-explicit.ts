import { Kafka, serde } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using admin = kafka.admin()
await admin.incrementalAlterConfigs([
  { type: 'GROUP', name: 'workers', set: { 'share.auto.offset.reset': 'earliest' } },
])
await using producer = kafka.producer({ topic: 'jobs', value: serde.string })
await producer.sendAll(['resize', 'upload'].map((value) => ({ value })))

await using jobs = kafka.shareConsumer({
  groupId: 'workers',
  topics: ['jobs'],
  value: serde.string,
  shareAcknowledgementMode: 'explicit',
})
for await (const record of jobs) {
  // Long work keeps its lock, which runs for half a minute unless the group is configured otherwise.
  await jobs.renew([record])
  jobs.acknowledge(record, record.value === 'upload' ? 'reject' : 'accept')
  console.log(`done with ${record.value}`)
  if (record.value === 'upload') break
}
const results = await jobs.commit()
console.log(results.every(({ error }) => error === null) ? 'stored' : results)
