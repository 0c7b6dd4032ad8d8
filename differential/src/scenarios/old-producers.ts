/** Producers that know the old protocol only. */
import { AddOffsetsToTxn, OffsetFetch, TxnOffsetCommit } from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import { fetchRequest } from './offsets.ts'
import {
  addPartitions,
  endTransaction,
  initProducer,
  look,
  openProducer,
  produce,
  produceIn,
  untilAborted,
  untilEnded,
} from './transactional-producer.ts'

export const oldProducers: readonly Scenario[] = [
  {
    name: 'producers of the old protocol only: fenced, timed out, with offsets, mixed into a group',
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('producer')
      const fenced = await openProducer(client, world.name('fenced'))
      await addPartitions(client, fenced, topic.name, [0])
      await produceIn(client, fenced, topic, 0, 11)
      const newer = { ...fenced, ...(await initProducer(client, fenced.transactionalId, { version: 4 })) }
      await look(world, fenced.transactionalId, topic)
      await produceIn(client, fenced, topic, 1, 11)
      await addPartitions(client, fenced, topic.name, [0])
      for (const version of [0, 1, 2, 3, 4]) await endTransaction(client, fenced, true, version)
      for (const version of [3, 4])
        await initProducer(client, fenced.transactionalId, {
          version,
          producerId: fenced.producerId,
          producerEpoch: fenced.producerEpoch,
        })
      const groupId = world.name('group')
      const now = { ...fenced, producerId: newer.producerId, producerEpoch: newer.producerEpoch }
      await client.ask(AddOffsetsToTxn, 3, { ...now, groupId })
      await client.ask(TxnOffsetCommit, 3, {
        ...now,
        groupId,
        memberId: '',
        generationIdOrMemberEpoch: -1,
        topics: [{ name: topic.name, partitions: [{ partitionIndex: 0, committedOffset: 5n, committedMetadata: '' }] }],
      })
      const wanted = [{ name: topic.name, topicId: topic.id, partitionIndexes: [0, 1] }]
      for (const requireStable of [false, true])
        await client.ask(OffsetFetch, 9, fetchRequest(groupId, wanted, { requireStable }))
      await look(world, now.transactionalId, topic)
      await endTransaction(client, now, true, 3)
      await untilEnded(world, now.transactionalId)
      await client.ask(OffsetFetch, 9, fetchRequest(groupId, wanted, { requireStable: true }))
      await look(world, now.transactionalId, topic)
      const slowId = world.name('slow')
      const { producerId, producerEpoch } = await initProducer(client, slowId, { transactionTimeoutMs: 100 })
      const slow = { transactionalId: slowId, producerId, producerEpoch }
      await addPartitions(client, slow, topic.name, [0, 1])
      await untilAborted(client, slowId)
      await look(world, slowId, topic)
      await endTransaction(client, slow, true, 3)
      await initProducer(client, slowId, { version: 4, producerId, producerEpoch })
      await initProducer(client, slowId, {})
      await look(world, slowId, topic)
    },
  },
  {
    name: 'a producer whose partition was refused goes on with the next sequence',
    async run(world) {
      const topic = await world.topic('topic', 1)
      const client = await world.client('producer')
      const producer = await openProducer(client, world.name('id'))
      await produceIn(client, producer, topic, 0, 11)
      await produce(client, { ...producer, topic, version: 11, baseSequence: 1, transactionalId: null })
    },
  },
]
