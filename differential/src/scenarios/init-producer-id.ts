/** Producer ids, with and without a transactional id. */
import { DescribeTransactions, InitProducerId } from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import { initProducer } from './transactional-producer.ts'

export const producerIds: readonly Scenario[] = [
  {
    name: 'producer ids without a transaction, in every version',
    async run(world) {
      const client = await world.client('idempotent')
      for (const version of world.versions(InitProducerId)) {
        const first = await initProducer(client, null, { version })
        await initProducer(client, null, { version, transactionTimeoutMs: 0 })
        await initProducer(client, null, { version, transactionTimeoutMs: -1 })
        const { producerId, producerEpoch } = first
        if (version < 3) continue
        await initProducer(client, null, { version, producerId, producerEpoch })
        await initProducer(client, null, { version, producerId, producerEpoch: 5 })
        await initProducer(client, null, { version, producerId: 123_456n, producerEpoch: 3 })
        await initProducer(client, null, { version, producerId })
        await initProducer(client, null, { version, producerEpoch: 1 })
        await initProducer(client, null, { version, producerId: -2n, producerEpoch: -2 })
      }
    },
  },
  {
    name: 'producer ids of transactions: given, bumped, refused, fenced, in every version',
    async run(world) {
      const client = await world.client('producer')
      for (const version of world.versions(InitProducerId)) {
        const transactionalId = world.name(`v${version}`)
        await initProducer(client, '', { version })
        await initProducer(client, transactionalId, { version, transactionTimeoutMs: 0 })
        await initProducer(client, transactionalId, { version, transactionTimeoutMs: -1 })
        await initProducer(client, transactionalId, { version, transactionTimeoutMs: 900_001 })
        const first = await initProducer(client, transactionalId, { version })
        const { producerId } = first
        await initProducer(client, transactionalId, { version })
        await initProducer(client, transactionalId, { version, transactionTimeoutMs: 900_000 })
        const looker = await world.client('looker')
        await looker.ask(DescribeTransactions, 0, { transactionalIds: [transactionalId, world.name('missing'), ''] })
        if (version < 3) continue
        const ask = (id: bigint, producerEpoch: number) =>
          initProducer(client, transactionalId, { version, producerId: id, producerEpoch })
        await ask(producerId, 2)
        await ask(producerId, 2)
        await ask(producerId, 0)
        await ask(producerId, 9)
        await ask(777_777n, 3)
        await ask(producerId, -1)
        await ask(-1n, 3)
        await ask(producerId, 3)
        await initProducer(client, world.name(`new-v${version}`), { version, producerId: 777_777n, producerEpoch: 3 })
      }
    },
  },
]
