/** For tests: a broker, and KafkaJS's clients of it. */
import type { TestContext } from 'node:test'
import { startBroker } from 'millrace'
import {
  Kafka,
  logLevel,
  type Admin,
  type Consumer,
  type ConsumerConfig,
  type KafkaMessage,
  type Producer,
} from '../index.ts'

export interface Clients {
  readonly bootstrapServers: string
  readonly kafka: Kafka
  readonly admin: Admin
  readonly producer: Producer
  readonly consumer: (groupId?: string, config?: Partial<ConsumerConfig>) => Promise<Consumer>
}

export async function clients(context: TestContext, partitions = 1): Promise<Clients> {
  const broker = await startBroker({ configs: { 'num.partitions': partitions } })
  const kafka = new Kafka({ clientId: 'my-app', brokers: [broker.bootstrapServers], logLevel: logLevel.NOTHING })
  const producer = kafka.producer()
  const admin = kafka.admin()
  const consumers: Consumer[] = []
  await Promise.all([producer.connect(), admin.connect()])
  context.after(async () => {
    await Promise.all([...consumers, producer, admin].map((client) => client.disconnect()))
    await broker.close()
  })
  return {
    bootstrapServers: broker.bootstrapServers,
    kafka,
    admin,
    producer,
    consumer: async (groupId = 'test-group', config = {}) => {
      const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100, retry: { initialRetryTime: 20 }, ...config })
      consumers.push(consumer)
      await consumer.connect()
      return consumer
    },
  }
}

/** Resolves when `add` has been called so often. */
export function collector<T>(count: number) {
  const values: T[] = []
  const { promise, resolve } = Promise.withResolvers<T[]>()
  return {
    values,
    all: promise,
    add: (value: T): void => {
      values.push(value)
      if (values.length === count) resolve(values)
    },
  }
}

export const textOf = ({ value }: KafkaMessage): string => String(value)
