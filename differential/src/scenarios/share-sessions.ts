/** Sessions of those who read in share groups. */
import { ShareFetch } from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import { needs, prepareGroup } from './share-members.ts'
import { Sharer, range, readyGroup, write } from './sharer.ts'

export const shareSessions: readonly Scenario[] = [
  {
    name: 'share sessions: opened, continued, wrong, forgotten, closed',
    needs,
    async run(world) {
      for (const version of world.versions(ShareFetch)) {
        const topic = await world.topic(`topic-v${version}`, 2)
        const groupId = world.name(`v${version}`)
        await prepareGroup(world, groupId, topic, 2)
        await write(world, topic, 2)
        const [one] = (await readyGroup(world, groupId, topic, 'm1')) as [Sharer]
        await one.fetch([], { version, shareSessionEpoch: 1 })
        await one.fetch([range(0n, 0n, 1)], { version, shareSessionEpoch: 0 })
        await one.fetch([], { version, shareSessionEpoch: -1 })
        await one.fetch([], { version, memberId: '' })
        await one.fetch([], { version, memberId: null })
        await one.fetch([], { version, memberId: 'unknown' })
        await one.fetch([], { version, groupId: world.name('missing') })
        await one.fetch([], { version, groupId: null })
        await one.fetch([], { version, groupId: '' })
        one.epoch = 0
        await one.fetch([], { version })
        await one.fetch([], { version, shareSessionEpoch: 99 })
        await one.fetch([], { version, shareSessionEpoch: -2 })
        await one.fetch([], { version, topics: [] })
        await one.fetch([], { version, maxWaitMs: -1 })
        await one.fetch([], { version, maxRecords: 0 })
        await one.fetch([], { version, maxBytes: 0 })
        await one.fetch([], { version, topics: [], forgottenTopicsData: [{ topicId: topic.id, partitions: [0] }] })
        await write(world, topic, 1)
        await one.fetch([], { version, topics: [] })
        await one.fetch([], { version, partition: 1 })
        await one.fetch([], { version, partition: 9 })
        await one.fetch([], { version })
        await one.fetch([], { version, shareSessionEpoch: -1, topics: [] })
        await one.fetch([], { version, shareSessionEpoch: -1, topics: [] })
        one.epoch = 0
        await one.fetch([], { version })
      }
    },
  },
]
