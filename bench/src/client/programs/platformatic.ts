// @platformatic/kafka with its defaults; read by the stream's 'data' events.
import { installedPackage } from './installed-package.ts'
import { runProgram } from './program.ts'

interface Message {
  readonly topic: string
  readonly value: Buffer
}

interface Platformatic {
  readonly Producer: new (options: object) => {
    send(options: { acks: number; messages: readonly Message[] }): Promise<unknown>
    close(): Promise<void>
  }
  readonly Consumer: new (options: object) => {
    consume(options: object): Promise<{
      on(event: 'data', listener: (message: Message) => void): void
      on(event: 'error', listener: (error: Error) => void): void
    }>
  }
}

const { Producer, Consumer } = await installedPackage<Platformatic>('@platformatic/kafka')

await runProgram({
  producer: async ({ bootstrap, topic }) => {
    const producer = new Producer({ clientId: 'bench', bootstrapBrokers: [bootstrap] })
    return {
      sendArray: (values) => producer.send({ acks: -1, messages: values.map((value) => ({ topic, value })) }),
      send: (value) => producer.send({ acks: -1, messages: [{ topic, value }] }),
      close: () => producer.close(),
    }
  },
  consume: async ({ bootstrap, topic }, take) => {
    const consumer = new Consumer({ clientId: 'bench', bootstrapBrokers: [bootstrap], groupId: `bench-${process.pid}` })
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest' })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    stream.on('error', reject)
    stream.on('data', ({ value }) => {
      try {
        if (!take(value)) resolve()
      } catch (error) {
        reject(error as Error)
      }
    })
    await promise
  },
})
