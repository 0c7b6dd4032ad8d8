/** Records of producers: which are written, and what readers of committed records get. */
import { EndTxn, Fetch, Produce } from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import {
  type Batch,
  endTransaction,
  initProducer,
  look,
  openProducer,
  produce,
  produceIn,
  untilEnded,
} from './transactional-producer.ts'

export const transactionalRecords: readonly Scenario[] = [
  {
    name: 'records of producers: sequences, epochs, and transactions that are not open',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      for (const version of world.versions(Produce, 3)) {
        const { producerId } = await initProducer(client, null)
        const send = (batch: Batch & { transactionalId?: string | null; partition?: number }) =>
          produce(client, { topic, version, producerId, producerEpoch: 0, baseSequence: 0, ...batch })
        await send({})
        await send({})
        await send({ baseSequence: 1, values: ['a', 'b'] })
        await send({ baseSequence: 1, values: ['a', 'b'] })
        await send({ baseSequence: 1, values: ['a'] })
        await send({ baseSequence: 5 })
        await send({ baseSequence: 3, producerEpoch: 1 })
        await send({ baseSequence: 0, producerEpoch: 1 })
        await send({ baseSequence: 1, producerEpoch: 0 })
        await send({ partition: 1, baseSequence: 7 })
        await send({ partition: 1, baseSequence: 9 })
        await send({ producerEpoch: -1 })
        await send({ baseSequence: -1 })
        await send({ producerId: -1n, producerEpoch: -1, baseSequence: -1 })
        await send({ partition: 9 })
        await send({ isTransactional: true, baseSequence: 1, producerEpoch: 1 })
        await send({ isTransactional: true, baseSequence: 1, producerEpoch: 1, transactionalId: world.name('missing') })
        await send({ transactionalId: world.name('missing'), baseSequence: 1, producerEpoch: 1 })
        const producer = await openProducer(client, world.name(`v${version}`))
        await produceIn(client, producer, topic, 0, version)
        await produceIn(client, producer, topic, 0, version)
        await produceIn(client, producer, topic, 3, version)
        await send({ ...producer, baseSequence: version < 12 ? 0 : 1 })
        await produceIn(client, { ...producer, producerEpoch: 3 }, topic, 0, version)
        await produceIn(client, { ...producer, transactionalId: world.name('missing') }, topic, 1, version)
        await look(world, producer.transactionalId, topic)
        await client.ask(EndTxn, 4, { ...producer, committed: false })
        await untilEnded(world, producer.transactionalId)
      }
    },
  },
  {
    name: 'what readers of committed records get: last stable offsets, aborted transactions',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic', 1)
      const client = await world.client('producer')
      const read = async (fetchOffset: bigint) => {
        for (const version of world.versions(Fetch))
          for (const isolationLevel of [0, 1])
            await client.ask(Fetch, version, {
              maxWaitMs: 0,
              minBytes: 0,
              maxBytes: 1_000_000,
              isolationLevel,
              sessionId: 0,
              topics: [
                {
                  topic: topic.name,
                  topicId: topic.id,
                  partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1_000_000 }],
                },
              ],
              forgottenTopicsData: [],
              rackId: '',
            })
      }
      let one = await openProducer(client, world.name('one'))
      let two = await openProducer(client, world.name('two'))
      await produceIn(client, one, topic)
      await produceIn(client, two, topic)
      await produce(client, { topic, values: ['plain'] })
      await read(0n)
      one = await endTransaction(client, one, false)
      await untilEnded(world, one.transactionalId)
      await read(0n)
      await read(2n)
      two = await endTransaction(client, two, true)
      await untilEnded(world, two.transactionalId)
      await read(0n)
      await produceIn(client, one, topic)
      one = await endTransaction(client, one, false)
      await untilEnded(world, one.transactionalId)
      for (const offset of [0n, 3n, 4n, 5n, 6n, 7n, 9n]) await read(offset)
    },
  },
]
