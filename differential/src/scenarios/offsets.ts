/** Offsets of groups: committed, fetched, deleted, with and without members; groups deleted. */
import {
  DeleteGroups,
  JoinGroup,
  LeaveGroup,
  ListGroups,
  OffsetCommit,
  OffsetDelete,
  OffsetFetch,
  type RequestInput,
} from '@millrace/protocol'
import type { Scenario } from '../scenario.ts'
import type { Topic, World } from '../world.ts'
import { describe, joinRequest, joinWithId, stableGroup, subscription } from './classic-groups.ts'

type Committer = Omit<RequestInput<typeof OffsetCommit>, 'topics'>

/** `offsets` by partition. */
export function commitRequest(
  committer: Committer,
  topic: Topic,
  offsets: Readonly<Record<number, bigint>>,
  metadata: string | null = 'm',
): RequestInput<typeof OffsetCommit> {
  const partitions = Object.entries(offsets).map(([partition, committedOffset]) => ({
    partitionIndex: Number(partition),
    committedOffset,
    committedLeaderEpoch: 3,
    committedMetadata: metadata,
  }))
  return { ...committer, topics: [{ name: topic.name, topicId: topic.id, partitions }] }
}

/** The same in the old and the new form. */
export function fetchRequest(
  groupId: string,
  topics: readonly { name: string; topicId: string; partitionIndexes: number[] }[] | null,
  more: { memberId?: string; memberEpoch?: number; requireStable?: boolean } = {},
): RequestInput<typeof OffsetFetch> {
  const { requireStable = false, ...member } = more
  const old = topics === null ? null : topics.map(({ name, partitionIndexes }) => ({ name, partitionIndexes }))
  return { groupId, topics: old, groups: [{ groupId, ...member, topics }], requireStable }
}

async function fetchAll(world: World, groupId: string, topic: Topic): Promise<void> {
  const client = await world.client('fetcher')
  for (const version of world.versions(OffsetFetch)) {
    const some = [{ name: topic.name, topicId: topic.id, partitionIndexes: [1, 0, 5] }]
    for (const requireStable of [false, true])
      await client.ask(OffsetFetch, version, fetchRequest(groupId, some, { requireStable }))
    if (version >= 2) await client.ask(OffsetFetch, version, fetchRequest(groupId, null))
    await client.ask(OffsetFetch, version, fetchRequest(groupId, []))
  }
}

const unknownId = 'AAECAwQFBgcICQoLDA0ODw'

