// @platformatic/kafka's transactional producers by name, and its consume-transform-produce loop.
import { Producer } from '@platformatic/kafka'
import { setTimeout as delay } from 'node:timers/promises'
import { openStream } from './platformatic-groups.mjs'

const message = (topic, partition, value) => ({ topic, partition, value: Buffer.from(value) })

export function transactionHandlers(base) {
  const producers = new Map()
  const transactions = new Map()

  function openProducer(job) {
    return new Producer({
      ...base,
      idempotent: true,
      transactionalId: job.transactionalId,
      retries: 50,
      retryDelay: 100,
    })
  }

  // Its first transaction asks for the producer id. By default it names producer 0 then, which the broker refuses to a new process.
  const begin = (producer) => producer.beginTransaction({ producerId: -1n, producerEpoch: -1 })

  /** Copies, partition by partition, until nothing came for `idleMs`, at first `patienceMs` more; every `abortEvery`th transaction is aborted and done again. */
  async function copy(job) {
    const producer = openProducer(job)
    const { consumer, stream } = await openStream(base, job, job.from)
    const waiting = []
    const done = { committed: 0, aborted: 0 }
    stream.on('data', (one) => waiting.push(one))
    let last = Date.now() + job.patienceMs
    while (Date.now() - last < job.idleMs) {
      if (waiting.length === 0) {
        await delay(20)
        continue
      }
      last = Date.now()
      const batch = waiting.slice(0, job.batch)
      const transaction = await begin(producer)
      await transaction.addConsumer(consumer)
      await transaction.send({ messages: batch.map(({ partition, value }) => message(job.to, partition, value)) })
      const lasts = new Map(batch.map((one) => [one.partition, one]))
      for (const one of lasts.values()) await transaction.addOffset(one)
      if (job.abortEvery > 0 && (done.committed + done.aborted) % job.abortEvery === job.abortEvery - 1) {
        await transaction.abort()
        done.aborted++
      } else {
        await transaction.commit()
        done.committed++
        waiting.splice(0, batch.length)
      }
    }
    await stream.close()
    await consumer.close(true)
    await producer.close()
    return done
  }

  return {
    txnOpen: (job) => void producers.set(job.name, openProducer(job)),
    txnBegin: async (job) => void transactions.set(job.name, await begin(producers.get(job.name))),
    txnSend: async (job) => {
      const messages = job.pairs.map(([partition, value]) => message(job.topic, partition, value))
      await transactions.get(job.name).send({ messages })
    },
    txnEnd: async (job) => {
      const transaction = transactions.get(job.name)
      await (job.commit ? transaction.commit() : transaction.abort())
    },
    txnClose: (job) => producers.get(job.name).close(),
    txnCopy: copy,
  }
}
