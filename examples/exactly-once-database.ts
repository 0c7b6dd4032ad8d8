import { DatabaseSync } from 'node:sqlite'
import { Kafka, serde } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
const database = new DatabaseSync(process.env['DATABASE'] ?? 'balances.db')
database.exec(`
  CREATE TABLE IF NOT EXISTS balances (account TEXT PRIMARY KEY, amount INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS positions (topic TEXT, partition INTEGER, next INTEGER NOT NULL, PRIMARY KEY (topic, partition));
`)
const add = database.prepare(`
  INSERT INTO balances VALUES (?, ?) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount`)
const move = database.prepare('INSERT OR REPLACE INTO positions VALUES (?, ?, ?)')
const positionOf = database.prepare('SELECT next FROM positions WHERE topic = ? AND partition = ?')
positionOf.setReadBigInts(true)

await using consumer = kafka.consumer({
  groupId: 'balances',
  topics: ['payments'],
  key: serde.string,
  value: serde.int,
  offsetReset: 'earliest',
  maxPollRecords: 20,
  // The database knows where to go on, not the group.
  enableAutoCommit: false,
  onRebalance: {
    onAssigned: async (partitions) => {
      for (const { topic, partition } of partitions) {
        const position = positionOf.get(topic, partition)
        if (position !== undefined) await consumer.seek(position['next'] as bigint, [{ topic, partition }])
      }
    },
  },
})

for await (const batch of consumer.batches()) {
  // The balances and the position change together, or not at all: whenever the process dies, no payment is lost, and none counts twice.
  database.exec('BEGIN IMMEDIATE')
  try {
    for (const { key, value } of batch) add.run(key, value)
    move.run(batch.topic, batch.partition, batch.end.offset)
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
  console.log(`at ${batch.end.offset}`)
  if (batch.lag === 0n) break
}
