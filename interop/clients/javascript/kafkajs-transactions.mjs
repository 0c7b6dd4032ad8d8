// kafkajs's transactional producers by name.
import { copy } from './kafkajs-groups.mjs'

export function transactionHandlers(kafka) {
  const producers = new Map()
  const transactions = new Map()

  async function openProducer(job) {
    const producer = kafka.producer({
      transactionalId: job.transactionalId,
      transactionTimeout: job.timeoutMs,
      maxInFlightRequests: 1,
      idempotent: true,
      retry: { retries: 5, initialRetryTime: 50, maxRetryTime: 500 },
    })
    await producer.connect()
    return producer
  }

  return {
    // Its first transaction asks for the producer id.
    txnOpen: async (job) => void producers.set(job.name, await openProducer(job)),
    txnBegin: async (job) => void transactions.set(job.name, await producers.get(job.name).transaction()),
    txnSend: async (job) => {
      const messages = job.pairs.map(([partition, value]) => ({ partition, value }))
      await transactions.get(job.name).send({ topic: job.topic, acks: -1, messages })
    },
    txnEnd: async (job) => {
      const transaction = transactions.get(job.name)
      await (job.commit ? transaction.commit() : transaction.abort())
    },
    txnClose: (job) => producers.get(job.name).disconnect(),
    txnCopy: (job) => copy(kafka, openProducer, job),
  }
}
