/** Producers that a newer one fences. */
import { AddOffsetsToTxn, InitProducerId } from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import { addPartitions, endTransaction, initProducer, look, openProducer, produceIn } from './transactional-producer.ts'

export const fencedProducers: readonly Scenario[] = [
  {
    name: 'a newer producer fences the older one, with a transaction open and without',
    usesNewTransactions: true,
    async run(world) {
      const topic = await world.topic('topic')
      for (const version of world.versions(InitProducerId)) {
        const transactionalId = world.name(`v${version}`)
        const old = await world.client('old')
        const client = await world.client('new')
        const first = await openProducer(old, transactionalId)
        await produceIn(old, first, topic, 0, 13)
        const second = await initProducer(client, transactionalId, { version })
        await look(world, transactionalId, topic)
        await produceIn(old, first, topic, 1, 13)
        await produceIn(old, first, topic, 1, 11)
        await addPartitions(old, first, topic.name, [0])
        await endTransaction(old, first, true)
        await endTransaction(old, first, true, 1)
        await endTransaction(old, first, true, 2)
        await old.ask(AddOffsetsToTxn, 4, { ...first, groupId: world.name('group') })
        await old.ask(AddOffsetsToTxn, 1, { ...first, groupId: world.name('group') })
        await initProducer(old, transactionalId, { ...first, version: 5 })
        await initProducer(old, transactionalId, { ...first, version: 3 })
        await produceIn(client, { ...first, ...second, transactionalId }, topic, 0, 13)
        await look(world, transactionalId, topic)
      }
    },
  },
]
