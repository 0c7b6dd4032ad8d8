/** Records of share groups: accepted, released, rejected, and acknowledgements that are refused. */
import { ShareAcknowledge, ShareFetch } from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import { needs } from './share-members.ts'
import { Sharer, firstDataMs, range, readyGroup, showOffsets, unknownId, write } from './sharer.ts'

export const acknowledgingSharedRecords: readonly Scenario[] = [
  {
    name: 'records are acquired, accepted, released, rejected, and delivered again',
    needs,
    async run(world) {
      for (const version of world.versions(ShareFetch)) {
        const topic = await world.topic(`topic-v${version}`, 1)
        const groupId = world.name(`v${version}`)
        await write(world, topic, 3, 1, 2)
        const [one, two] = (await readyGroup(world, groupId, topic, 'm1', 'm2')) as [Sharer, Sharer]
        await one.fetch([], { version })
        await one.fetch([], { version })
        await two.fetch([], { version })
        await one.acknowledge([range(0n, 0n, 1), range(1n, 1n, 2), range(2n, 2n, 3)], { version })
        await showOffsets(world, groupId, topic)
        await two.fetch([], { version })
        await two.fetch([range(1n, 1n, 2)], { version })
        await one.acknowledge([range(3n, 5n, 1, 2, 1)], { version })
        await one.fetch([], { version })
        await two.fetch([], { version })
        await showOffsets(world, groupId, topic)
        await one.acknowledge([range(1n, 1n, 1)], { version })
        await two.acknowledge([range(1n, 1n, 1)], { version })
        await two.fetch([range(4n, 4n, 1)], { version })
        await one.fetch([range(4n, 4n, 1)], { version })
        await showOffsets(world, groupId, topic)
      }
    },
  },
  {
    name: 'acknowledgements that may not be',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 1)
      const groupId = world.name('group')
      await write(world, topic, 3, 3)
      const [one, two] = (await readyGroup(world, groupId, topic, 'm1', 'm2')) as [Sharer, Sharer]
      await two.fetch([], { maxRecords: 1, shareAcquireMode: 1, maxWaitMs: firstDataMs })
      await one.fetch()
      for (const version of world.versions(ShareAcknowledge)) {
        await one.acknowledge([range(0n, 0n, 1)], { version })
        await one.acknowledge([range(2n, 1n, 1)], { version })
        await one.acknowledge([range(50n, 60n, 1)], { version })
        await one.acknowledge([range(-1n, 2n, 1)], { version })
        await one.acknowledge([range(1n, 2n, 1, 1, 1)], { version })
        await one.acknowledge([range(1n, 2n)], { version })
        await one.acknowledge([range(1n, 2n, 9)], { version })
        await one.acknowledge([range(1n, 2n, -1)], { version })
        await one.acknowledge([range(1n, 2n, 4)], { version })
        await one.acknowledge([range(1n, 2n, 0)], { version, isRenewAck: false })
        await one.acknowledge([range(3n, 3n, 1), range(3n, 3n, 1)], { version })
        await one.acknowledge([range(4n, 4n, 1), range(3n, 3n, 1)], { version })
        await one.acknowledge([], { version })
        await one.acknowledge([], { version, topics: [] })
        await one.acknowledge([range(1n, 1n, 1)], { version, partition: 9 })
        await one.acknowledge([], {
          version,
          topics: [
            { topicId: unknownId, partitions: [{ partitionIndex: 0, acknowledgementBatches: [range(1n, 1n, 1)] }] },
          ],
        })
        await one.acknowledge([range(1n, 1n, 1)], { version, shareSessionEpoch: 0 })
        await one.acknowledge([range(1n, 1n, 1)], { version, shareSessionEpoch: 99 })
        await one.acknowledge([range(1n, 1n, 1)], { version, memberId: 'unknown' })
        await one.acknowledge([range(1n, 1n, 1)], { version, memberId: null })
        await one.acknowledge([range(1n, 1n, 1)], { version, memberId: '' })
        await one.acknowledge([range(1n, 1n, 1)], { version, groupId: world.name('missing') })
        await one.acknowledge([range(1n, 1n, 1)], { version, groupId: null })
        await one.acknowledge([range(1n, 1n, 1)], { version, groupId: '' })
      }
      await showOffsets(world, groupId, topic)
      await one.acknowledge([], { shareSessionEpoch: -1, topics: [] })
      await one.acknowledge([range(5n, 5n, 1)])
      await two.fetch()
    },
  },
]
