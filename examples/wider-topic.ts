import { Kafka, serde } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using admin = kafka.admin()
await admin.createTopics([
  { name: 'jobs', numPartitions: 2 },
  { name: 'jobs-wide', numPartitions: 12 },
])
await using late = kafka.producer({ topic: 'jobs', key: serde.string, value: serde.string })
await late.sendAll(Array.from({ length: 500 }, (_, index) => ({ key: `job-${index}`, value: `${index}` })))

// Two partitions keep two consumers busy. Moved to twelve, what has piled up can be worked off by twelve; new jobs should go there already.
await using consumer = kafka.consumer({
  groupId: 'redistribution',
  topics: ['jobs'],
  offsetReset: 'earliest',
  isolationLevel: 'read_committed',
  enableAutoCommit: false,
})
await using producer = kafka.producer({ transactionalId: 'redistribution' })

let moved = 0
for await (const batch of consumer.batches()) {
  await producer.transaction(async (transaction) => {
    await transaction.sendAll(
      [...batch].map(({ rawKey, rawValue, headers, timestamp }) => ({
        topic: 'jobs-wide',
        key: rawKey,
        value: rawValue,
        headers: headers.map(({ key, value }) => [key, value] as const),
        timestamp,
      })),
    )
    await transaction.sendOffsets([batch.end], consumer.groupMetadata())
  })
  moved += batch.count
  if (consumer.assignment().every((partition) => consumer.currentLag(partition) === 0n)) break
}
console.log(`moved ${moved} jobs`)
const ends = await admin.listOffsets(
  Array.from({ length: 12 }, (_, partition) => ({ topic: 'jobs-wide', partition, offset: 'latest' as const })),
)
console.log(`${ends.filter(({ offset }) => (offset ?? 0n) > 0n).length} partitions have jobs now`)
