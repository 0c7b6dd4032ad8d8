// Our own client with its defaults, but for what the variant says.
import type * as Client from '@millrace/client'
import { arrayBytes } from '../job.ts'
import { installedPackage } from './installed-package.ts'
import { runProgram } from './program.ts'

const { Kafka } = await installedPackage<typeof Client>('@millrace/client')

const variants: Readonly<Record<string, object>> = {
  defaults: {},
  'batchSize 256 KiB': { batchSize: Math.ceil((arrayBytes * 1.2) / 1024) * 1024 },
  'lingerMs 0': { lingerMs: 0 },
}

await runProgram({
  producer: async ({ bootstrap, topic, variant }) => {
    const kafka = new Kafka({ clientId: 'bench', brokers: [bootstrap] })
    const producer = kafka.producer({ ...variants[variant], topic })
    return {
      sendArray: (values) => producer.sendAll(values.map((value) => ({ value }))),
      send: (value) => producer.send({ value }),
      close: () => producer.close(),
    }
  },
  consume: async ({ bootstrap, topic, variant }, take) => {
    const kafka = new Kafka({ clientId: 'bench', brokers: [bootstrap] })
    const consumer = kafka.consumer({ groupId: `bench-${process.pid}`, topics: [topic], offsetReset: 'earliest' })
    if (variant === 'for await') {
      for await (const { value } of consumer) if (!take(value!)) return
    } else if (variant === 'batches') {
      for await (const batch of consumer.batches()) for (const { value } of batch) if (!take(value!)) return
    } else {
      const done = new AbortController()
      await consumer.run({
        signal: done.signal,
        eachRecord: ({ value }) => {
          if (!take(value!)) done.abort()
        },
      })
    }
  },
})
