import { Kafka, logLevel } from '@millrace/kafkajs'

const kafka = new Kafka({ brokers: [process.env['KAFKA'] ?? 'localhost:9092'], logLevel: logLevel.NOTHING })

const producer = kafka.producer()
await producer.connect()
await producer.send({ topic: 'greetings', messages: [{ key: 'me', value: 'hello' }] })
await producer.disconnect()

const consumer = kafka.consumer({ groupId: 'readers' })
await consumer.connect()
await consumer.subscribe({ topic: 'greetings', fromBeginning: true })
await new Promise<void>((resolve, reject) => {
  const handled = consumer.run({
    eachMessage: async ({ message }) => {
      console.log(String(message.value))
      resolve()
    },
  })
  handled.catch(reject)
})
await consumer.disconnect()
