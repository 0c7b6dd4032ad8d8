import { Kafka } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using admin = kafka.admin()

await admin.createTopics([{ name: 'orders', numPartitions: 6, configs: { 'retention.ms': 86_400_000 } }])
const [orders] = await admin.describeTopics(['orders'])
console.log(`${orders.name} has ${orders.partitions.length} partitions`)

await admin.incrementalAlterConfigs([{ type: 'TOPIC', name: 'orders', set: { 'cleanup.policy': 'compact' } }])
for (const { groupId, state } of await admin.listGroups()) console.log(groupId, state)
await admin.deleteTopics(['orders'])
