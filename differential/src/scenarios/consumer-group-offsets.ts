/** Offsets of consumer groups, with right and wrong epochs. */
import { DeleteGroups, OffsetCommit, OffsetDelete, OffsetFetch, TxnOffsetCommit } from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import { commitRequest, fetchRequest } from './offsets.ts'
import { openProducer } from './transactional-producer.ts'
import {
  beat,
  describeNewest,
  join,
  knownTopic,
  needs,
  reconcile,
  sendHeartbeat,
  show,
  twoMembers,
} from './consumer-members.ts'

export const consumerGroupOffsets: readonly Scenario[] = [
  {
    name: 'offsets of a consumer group',
    needs,
    async run(world) {
      const topic = await knownTopic(world, 't', 4)
      const groupId = world.name('group')
      const client = await world.client('members')
      const commit = (version: number, memberId: string, generationIdOrMemberEpoch: number, indexes = [0, 1, 2, 3]) =>
        client.ask(OffsetCommit, version, {
          groupId,
          memberId,
          generationIdOrMemberEpoch,
          topics: [
            {
              ...(version >= 10 ? { topicId: topic.id } : { name: topic.name }),
              partitions: indexes.map((partitionIndex) => ({
                partitionIndex,
                committedOffset: 1n,
                committedMetadata: '',
              })),
            },
          ],
        })
      const fetch = (memberId: string | null, memberEpoch: number) =>
        client.ask(OffsetFetch, 9, {
          groups: [{ groupId, memberId, memberEpoch, topics: [{ name: topic.name, partitionIndexes: [0, 3] }] }],
          requireStable: false,
        })
      await commit(9, '', -1)
      const epoch = await twoMembers(world, groupId, topic)
      for (const version of world.versions(OffsetCommit, 8)) {
        for (const memberEpoch of [epoch + 1, epoch, epoch - 1, epoch - 2, 0, -1]) {
          await commit(version, 'a', memberEpoch)
          await commit(version, 'b', memberEpoch)
        }
        await commit(version, '', -1)
        await commit(version, 'c', epoch)
      }
      for (const memberEpoch of [epoch + 1, epoch, epoch - 1, -1]) await fetch('a', memberEpoch)
      await fetch('c', epoch)
      await fetch(null, -1)
      const topics = [{ name: topic.name, partitions: [{ partitionIndex: 0 }] }]
      await client.ask(OffsetDelete, 0, { groupId, topics })
      const admin = await world.client('admin')
      await admin.ask(DeleteGroups, 2, { groupsNames: [groupId] })
      await sendHeartbeat(world, { groupId, memberId: 'a', memberEpoch: -1 })
      await sendHeartbeat(world, { groupId, memberId: 'b', memberEpoch: -1 })
      await commit(9, '', -1, [2])
      await client.ask(OffsetDelete, 0, { groupId, topics })
      await admin.ask(DeleteGroups, 2, { groupsNames: [groupId] })
      await describeNewest(world, groupId)
      await fetch(null, -1)
    },
  },
  {
    name: 'offsets of consumer members: committed and fetched with right and wrong epochs, in every version',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 3)
      const groupId = world.name('group')
      const one = await reconcile(world, groupId, await join(world, groupId, 'm1', [topic]))
      const epoch = one.memberEpoch
      const client = await world.client('committer')
      for (const version of world.versions(OffsetCommit)) {
        const commit = (memberId: string, generationIdOrMemberEpoch: number, groupInstanceId: string | null = null) =>
          client.ask(
            OffsetCommit,
            version,
            commitRequest(
              { groupId, memberId, generationIdOrMemberEpoch, ...(version >= 7 ? { groupInstanceId } : {}) },
              topic,
              { 0: 1n },
            ),
          )
        await commit('m1', epoch)
        await commit('m1', epoch + 1)
        await commit('m1', epoch - 1)
        await commit('m1', -1)
        await commit('unknown', epoch)
        await commit('', -1)
        await commit('', epoch)
        await commit('m1', epoch, 'i1')
        await commit('unknown', -1)
      }
      for (const version of world.versions(OffsetFetch, 2)) {
        await client.ask(OffsetFetch, version, fetchRequest(groupId, null))
        if (version < 9) continue
        for (const [memberId, memberEpoch] of [
          ['m1', epoch],
          ['m1', epoch + 1],
          ['m1', epoch - 1],
          ['unknown', epoch],
          ['m1', -1],
          ['', -1],
          ['', 3],
        ] as const)
          await client.ask(OffsetFetch, version, fetchRequest(groupId, null, { memberId, memberEpoch }))
      }
      const producer = await openProducer(client, world.name('producer'))
      for (const version of world.versions(TxnOffsetCommit, 3))
        for (const [memberId, memberEpoch] of [
          ['m1', epoch],
          ['m1', epoch + 1],
          ['m1', epoch - 1],
          ['unknown', epoch],
          ['', -1],
        ] as const)
          await client.ask(TxnOffsetCommit, version, {
            ...producer,
            groupId,
            memberId,
            generationIdOrMemberEpoch: memberEpoch,
            topics: [
              {
                name: topic.name,
                partitions: [{ partitionIndex: 0, committedOffset: 5n, committedMetadata: '' }],
              },
            ],
          })
      await client.ask(OffsetDelete, 0, {
        groupId,
        topics: [{ name: topic.name, partitions: [{ partitionIndex: 0 }] }],
      })
      await client.ask(DeleteGroups, 2, { groupsNames: [groupId] })
      await beat(world, groupId, { memberId: 'm1', memberEpoch: -1 })
      for (const version of world.versions(OffsetCommit)) {
        const commit = (memberId: string, generationIdOrMemberEpoch: number) =>
          client.ask(
            OffsetCommit,
            version,
            commitRequest({ groupId, memberId, generationIdOrMemberEpoch }, topic, { 0: 1n }),
          )
        await commit('', -1)
        await commit('m1', epoch)
      }
      await client.ask(DeleteGroups, 2, { groupsNames: [groupId] })
      await show(world, groupId)
    },
  },
  {
    name: 'an older epoch may still commit what it owned since then',
    needs,
    async run(world) {
      const topic = await world.topic('topic', 4)
      const groupId = world.name('group')
      const client = await world.client('committer')
      const m1 = await reconcile(world, groupId, await join(world, groupId, 'm1', [topic]))
      await join(world, groupId, 'm2', [topic])
      const told = await beat(world, groupId, { memberId: 'm1', memberEpoch: m1.memberEpoch })
      const kept = told.assignment?.topicPartitions ?? []
      const now = await beat(world, groupId, { memberId: 'm1', memberEpoch: told.memberEpoch, topicPartitions: kept })
      const m2 = await beat(world, groupId, { memberId: 'm2', memberEpoch: 2 })
      await reconcile(world, groupId, m2)
      for (const version of [9, 10])
        for (const [memberId, epoch] of [
          ['m1', now.memberEpoch],
          ['m1', m1.memberEpoch],
          ['m1', 0],
          ['m2', m2.memberEpoch],
          ['m2', 1],
          ['m2', 3],
        ] as const)
          await client.ask(
            OffsetCommit,
            version,
            commitRequest({ groupId, memberId, generationIdOrMemberEpoch: epoch }, topic, {
              0: 1n,
              1: 1n,
              2: 1n,
              3: 1n,
              9: 1n,
            }),
          )
    },
  },
]
