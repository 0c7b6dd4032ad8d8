import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConsumerGroupHeartbeat, ErrorCode, ShareGroupHeartbeat } from '@millrace/protocol'
import { settled } from './partial-failure.ts'
import { adminOf, joinClassicGroup } from './testing/admin-of.ts'

test('a classic group is listed and described with what its members told', async (context) => {
  const { admin, cluster } = await adminOf(context)
  await admin.createTopics([{ name: 't', numPartitions: 2 }])
  const memberId = await joinClassicGroup(cluster, { groupId: 'g', topic: 't', partitions: [0, 1] })
  assert.deepEqual(await admin.listGroups(), [
    { groupId: 'g', type: 'classic', protocolType: 'consumer', state: 'Stable' },
  ])
  assert.deepEqual(await admin.listGroups({ types: ['share'] }), [])
  assert.deepEqual(await admin.listGroups({ states: ['Empty'] }), [])
  assert.deepEqual(await admin.listGroups({ protocolTypes: ['connect'] }), [])
  const [group] = await admin.describeConsumerGroups(['g'], { includeAuthorizedOperations: true })
  assert.equal(group.type, 'classic')
  assert.equal(group.state, 'Stable')
  assert.equal(group.assignor, 'range')
  assert.equal(group.isSimple, false)
  assert.equal(group.coordinator.id, 1)
  assert.equal(group.groupEpoch, null)
  assert.ok(group.authorizedOperations?.includes('READ'))
  assert.deepEqual(group.members, [
    {
      memberId,
      groupInstanceId: null,
      rackId: null,
      clientId: 'admin-test',
      clientHost: group.members[0]!.clientHost,
      subscribedTopics: ['t'],
      subscribedPattern: null,
      assignment: [
        { topic: 't', partition: 0 },
        { topic: 't', partition: 1 },
      ],
      targetAssignment: null,
      memberEpoch: null,
      isClassic: null,
    },
  ])
  const [classic] = await admin.describeClassicGroups(['g'])
  assert.equal(classic.protocolType, 'consumer')
  assert.equal(classic.protocol, 'range')
  assert.deepEqual(classic.members[0]!.assignment, group.members[0]!.assignment)
})

