import { Kafka, serde } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using admin = kafka.admin()
await admin.createTopics([{ name: 'jobs', numPartitions: 1 }])
await admin.incrementalAlterConfigs([
  { type: 'GROUP', name: 'workers', set: { 'share.auto.offset.reset': 'earliest' } },
])
await using producer = kafka.producer({ topic: 'jobs', value: serde.string })
await producer.sendAll(['resize', 'flaky', 'broken', 'upload'].map((value) => ({ value })))

// Any number of members share the one partition.
await using jobs = kafka.shareConsumer({ groupId: 'workers', topics: ['jobs'], value: serde.string })
const done = new AbortController()
let left = 4
await jobs.run({
  concurrency: 8,
  signal: done.signal,
  eachRecord: async (record) => {
    console.log(`${record.value}, delivery ${record.deliveryCount}`)
    // What throws is released, and delivered again, to whomever.
    if (record.value === 'flaky' && record.deliveryCount === 1) throw new Error('once more')
    if (--left === 0) done.abort()
    return record.value === 'broken' ? 'reject' : 'accept'
  },
})
for (const { offsets, error } of await jobs.commit()) console.log(`${offsets.length} acknowledged`, error ?? '')
