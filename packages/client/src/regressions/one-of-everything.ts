/** A program that uses every client once and closes it: run by a test, which looks whether it then ends by itself. */
import { Kafka, serde } from '../index.ts'

const kafka = new Kafka({ brokers: process.argv[2]! })

{
  await using admin = kafka.admin()
  await admin.createTopics([{ name: 'everything', numPartitions: 2, replicationFactor: 1 }])
  await using producer = kafka.producer({ topic: 'everything', value: serde.string, compressionType: 'snappy' })
  await producer.sendAll(Array.from({ length: 10 }, (_, at) => ({ value: `${at}`.repeat(1000) })))
  await using transactional = kafka.producer({
    topic: 'everything',
    value: serde.string,
    transactionalId: 'everything',
  })
  await transactional.transaction((transaction) => transaction.send({ value: 'in a transaction' }))
  for (const groupProtocol of ['classic', 'consumer'] as const) {
    await using consumer = kafka.consumer({
      groupId: `everything-${groupProtocol}`,
      topics: ['everything'],
      groupProtocol,
      offsetReset: 'earliest',
    })
    for await (const record of consumer) {
      await consumer.commit(record)
      break
    }
  }
  await using sharing = kafka.shareConsumer({ groupId: 'everything-share', topics: ['everything'] })
  for await (const batch of sharing.batches({ signal: AbortSignal.timeout(500) })) if (batch.count > 0) break
  // Never used: closed all the same.
  await using idle = kafka.producer()
  void idle
}
// Standard output and error of a test are pipes.
console.log(JSON.stringify(process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap')))
