import { Kafka, serde, type TopicPartition } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using admin = kafka.admin()
await admin.createTopics([{ name: 'sensors', numPartitions: 4 }])

const names = (partitions: readonly TopicPartition[]): string => partitions.map(({ partition }) => partition).join(', ')

function join(member: string, isAtWork: () => void) {
  return kafka.consumer({
    groupId: 'averages',
    topics: ['sensors'],
    value: serde.double,
    onRebalance: {
      // Before any record of them: the place to load what belongs to them, or to seek.
      onAssigned: (partitions) => {
        console.log(`${member} gets ${names(partitions)}`)
        if (partitions.length > 0) isAtWork()
      },
      // Nothing of them is being handled, and they are still ours: the place to save and to commit. The group waits for it.
      onRevoked: async (partitions) => console.log(`${member} gives up ${names(partitions)}`),
      // They are somebody else's by now, because this member was silent for too long: nothing can be saved.
      onLost: (partitions) => console.log(`${member} has lost ${names(partitions)}`),
    },
  })
}

const firstAtWork = Promise.withResolvers<void>()
const secondAtWork = Promise.withResolvers<void>()
await using first = join('first', firstAtWork.resolve)
await using second = join('second', secondAtWork.resolve)
const stop = new AbortController()
const idle = async (consumer: typeof first): Promise<void> => {
  for await (const record of consumer.records({ signal: stop.signal })) void record
}
const reading = [idle(first)]
await firstAtWork.promise
reading.push(idle(second))
await secondAtWork.promise
stop.abort()
await Promise.all(reading)