test('consumer and share groups are described beside classic ones', async (context) => {
  const { admin, cluster } = await adminOf(context)
  await admin.createTopics([{ name: 't' }])
  await joinClassicGroup(cluster, { groupId: 'old', topic: 't', partitions: [0] })
  await joinClassicGroup(cluster, { groupId: 'connect', topic: 't', partitions: [], protocolType: 'connect' })
  const memberId = 'AAAAAAAAAAAAAAAAAAAAAQ'
  const newer = await cluster.send({ coordinatorOf: 'new', kind: 'group' }, ConsumerGroupHeartbeat, {
    groupId: 'new',
    memberId,
    memberEpoch: 0,
    rebalanceTimeoutMs: 30_000,
    subscribedTopicNames: ['t'],
    topicPartitions: [],
  })
  assert.equal(newer.errorCode, 0)
  const share = await cluster.send({ coordinatorOf: 'share', kind: 'group' }, ShareGroupHeartbeat, {
    groupId: 'share',
    memberId,
    memberEpoch: 0,
    subscribedTopicNames: ['t'],
  })
  assert.equal(share.errorCode, 0)

  const [asNew, asOld, asConnect, missing, asShare] = await settled(
    admin.describeConsumerGroups(['new', 'old', 'connect', 'missing', 'share']),
  )
  assert.ok(asNew.status === 'fulfilled')
  assert.equal(asNew.value.type, 'consumer')
  assert.ok(asNew.value.groupEpoch! >= 1)
  assert.deepEqual(asNew.value.members[0]!.targetAssignment, [{ topic: 't', partition: 0 }])
  assert.equal(asNew.value.members[0]!.isClassic, false)
  assert.deepEqual(asNew.value.members[0]!.subscribedTopics, ['t'])
  assert.ok(asOld.status === 'fulfilled')
  assert.equal(asOld.value.type, 'classic')
  assert.equal(asConnect.status === 'rejected' && asConnect.reason.code, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  assert.equal(missing.status === 'rejected' && missing.reason.code, ErrorCode.GROUP_ID_NOT_FOUND)
  assert.equal(asShare.status === 'rejected' && asShare.reason.code, ErrorCode.GROUP_ID_NOT_FOUND)

  const [group] = await admin.describeShareGroups(['share'])
  assert.equal(group.state, 'Stable')
  assert.deepEqual(group.members[0]!.subscribedTopics, ['t'])
  const listed = await admin.listGroups()
  assert.deepEqual(listed.map(({ groupId, type }) => `${groupId} ${type}`).toSorted(), [
    'connect classic',
    'new consumer',
    'old classic',
    'share share',
  ])
})

test('members are removed, by id or instance id, and the group deleted after that', async (context) => {
  const { admin, cluster } = await adminOf(context)
  await admin.createTopics([{ name: 't' }])
  await joinClassicGroup(cluster, { groupId: 'static', topic: 't', partitions: [0], groupInstanceId: 'i' })
  const memberId = await joinClassicGroup(cluster, { groupId: 'g', topic: 't', partitions: [0] })
  await assert.rejects(admin.deleteGroups(['g']), { code: ErrorCode.NON_EMPTY_GROUP })
  const [removed, unknown] = await settled(
    admin.removeGroupMembers('g', [{ memberId }, { memberId: 'somebody' }], { reason: 'test' }),
  )
  assert.equal(removed.status === 'fulfilled' && removed.value.memberId, memberId)
  assert.equal(unknown.status === 'rejected' && unknown.reason.code, ErrorCode.UNKNOWN_MEMBER_ID)
  const [byInstance] = await admin.removeGroupMembers('static', [{ groupInstanceId: 'i' }])
  assert.equal(byInstance.groupInstanceId, 'i')
  assert.deepEqual(await admin.deleteGroups(['g', 'static']), [{ groupId: 'g' }, { groupId: 'static' }])
  await assert.rejects(admin.deleteGroups(['g']), { code: ErrorCode.GROUP_ID_NOT_FOUND })
})

test('all members of a group are removed at once, static ones too', async (context) => {
  const { admin, cluster } = await adminOf(context)
  await admin.createTopics([{ name: 't' }])
  await joinClassicGroup(cluster, { groupId: 'static', topic: 't', partitions: [0], groupInstanceId: 'i' })
  const memberId = await joinClassicGroup(cluster, { groupId: 'g', topic: 't', partitions: [0] })
  assert.deepEqual(await admin.removeGroupMembers('g', 'all'), [{ memberId, groupInstanceId: null }])
  const removed = await admin.removeGroupMembers('static', 'all', { reason: 'test' })
  assert.deepEqual(
    removed.map(({ groupInstanceId }) => groupInstanceId),
    ['i'],
  )
  assert.deepEqual(await admin.removeGroupMembers('g', 'all'), [])
  await assert.rejects(admin.removeGroupMembers('nobody', 'all'), { code: ErrorCode.GROUP_ID_NOT_FOUND })
})

test('offsets of groups are set, listed and deleted', async (context) => {
  const { admin, cluster } = await adminOf(context)
  await admin.createTopics([{ name: 't', numPartitions: 2 }, { name: 'u' }])
  await admin.alterGroupOffsets('g', [
    { topic: 't', partition: 0, offset: 5n, leaderEpoch: 0, metadata: 'by hand' },
    { topic: 'u', partition: 0, offset: 7n },
  ])
  await admin.alterGroupOffsets('h', [{ topic: 't', partition: 1, offset: 1n }])
  // It would be cut to 0.
  await assert.rejects(admin.alterGroupOffsets('h', [{ topic: 't', partition: 1, offset: 2n ** 64n }]), RangeError)
  const [g, h] = await admin.listGroupOffsets([
    'g',
    {
      groupId: 'h',
      partitions: [
        { topic: 't', partition: 0 },
        { topic: 't', partition: 1 },
      ],
    },
  ])
  assert.deepEqual(
    g.offsets.toSorted((one, other) => one.topic.localeCompare(other.topic)),
    [
      { topic: 't', partition: 0, offset: 5n, leaderEpoch: 0, metadata: 'by hand' },
      { topic: 'u', partition: 0, offset: 7n, leaderEpoch: null, metadata: '' },
    ],
  )
  assert.deepEqual(
    h.offsets.map(({ partition, offset }) => [partition, offset]),
    [
      [0, null],
      [1, 1n],
    ],
  )
  await joinClassicGroup(cluster, { groupId: 'g', topic: 't', partitions: [0] })
  const [subscribed, free] = await settled(
    admin.deleteGroupOffsets('g', [
      { topic: 't', partition: 0 },
      { topic: 'u', partition: 0 },
    ]),
  )
  assert.equal(subscribed.status === 'rejected' && subscribed.reason.code, ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC)
  assert.equal(free.status, 'fulfilled')
  await assert.rejects(admin.alterGroupOffsets('g', [{ topic: 't', partition: 0, offset: 0n }]), {
    code: ErrorCode.UNKNOWN_MEMBER_ID,
  })
  await assert.rejects(admin.deleteGroupOffsets('nobody', [{ topic: 't', partition: 0 }]), {
    code: ErrorCode.GROUP_ID_NOT_FOUND,
  })
})

test('offsets of share groups are set, listed and deleted', async (context) => {
  const { admin } = await adminOf(context)
  await admin.createTopics([{ name: 't', numPartitions: 2 }])
  await admin.alterShareGroupOffsets('s', [
    { topic: 't', partition: 0, startOffset: 0n },
    { topic: 't', partition: 1, startOffset: 0n },
  ])
  for (const wrong of [{ partition: 2 ** 32 }, { startOffset: 2n ** 64n }, { startOffset: 0 as never }])
    await assert.rejects(
      admin.alterShareGroupOffsets('s', [{ topic: 't', partition: 0, startOffset: 0n, ...wrong }]),
      /expects a list|cannot be committed/,
    )
  const [all] = await admin.listShareGroupOffsets(['s'])
  assert.deepEqual(
    all.offsets.map(({ topic, partition, startOffset }) => `${topic}-${partition} ${startOffset}`).toSorted(),
    ['t-0 0', 't-1 0'],
  )
  assert.deepEqual(await admin.deleteShareGroupOffsets('s', ['t']), [{ topic: 't' }])
  const [after] = await admin.listShareGroupOffsets([{ groupId: 's', partitions: [{ topic: 't', partition: 1 }] }])
  assert.deepEqual(
    after.offsets.map(({ startOffset }) => startOffset),
    [null],
  )
  await assert.rejects(admin.deleteShareGroupOffsets('nobody', ['t']), { code: ErrorCode.GROUP_ID_NOT_FOUND })
})
