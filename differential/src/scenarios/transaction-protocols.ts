/** Transactions from the first partition to the end, by the old protocol, by the new one, and by both. */
import { AddPartitionsToTxn, EndTxn, Produce } from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import {
  type Producer,
  addPartitions,
  endTransaction,
  look,
  openProducer,
  produceIn,
  untilEnded,
} from './transactional-producer.ts'

export const transactionProtocols: readonly Scenario[] = [
  {
    name: 'transactions of the old protocol: added, written, committed and aborted, in every version',
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      for (const version of world.versions(EndTxn).filter((one) => one <= 4)) {
        const transactionalId = world.name(`v${version}`)
        let producer = await openProducer(client, transactionalId)
        let sequence = 0
        for (const committed of [true, false, true]) {
          await addPartitions(client, producer, topic.name, [0, 1], Math.min(version, 3))
          await look(world, transactionalId, topic)
          await produceIn(client, producer, topic, sequence, 11)
          await produceIn(client, producer, topic, sequence++, 11, 1)
          await look(world, transactionalId, topic)
          producer = await endTransaction(client, producer, committed, version)
          await untilEnded(world, transactionalId)
          await look(world, transactionalId, topic)
          await endTransaction(client, producer, committed, version)
          await endTransaction(client, producer, !committed, version)
        }
        await endTransaction(client, { ...producer, producerEpoch: 7 }, true, version)
        await endTransaction(client, { ...producer, producerEpoch: -1 }, true, version)
        await endTransaction(client, { ...producer, producerId: 777_777n }, true, version)
        await endTransaction(client, { ...producer, transactionalId: world.name('missing') }, true, version)
        await endTransaction(client, { ...producer, transactionalId: '' }, true, version)
      }
    },
  },
  {
    name: 'partitions are added to transactions, and refused',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      for (const version of world.versions(AddPartitionsToTxn)) {
        const transactionalId = world.name(`v${version}`)
        const producer = await openProducer(client, transactionalId)
        const add = (
          change: Partial<Producer>,
          topics: { name: string; partitions: number[] }[],
          verifyOnly = false,
        ) => {
          const one = { ...producer, ...change }
          return client.ask(AddPartitionsToTxn, version, {
            v3AndBelowTransactionalId: one.transactionalId,
            v3AndBelowProducerId: one.producerId,
            v3AndBelowProducerEpoch: one.producerEpoch,
            v3AndBelowTopics: topics,
            transactions: [{ ...one, verifyOnly, topics }],
          })
        }
        const both = [{ name: topic.name, partitions: [0, 1] }]
        const missing = [{ name: world.name('missing'), partitions: [0] }]
        if (version >= 4) await add({}, both, true)
        await add({}, [])
        await add({}, missing)
        await add({}, [...both, ...missing])
        await add({}, [{ name: topic.name, partitions: [0, 9] }])
        await add({ transactionalId: world.name('missing') }, both)
        await add({ transactionalId: '' }, both)
        await add({ producerId: 777_777n }, both)
        await add({ producerEpoch: 5 }, both)
        await add({ producerEpoch: -1 }, both)
        await add({}, [{ name: topic.name, partitions: [0] }])
        await add({}, [{ name: topic.name, partitions: [0] }])
        if (version >= 4) {
          await add({}, both, true)
          await add({ producerEpoch: 5 }, both, true)
          await add({ producerId: 777_777n }, both, true)
          await add({ transactionalId: world.name('missing') }, both, true)
          await client.ask(AddPartitionsToTxn, version, {
            transactions: [
              { ...producer, verifyOnly: true, topics: both },
              { ...producer, transactionalId: world.name('missing'), verifyOnly: false, topics: both },
              { ...producer, transactionalId: '', verifyOnly: false, topics: [...missing, ...both] },
            ],
          })
        }
        await add({}, both)
        await look(world, transactionalId, topic)
        await endTransaction(client, producer, false, 3)
        await untilEnded(world, transactionalId)
        if (version >= 4) await add({}, both, true)
        await add({}, both)
        await look(world, transactionalId, topic)
      }
    },
  },
  {
    name: 'transactions of the new protocol: partitions by Produce, the epoch with every end',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      for (const version of world.versions(Produce, 12)) {
        const transactionalId = world.name(`v${version}`)
        let producer = await openProducer(client, transactionalId)
        for (const committed of [true, false, true]) {
          await produceIn(client, producer, topic, 0, version)
          await produceIn(client, producer, topic, 1, version)
          await look(world, transactionalId, topic)
          const before = producer
          producer = await endTransaction(client, producer, committed)
          await untilEnded(world, transactionalId)
          await endTransaction(client, before, committed)
          await endTransaction(client, before, !committed)
          await produceIn(client, before, topic, 2, version)
          await look(world, transactionalId, topic)
        }
        // Ended without anything in it.
        producer = await endTransaction(client, producer, false)
        await untilEnded(world, transactionalId)
        await endTransaction(client, producer, true)
        await look(world, transactionalId, topic)
        producer = await endTransaction(client, producer, false)
        await untilEnded(world, transactionalId)
        await endTransaction(client, { ...producer, producerEpoch: 77 }, true)
        await endTransaction(client, { ...producer, producerId: 777_777n }, true)
        await endTransaction(client, { ...producer, transactionalId: world.name('missing') }, false)
        await endTransaction(client, { ...producer, transactionalId: '' }, false)
        // Nothing was ever in it.
        const fresh = await openProducer(client, world.name(`fresh-v${version}`))
        await endTransaction(client, fresh, true)
        await endTransaction(client, fresh, false)
        await untilEnded(world, fresh.transactionalId)
        await look(world, fresh.transactionalId, topic)
      }
    },
  },
  {
    name: 'the old and the new protocol mixed by one producer',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      const transactionalId = world.name('id')
      let producer = await openProducer(client, transactionalId)
      await produceIn(client, producer, topic, 0, 13)
      await endTransaction(client, producer, true, 4)
      await untilEnded(world, transactionalId)
      await look(world, transactionalId, topic)
      producer = await openProducer(client, transactionalId)
      await addPartitions(client, producer, topic.name, [0])
      await produceIn(client, producer, topic, 0, 11)
      producer = await endTransaction(client, producer, true, 5)
      await untilEnded(world, transactionalId)
      await look(world, transactionalId, topic)
      await produceIn(client, producer, topic, 1, 11)
      await produceIn(client, producer, topic, 0, 11)
      await look(world, transactionalId, topic)
      await produceIn(client, producer, topic, 0, 13)
      await look(world, transactionalId, topic)
    },
  },
]
