import { failureHeaders, Kafka, serde } from '@millrace/client'

const kafka = new Kafka({ brokers: process.env['KAFKA'] ?? 'localhost:9092' })
await using producer = kafka.producer({ topic: 'orders', key: serde.string, value: serde.string })
await producer.sendAll([
  { key: 'customer-1', value: 'tea' },
  { key: 'customer-2', value: 'out of stock for now' },
  { key: 'customer-3', value: 'impossible' },
  { key: 'customer-4', value: 'milk' },
])

await using consumer = kafka.consumer({
  groupId: 'shipping',
  topics: ['orders'],
  key: serde.string,
  value: serde.string,
  offsetReset: 'earliest',
})
const done = new AbortController()
const running = consumer.run({
  signal: done.signal,
  // Three attempts: the second after a fifth of a second, the third after another second. Others go on meanwhile.
  retry: { attempts: 3, backoff: { initialMs: 200, factor: 5 }, topic: 'orders-retry' },
  deadLetter: { topic: 'orders-dead' },
  eachRecord: (record, { attempt }) => {
    console.log(`${record.value}, attempt ${attempt}`)
    if (record.value === 'impossible') throw new Error('there is no such thing')
    if (record.value === 'out of stock for now' && attempt < 3) throw new Error('try again')
  },
})

await using letters = kafka.consumer({
  groupId: 'people',
  topics: ['orders-dead'],
  offsetReset: 'earliest',
  value: serde.string,
})
for await (const letter of letters) {
  const header = (name: string): string => String(letter.header(name) ?? '')
  console.log(
    `dead: ${letter.value}, from ${header(failureHeaders.topic)} at ${header(failureHeaders.offset)}, ` +
      `after ${header(failureHeaders.attempts)} attempts: ${header(failureHeaders.message)}`,
  )
  break
}
done.abort()
await running
