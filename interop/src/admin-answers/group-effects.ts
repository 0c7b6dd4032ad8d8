// What our admin does to groups and their offsets, and what comes of it.
import { ErrorCode, settled, type KafkaError } from '@millrace/client'
import { eventually } from '../checks/eventually.ts'
import { expectEqual, expectTrue } from '../expect.ts'
import type { Effect } from './effect.ts'
import { codeOf, type Stage } from './stage.ts'

export function groupEffects(stage: Stage): readonly Effect[] {
  return [
    ...(['classic', 'consumer'] as const).map((protocol) => ({
      what: `a ${protocol} group: members are removed, offsets set and deleted, the group deleted`,
      run: () => consumerGroup(stage, protocol),
    })),
    { what: 'a share group: offsets set and deleted, the group deleted', run: () => shareGroup(stage) },
    { what: 'groups are listed by type, state and protocol', run: () => listing(stage) },
  ]
}

async function consumerGroup({ kafka, admin, cluster }: Stage, groupProtocol: 'classic' | 'consumer'): Promise<void> {
  const groupId = `changing-${groupProtocol}`
  const topic = `read-by-${groupId}`
  await admin.createTopics([{ name: topic, numPartitions: 2 }])
  const partition = (number: number) => ({ topic, partition: number })
  await withMembers({ kafka, admin, cluster }, { groupId, topic, groupProtocol })
  await eventually(async () => {
    await admin.alterGroupOffsets(groupId, [
      { ...partition(0), offset: 3n, leaderEpoch: 0, metadata: 'three' },
      { ...partition(1), offset: 4n },
    ])
  }, 20_000)
  const [all, some] = await admin.listGroupOffsets([
    { groupId, partitions: [partition(1), { topic, partition: 9 }] },
    'no-such-group',
  ])
  expectEqual(
    all.offsets.map(({ offset }) => String(offset)),
    ['4', 'null'],
    'of some partitions',
  )
  expectEqual(some.offsets, [], 'of no group')
  expectEqual(
    (await admin.listGroupOffsets([groupId], { requireStable: true }))[0].offsets
      .map(({ metadata }) => metadata)
      .toSorted(),
    ['', 'three'],
    'metadata',
  )
  await admin.deleteGroupOffsets(groupId, [partition(0)])
  expectEqual(
    (await admin.listGroupOffsets([groupId]))[0].offsets.map(({ partition: one }) => one),
    [1],
    'left',
  )
  expectEqual(
    await codeOf(admin.deleteGroupOffsets('no-such-group', [partition(0)])),
    ErrorCode.GROUP_ID_NOT_FOUND,
    'of no group',
  )
  await admin.deleteGroups([groupId])
  expectEqual(await codeOf(admin.describeConsumerGroups([groupId])), ErrorCode.GROUP_ID_NOT_FOUND, 'after deleting')
}

/** What may not be done while there are members, and how they are removed. */
async function withMembers(
  { kafka, admin }: Stage,
  { groupId, topic, groupProtocol }: { groupId: string; topic: string; groupProtocol: 'classic' | 'consumer' },
): Promise<void> {
  await using consumer = kafka.consumer({
    groupId,
    topics: [topic],
    groupProtocol,
    enableAutoCommit: false,
    groupInstanceId: 'i',
  })
  void consumer[Symbol.asyncIterator]().next()
  await eventually(async () => {
    const [group] = await admin.describeConsumerGroups([groupId])
    expectEqual(group.type, groupProtocol, 'type')
    expectEqual(group.members[0]?.assignment.length, 2, 'partitions')
  }, 20_000)
  expectEqual(await codeOf(admin.deleteGroups([groupId])), ErrorCode.NON_EMPTY_GROUP, 'deleting it')
  expectEqual(
    await codeOf(admin.alterGroupOffsets(groupId, [{ topic, partition: 0, offset: 1n }])),
    ErrorCode.UNKNOWN_MEMBER_ID,
    'setting offsets of a group with members',
  )
  const removed = await admin.removeGroupMembers(groupId, [{ groupInstanceId: 'i' }], { reason: 'a test' })
  expectEqual(removed[0].groupInstanceId, 'i', 'removed')
  await consumer.close()
  const [unknown] = await settled(admin.removeGroupMembers(groupId, [{ memberId: 'nobody' }]))
  expectEqual(
    unknown.status === 'rejected' && (unknown.reason as KafkaError).code,
    ErrorCode.UNKNOWN_MEMBER_ID,
    'nobody',
  )
}

async function shareGroup({ admin }: Stage): Promise<void> {
  const [groupId, topic] = ['changing-share', 'shared-out']
  await admin.createTopics([{ name: topic, numPartitions: 2 }])
  const partition = (number: number) => ({ topic, partition: number })
  await eventually(async () => {
    await admin.alterShareGroupOffsets(groupId, [{ ...partition(0), startOffset: 0n }])
  })
  const [listed] = await admin.listShareGroupOffsets([{ groupId, partitions: [partition(0), partition(1)] }])
  expectEqual(listed.offsets.map(({ startOffset }) => String(startOffset)).toSorted(), ['0', 'null'], 'offsets')
  const [there, missing] = await settled(admin.deleteShareGroupOffsets(groupId, [topic, 'no-such-topic']))
  expectEqual(there.status, 'fulfilled', 'deleting')
  expectEqual(
    missing.status === 'rejected' && (missing.reason as KafkaError).code,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    'no topic',
  )
  await admin.deleteGroups([groupId])
  expectEqual(await codeOf(admin.describeShareGroups([groupId])), ErrorCode.GROUP_ID_NOT_FOUND, 'after deleting')
  expectEqual(await codeOf(admin.describeStreamsGroups([groupId])), ErrorCode.GROUP_ID_NOT_FOUND, 'as a streams group')
}

async function listing({ admin }: Stage): Promise<void> {
  await admin.createTopics([{ name: 'for-listing' }])
  // Another broker may not know of the topic yet.
  await eventually(() => admin.alterGroupOffsets('listed-empty', [{ topic: 'for-listing', partition: 0, offset: 0n }]))
  const ids = async (options: Parameters<typeof admin.listGroups>[0]) =>
    (await admin.listGroups(options)).map(({ groupId }) => groupId)
  expectTrue((await ids({ types: ['classic'] })).includes('listed-empty'), 'not listed by type')
  expectTrue(!(await ids({ types: ['share', 'streams'] })).includes('listed-empty'), 'listed by other types')
  expectTrue((await ids({ states: ['Empty'] })).includes('listed-empty'), 'not listed by state')
  expectTrue(!(await ids({ states: ['Stable', 'Dead'] })).includes('listed-empty'), 'listed by other states')
  expectTrue((await ids({ protocolTypes: [''] })).includes('listed-empty'), 'not listed by protocol type')
  expectTrue(!(await ids({ protocolTypes: ['consumer'] })).includes('listed-empty'), 'listed by other protocol types')
}
