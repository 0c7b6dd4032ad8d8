/** Transactions that take too long. */
import { DescribeTransactions } from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import { addPartitions, endTransaction, initProducer, look, produceIn, untilAborted } from './transactional-producer.ts'

export const transactionTimeouts: readonly Scenario[] = [
  {
    name: 'a transaction that takes too long is aborted and its producer fenced',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      for (const protocol of [11, 13]) {
        const transactionalId = world.name(`v${protocol}`)
        const { producerId, producerEpoch } = await initProducer(client, transactionalId, { transactionTimeoutMs: 100 })
        const producer = { transactionalId, producerId, producerEpoch }
        if (protocol === 11) await addPartitions(client, producer, topic.name, [0, 1])
        await client.askUntil(DescribeTransactions, 0, { transactionalIds: [transactionalId] }, () => true)
        if (protocol === 13) await produceIn(client, producer, topic, 0, protocol)
        await untilAborted(client, transactionalId)
        await look(world, transactionalId, topic)
        await endTransaction(client, producer, true)
        await endTransaction(client, producer, false)
        await produceIn(client, producer, topic, 1, protocol)
        await initProducer(client, transactionalId, { producerId, producerEpoch })
        await initProducer(client, transactionalId, {})
        await look(world, transactionalId, topic)
      }
    },
  },
]
