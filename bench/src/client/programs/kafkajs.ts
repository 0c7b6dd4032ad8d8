// kafkajs with its defaults; read in the cheapest of its two ways, eachBatch.
import { installedPackage } from './installed-package.ts'
import { runProgram } from './program.ts'

interface Message {
  readonly value: Buffer
}

interface KafkaJs {
  readonly logLevel: { readonly NOTHING: number }
  readonly Partitioners: { readonly DefaultPartitioner: unknown }
  readonly Kafka: new (options: object) => {
    producer(options: object): {
      connect(): Promise<void>
      send(batch: { topic: string; acks: number; messages: readonly Message[] }): Promise<unknown>
      disconnect(): Promise<void>
    }
    consumer(options: object): {
      connect(): Promise<void>
      subscribe(options: object): Promise<void>
      run(options: {
        eachBatchAutoResolve: boolean
        eachBatch(payload: { batch: { messages: readonly Message[] } }): Promise<void>
      }): Promise<void>
    }
  }
}

const { default: kafkajs } = await installedPackage<{ default: KafkaJs }>('kafkajs')

const clientOf = (bootstrap: string) =>
  new kafkajs.Kafka({ clientId: 'bench', brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING })

await runProgram({
  producer: async ({ bootstrap, topic }) => {
    const producer = clientOf(bootstrap).producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await producer.connect()
    return {
      sendArray: (values) => producer.send({ topic, acks: -1, messages: values.map((value) => ({ value })) }),
      send: (value) => producer.send({ topic, acks: -1, messages: [{ value }] }),
      close: () => producer.disconnect(),
    }
  },
  consume: async ({ bootstrap, topic }, take) => {
    const consumer = clientOf(bootstrap).consumer({ groupId: `bench-${process.pid}` })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    await consumer.run({
      eachBatchAutoResolve: true,
      eachBatch: async ({ batch }) => {
        try {
          for (const { value } of batch.messages) if (!take(value)) return resolve()
        } catch (error) {
          reject(error as Error)
        }
      },
    })
    await promise
  },
})
