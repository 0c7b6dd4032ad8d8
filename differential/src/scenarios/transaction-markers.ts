/** Markers that come from outside of the coordinator. */
import { WriteTxnMarkers } from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import { type Producer, endTransaction, look, openProducer, produceIn, untilEnded } from './transactional-producer.ts'

export const transactionMarkers: readonly Scenario[] = [
  {
    name: 'markers written from outside, as by kafka-transactions abort, in every version',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      for (const version of world.versions(WriteTxnMarkers)) {
        const mark = (producer: Producer, change: object = {}, partitionIndexes = [0]) =>
          client.ask(WriteTxnMarkers, version, {
            markers: [
              {
                producerId: producer.producerId,
                producerEpoch: producer.producerEpoch,
                transactionResult: false,
                topics: [{ name: topic.name, partitionIndexes }],
                coordinatorEpoch: 0,
                transactionVersion: 0,
                ...change,
              },
            ],
          })
        for (const transactionVersion of version >= 2 ? [0, 1, 2] : [0]) {
          const producer = await openProducer(client, world.name(`v${version}-${transactionVersion}`))
          await mark(producer, { transactionVersion })
          await produceIn(client, producer, topic, 0, 13)
          await mark(producer, { transactionVersion, producerEpoch: 9 })
          await look(world, producer.transactionalId, topic)
          const other = await openProducer(client, world.name(`other-v${version}-${transactionVersion}`))
          await produceIn(client, other, topic, 0, 13)
          await mark(other, { transactionVersion, producerEpoch: -1 })
          await mark(other, { transactionVersion, coordinatorEpoch: -1 })
          await look(world, other.transactionalId, topic)
          await mark(other, { transactionVersion, coordinatorEpoch: 7 }, [0, 9])
          await mark(other, { transactionVersion, coordinatorEpoch: 6 })
          await mark(other, { transactionVersion, topics: [{ name: world.name('missing'), partitionIndexes: [0] }] })
          await mark(other, { transactionVersion, topics: [] })
          await look(world, other.transactionalId, topic)
          // Those of a coordinator that is fenced by the epoch 7 stay prepared.
          await endTransaction(client, other, true)
          if (transactionVersion === 2) await untilEnded(world, other.transactionalId)
          await look(world, other.transactionalId, topic)
        }
        await client.ask(WriteTxnMarkers, version, { markers: [] })
        const twice = await openProducer(client, world.name(`twice-v${version}`))
        const marker = (partition: number) => ({
          producerId: twice.producerId,
          producerEpoch: 0,
          transactionResult: true,
          topics: [{ name: topic.name, partitionIndexes: [partition] }],
          coordinatorEpoch: 0,
          transactionVersion: 0,
        })
        await client.ask(WriteTxnMarkers, version, { markers: [marker(0), marker(1), marker(0)] })
      }
    },
  },
]
