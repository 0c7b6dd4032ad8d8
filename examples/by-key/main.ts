import { Kafka, serde } from '@millrace/client'
import { WorkerPool } from './worker-pool.ts'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using producer = kafka.producer({ topic: 'passwords', key: serde.string, value: serde.string })
await producer.sendAll(
  Array.from({ length: 40 }, (_, index) => ({ key: `user-${index % 8}`, value: `secret ${index}` })),
)

await using workers = new WorkerPool(4, new URL('./worker.ts', import.meta.url))
await using consumer = kafka.consumer({
  groupId: 'hashing',
  topics: ['passwords'],
  key: serde.string,
  value: serde.string,
  offsetReset: 'earliest',
})

const done = new AbortController()
const counts = new Map<string, number>()
// Four threads work at a time, on records of different keys: the records of a key are handled one after the other.
await consumer.run({
  concurrency: 4,
  ordering: 'key',
  signal: done.signal,
  eachRecord: async (record) => {
    const hash = await workers.run(record.value)
    const user = record.key ?? ''
    counts.set(user, (counts.get(user) ?? 0) + 1)
    console.log(`${user}, secret ${counts.get(user)}: ${String(hash)}`)
    if ([...counts.values()].reduce((sum, count) => sum + count) === 40) done.abort()
  },
})
