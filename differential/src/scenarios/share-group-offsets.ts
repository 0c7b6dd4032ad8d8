/** Offsets of share groups: described, altered, deleted. */
import {
  AlterShareGroupOffsets,
  DeleteGroups,
  DeleteShareGroupOffsets,
  DescribeShareGroupOffsets,
  type RequestInput,
} from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import { beat, join, needs, prepareGroup, show } from './share-members.ts'
import { Sharer, range, readyGroup, showOffsets, write } from './sharer.ts'

export const shareGroupOffsets: readonly Scenario[] = [
  {
    name: 'offsets of share groups are described, altered and deleted',
    needs: [...needs, AlterShareGroupOffsets, DeleteShareGroupOffsets, DescribeShareGroupOffsets],
    async run(world) {
      const topic = await world.topic('topic', 2)
      const groupId = world.name('group')
      const client = await world.client('alterer')
      const alter = (group: string, ...topics: RequestInput<typeof AlterShareGroupOffsets>['topics'][number][]) =>
        client.ask(AlterShareGroupOffsets, 0, { groupId: group, topics })
      const remove = (group: string, ...names: string[]) =>
        client.ask(DeleteShareGroupOffsets, 0, {
          groupId: group,
          topics: names.map((topicName) => ({ topicName })),
        })
      const partitions = [
        { partitionIndex: 0, startOffset: 1n },
        { partitionIndex: 9, startOffset: 1n },
      ]
      await write(world, topic, 4)
      await alter('', { topicName: topic.name, partitions })
      await alter(world.name('missing'), { topicName: topic.name, partitions })
      await remove('', topic.name)
      await remove(world.name('missing'), topic.name)
      await showOffsets(world, world.name('missing'), topic)
      await prepareGroup(world, groupId, topic, 2)
      const [one] = (await readyGroup(world, groupId, topic, 'm1')) as [Sharer]
      await alter(groupId, { topicName: topic.name, partitions })
      await remove(groupId, topic.name)
      await one.fetch()
      await one.acknowledge([range(0n, 1n, 1)])
      await showOffsets(world, groupId, topic)
      await beat(world, groupId, { memberEpoch: -1 })
      await alter(groupId)
      await alter(groupId, { topicName: topic.name, partitions: [{ partitionIndex: 0, startOffset: 1n }] })
      await showOffsets(world, groupId, topic)
      await alter(groupId, {
        topicName: topic.name,
        partitions: [
          { partitionIndex: 0, startOffset: 3n },
          { partitionIndex: 1, startOffset: 0n },
        ],
      })
      await alter(groupId, { topicName: topic.name, partitions: [{ partitionIndex: 0, startOffset: -5n }] })
      await alter(groupId, { topicName: topic.name, partitions })
      await alter(groupId, { topicName: world.name('missing'), partitions })
      await showOffsets(world, groupId, topic)
      await join(world, groupId, 'm2', [topic])
      const again = new Sharer(world, groupId, 'm2', topic)
      await again.fetch()
      await beat(world, groupId, { memberId: 'm2', memberEpoch: -1 })
      await remove(groupId, topic.name, world.name('missing'))
      await showOffsets(world, groupId, topic)
      await show(world, groupId)
    },
  },
  {
    name: 'offsets of a share group are deleted, but of nothing',
    needs: [...needs, AlterShareGroupOffsets, DeleteShareGroupOffsets],
    recordsDiffer: 'Kafka writes down what the group has once more',
    async run(world) {
      const topic = await world.topic('topic', 1)
      const groupId = world.name('group')
      await prepareGroup(world, groupId, topic)
      const client = await world.client('deleter')
      await client.ask(DeleteShareGroupOffsets, 0, { groupId, topics: [] })
      await client.ask(DeleteShareGroupOffsets, 0, { groupId, topics: [{ topicName: world.name('missing') }] })
      for (let round = 0; round < 2; round++)
        await client.ask(DeleteShareGroupOffsets, 0, { groupId, topics: [{ topicName: topic.name }] })
      await showOffsets(world, groupId, topic)
      await client.ask(DeleteGroups, 2, { groupsNames: [groupId] })
    },
  },
]
