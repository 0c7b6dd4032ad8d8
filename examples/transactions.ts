import { Kafka, serde } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using seeds = kafka.producer({ topic: 'orders', key: serde.string, value: serde.int })
await seeds.sendAll([
  { key: 'tea', value: 2 },
  { key: 'milk', value: 1 },
])

await using consumer = kafka.consumer({
  groupId: 'pricing',
  topics: ['orders'],
  key: serde.string,
  value: serde.int,
  offsetReset: 'earliest',
  isolationLevel: 'read_committed',
  enableAutoCommit: false,
})
await using producer = kafka.producer({ transactionalId: 'pricing-1', key: serde.string, value: serde.int })
const prices: Record<string, number> = { tea: 3, milk: 2 }

for await (const batch of consumer.batches()) {
  // Invoices and offsets are stored together, or neither is; who reads with isolationLevel 'read_committed' sees each order priced once.
  await producer.transaction(async (transaction) => {
    await transaction.sendAll(
      [...batch].map(({ key, value }) => ({ topic: 'invoices', key, value: (prices[key ?? ''] ?? 0) * (value ?? 0) })),
    )
    await transaction.sendOffsets([batch.end], consumer.groupMetadata())
  })
  console.log(`${batch.count} orders are priced`)
  if (batch.lag === 0n) break
}