export const offsets: readonly Scenario[] = [
  {
    name: 'offsets without a group are committed and fetched, in every version',
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('simple')
      for (const version of world.versions(OffsetCommit)) {
        const groupId = world.name(`v${version}`)
        const committer = { groupId, memberId: '', generationIdOrMemberEpoch: -1 }
        await client.ask(OffsetCommit, version, commitRequest(committer, topic, { 0: 5n, 1: 7n }))
        await client.ask(OffsetCommit, version, commitRequest(committer, topic, { 0: 4n }, null))
        await client.ask(OffsetCommit, version, commitRequest(committer, topic, { 0: -1n }, ''))
        await client.ask(
          OffsetCommit,
          version,
          commitRequest(committer, topic, { 0: 9n, 7: 1n, 1: 2n }, 'x'.repeat(10)),
        )
        await client.ask(OffsetCommit, version, commitRequest(committer, topic, { 1: 9n }, 'x'.repeat(4097)))
        await client.ask(OffsetCommit, version, commitRequest(committer, topic, { 1: 8n }, 'x'.repeat(4096)))
        await client.ask(OffsetCommit, version, { ...committer, topics: [] })
        await client.ask(OffsetCommit, version, commitRequest({ ...committer, groupId: '' }, topic, { 0: 5n }))
        await fetchAll(world, groupId, topic)
        await describe(world, groupId)
      }
      for (const version of world.versions(ListGroups))
        await client.ask(ListGroups, version, { statesFilter: [], typesFilter: [] })
    },
  },
  {
    name: 'commits to topics that do not exist, and mixed with ones that do',
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('simple')
      const missing = { name: world.name('missing'), id: unknownId }
      for (const version of world.versions(OffsetCommit)) {
        const committer = { groupId: world.name(`v${version}`), memberId: '', generationIdOrMemberEpoch: -1 }
        await client.ask(OffsetCommit, version, commitRequest(committer, missing, { 0: 5n }))
        const topics = [
          ...commitRequest(committer, missing, { 0: 5n, 1: 1n }).topics,
          ...commitRequest(committer, topic, { 1: 6n, 9: 1n }).topics,
          ...commitRequest(committer, { name: world.name('other'), id: 'AQECAwQFBgcICQoLDA0ODw' }, { 0: 5n }).topics,
        ]
        await client.ask(OffsetCommit, version, { ...committer, topics })
        await client.ask(OffsetCommit, version, commitRequest(committer, { name: 'a/b', id: unknownId }, { 0: 5n }))
        await fetchAll(world, committer.groupId, missing)
      }
    },
  },
  {
    name: 'commits with a retention time and a timestamp of their own, in the versions that have them',
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('simple')
      for (const version of world.versions(OffsetCommit).filter((one) => one <= 4)) {
        const committer = { groupId: world.name(`v${version}`), memberId: '', generationIdOrMemberEpoch: -1 }
        for (const retentionTimeMs of [-1n, 0n, 60_000n])
          await client.ask(OffsetCommit, version, commitRequest({ ...committer, retentionTimeMs }, topic, { 0: 5n }))
      }
    },
  },
  {
    name: 'commits of members: right, and with the wrong member, generation, instance or state',
    async run(world) {
      const topic = await world.topic('topic')
      const groupId = world.name('group')
      const { memberId, generationId } = await stableGroup(world, groupId)
      const statics = world.name('statics')
      const fixed = await stableGroup(world, statics, { groupInstanceId: 'i1' })
      const client = await world.client('committer')
      for (const version of world.versions(OffsetCommit)) {
        const commit = (change: Partial<Committer>) =>
          client.ask(
            OffsetCommit,
            version,
            commitRequest({ groupId, memberId, generationIdOrMemberEpoch: generationId, ...change }, topic, { 0: 1n }),
          )
        await commit({})
        await commit({ memberId: '' })
        await commit({ memberId: 'unknown' })
        await commit({ memberId: '', generationIdOrMemberEpoch: -1 })
        await commit({ generationIdOrMemberEpoch: generationId + 1 })
        await commit({ generationIdOrMemberEpoch: 0 })
        await commit({ generationIdOrMemberEpoch: -1 })
        await commit({ groupId: world.name('missing') })
        await commit({ groupId: world.name('missing'), memberId: '', generationIdOrMemberEpoch: 0 })
        await commit({ groupId: world.name('simple'), memberId: 'any', generationIdOrMemberEpoch: -1 })
        await commit({ groupInstanceId: 'unknown' })
        const identity = { groupId: statics, groupInstanceId: 'i1', generationIdOrMemberEpoch: fixed.generationId }
        await commit({ ...identity, memberId: fixed.memberId })
        await commit({ ...identity, memberId: 'unknown' })
        await commit({ ...identity, memberId: '' })
        await commit({ ...identity, memberId: fixed.memberId, groupInstanceId: null })
        await commit({ ...identity, memberId: fixed.memberId, generationIdOrMemberEpoch: 9 })
      }
      // While the group waits for its leader's assignment, and while it waits for its members.
      const leader = await world.client('leader')
      const again = await leader.ask(JoinGroup, 9, joinRequest({ groupId, memberId }))
      await client.ask(
        OffsetCommit,
        7,
        commitRequest({ groupId, memberId, generationIdOrMemberEpoch: again.generationId }, topic, { 0: 2n }),
      )
      await client.ask(
        OffsetCommit,
        7,
        commitRequest({ groupId, memberId, generationIdOrMemberEpoch: generationId }, topic, { 0: 2n }),
      )
      const other = await world.client('other')
      const asked = await other.ask(JoinGroup, 9, joinRequest({ groupId }))
      const joining = other.send(JoinGroup, 9, joinRequest({ groupId, memberId: asked.memberId }))
      await world.barrier()
      await joining.isParked()
      for (const generationIdOrMemberEpoch of [again.generationId, generationId, -1])
        await client.ask(
          OffsetCommit,
          7,
          commitRequest({ groupId, memberId, generationIdOrMemberEpoch }, topic, { 0: 3n }),
        )
      await client.ask(
        OffsetCommit,
        7,
        commitRequest({ groupId, memberId: asked.memberId, generationIdOrMemberEpoch: -1 }, topic, { 0: 4n }),
      )
      await fetchAll(world, groupId, topic)
    },
  },
  {
    name: 'offsets are fetched for several groups, unknown ones, unknown topics, and with a member',
    async run(world) {
      const topic = await world.topic('topic')
      const client = await world.client('fetcher')
      const groupId = world.name('group')
      const { memberId, generationId } = await stableGroup(world, groupId)
      const committer = { groupId, memberId, generationIdOrMemberEpoch: generationId }
      await client.ask(OffsetCommit, 9, commitRequest(committer, topic, { 0: 1n, 1: 2n }))
      for (const version of world.versions(OffsetFetch)) {
        await client.ask(OffsetFetch, version, fetchRequest('', []))
        await client.ask(
          OffsetFetch,
          version,
          fetchRequest(world.name('missing'), [{ name: 'x', topicId: unknownId, partitionIndexes: [0] }]),
        )
        if (version >= 2) await client.ask(OffsetFetch, version, fetchRequest(world.name('missing'), null))
        if (version >= 8) {
          const topics = [
            { name: topic.name, topicId: topic.id, partitionIndexes: [0, 0] },
            { name: 'x', topicId: unknownId, partitionIndexes: [0, 1] },
            { name: topic.name, topicId: topic.id, partitionIndexes: [1] },
          ]
          await client.ask(OffsetFetch, version, {
            groups: [
              { groupId: world.name('missing'), topics: null },
              { groupId, topics },
              { groupId, topics: null },
              { groupId: '', topics },
            ],
            requireStable: true,
          })
          await client.ask(OffsetFetch, version, { groups: [], requireStable: false })
        }
        for (const member of [
          { memberId, memberEpoch: generationId },
          { memberId, memberEpoch: 9 },
          { memberId: 'unknown', memberEpoch: 1 },
          { memberId: '', memberEpoch: -1 },
          { memberId, memberEpoch: -1 },
        ])
          if (version >= 9) await client.ask(OffsetFetch, version, fetchRequest(groupId, null, member))
      }
    },
  },
  {
    name: 'offsets are deleted, but not of topics that members subscribe to',
    async run(world) {
      const topic = await world.topic('topic')
      const other = await world.topic('other')
      const client = await world.client('deleter')
      const groupId = world.name('group')
      const remove = (group: string, ...topics: RequestInput<typeof OffsetDelete>['topics'][number][]) =>
        client.ask(OffsetDelete, 0, { groupId: group, topics })
      const partitions = [{ partitionIndex: 1 }, { partitionIndex: 0 }, { partitionIndex: 9 }]
      await remove('', { name: topic.name, partitions })
      await remove(world.name('missing'), { name: topic.name, partitions })
      const joined = await stableGroup(world, groupId, {
        protocols: [{ name: 'range', metadata: subscription(topic.name) }],
      })
      const { memberId, generationId } = joined
      for (const one of [topic, other])
        await client.ask(
          OffsetCommit,
          9,
          commitRequest({ groupId, memberId, generationIdOrMemberEpoch: generationId }, one, { 0: 1n, 1: 2n }),
        )
      await remove(
        groupId,
        { name: topic.name, partitions },
        { name: other.name, partitions },
        { name: world.name('missing'), partitions },
      )
      await fetchAll(world, groupId, other)
      await fetchAll(world, groupId, topic)
      await remove(groupId)
      await client.ask(DeleteGroups, 2, { groupsNames: [groupId] })
      await client.ask(LeaveGroup, 5, { groupId, members: [{ memberId }] })
      await remove(groupId, { name: topic.name, partitions })
      await fetchAll(world, groupId, topic)
      await describe(world, groupId)
      for (const version of world.versions(DeleteGroups))
        await client.ask(DeleteGroups, version, { groupsNames: [groupId, '', world.name('missing'), groupId] })
      await describe(world, groupId)
      // A group whose protocol is not that of consumers.
      const workers = world.name('workers')
      const joinedWorker = await joinWithId(world, 'worker', { groupId: workers, protocolType: 'connect' })
      await remove(workers, { name: topic.name, partitions })
      await describe(world, workers)
      await client.ask(LeaveGroup, 5, { groupId: workers, members: [{ memberId: joinedWorker.memberId }] })
      await remove(workers, { name: topic.name, partitions })
      // A group with offsets only, its last one deleted.
      const simple = world.name('simple')
      const committer = { groupId: simple, memberId: '', generationIdOrMemberEpoch: -1 }
      await client.ask(OffsetCommit, 9, commitRequest(committer, topic, { 0: 1n }))
      await remove(simple, { name: topic.name, partitions: [{ partitionIndex: 0 }] })
      await describe(world, simple)
      await client.ask(DeleteGroups, 2, { groupsNames: [simple] })
    },
  },
]
