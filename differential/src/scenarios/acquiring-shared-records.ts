/** Which records members of share groups acquire, for how long and how often. */
import type { Scenario } from '../scenario.ts'
import { endTransaction, openProducer, produce, produceIn, untilEnded } from './transactional-producer.ts'
import { earliest, needs, setGroupConfig } from './share-members.ts'
import { Sharer, range, readyGroup, showOffsets, write } from './sharer.ts'

export const acquiringSharedRecords: readonly Scenario[] = [
  {
    name: 'records are acquired by batches and by limit, and their locks renewed',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 1)
      const groupId = world.name('group')
      await write(world, topic, 5, 1, 4, 3)
      const [one, two] = (await readyGroup(world, groupId, topic, 'm1', 'm2')) as [Sharer, Sharer]
      await one.fetch([], { maxRecords: 2, batchSize: 1 })
      await two.fetch([], { maxRecords: 2, batchSize: 1, shareAcquireMode: 1 })
      await two.fetch([], { maxRecords: 3, batchSize: 2, shareAcquireMode: 1 })
      await one.fetch([], { maxRecords: 100, batchSize: 2 })
      await one.acknowledge([range(0n, 1n, 4)], { isRenewAck: true })
      await one.acknowledge([range(0n, 1n, 4)], { isRenewAck: false })
      await one.acknowledge([range(0n, 1n, 1)], { isRenewAck: true })
      await one.acknowledge([range(2n, 3n, 4, 1)], { isRenewAck: true })
      const still = { maxWaitMs: 0, minBytes: 0, maxBytes: 0, maxRecords: 0 }
      await one.fetch([range(2n, 2n, 4)], { isRenewAck: true, ...still })
      await one.fetch([range(2n, 2n, 4)], { isRenewAck: true })
      await one.fetch([range(2n, 2n, 4)], { isRenewAck: false, ...still })
      await one.acknowledge([range(40n, 41n, 4)], { isRenewAck: true })
      await showOffsets(world, groupId, topic)
    },
  },
  {
    name: 'a record that is delivered too often is archived',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 1)
      const groupId = world.name('group')
      await write(world, topic, 2, 1)
      const [one] = (await readyGroup(world, groupId, topic, 'm1')) as [Sharer]
      for (let delivery = 0; delivery < 6; delivery++) {
        await one.fetch()
        await one.acknowledge([range(0n, 2n, 2)])
      }
      await one.fetch()
      await showOffsets(world, groupId, topic)
    },
  },
  {
    name: 'share groups read transactions, committed and not',
    needs,
    async run(world) {
      for (const level of ['read_uncommitted', 'read_committed']) {
        const topic = await world.topic(level, 1)
        const groupId = world.name(`of-${level}`)
        const client = await world.client('producer')
        await earliest(world, groupId)
        await setGroupConfig(client, groupId, 'share.isolation.level', level)
        let one = await openProducer(client, world.name(`one-${level}`))
        await produceIn(client, one, topic)
        await produce(client, { topic, values: ['plain'] })
        const [sharer] = (await readyGroup(world, groupId, topic, 'm1')) as [Sharer]
        await sharer.fetch()
        one = await endTransaction(client, one, false)
        await untilEnded(world, one.transactionalId)
        await sharer.fetch()
        await produceIn(client, one, topic)
        one = await endTransaction(client, one, true)
        await untilEnded(world, one.transactionalId)
        await sharer.fetch()
        await sharer.fetch([range(1n, 1n, 1)])
        await showOffsets(world, groupId, topic)
      }
    },
  },
]
